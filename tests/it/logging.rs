//! The logs that commands leave, and what `log` says of them.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::sample::tree;
use crate::space::{PROGRAM, Ran, Space};

const TARGETS: &str = r#"
[files.a]
content = { "/a" = "one" }
[files.b]
content = { "/b" = "b" }
[image.i]
layers = [":a", ":b"]
"#;

fn json(space: &Space, line: &str) -> Value {
    let ran = space.layerbuild(&format!("log {line} --output json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn rows(value: &Value, names: &[&str]) -> Vec<String> {
    let row =
        |row: &Value| names.iter().map(|name| row[*name].as_str().unwrap_or("null")).collect::<Vec<_>>().join(" ");
    value.as_array().expect("an array").iter().map(row).collect()
}

fn built(space: &Space, what: &str) -> Ran {
    let ran = space.layerbuild(what);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn what_ran_and_why_is_known_afterwards() {
    let space = Space::with(TARGETS);
    assert_eq!(space.layerbuild("log").code, 4, "nothing has left a log yet");
    built(&space, "build //:i");
    assert_eq!(
        rows(&json(&space, "what-ran"), &["label", "kind", "why"]),
        ["//:a files never built here", "//:b files never built here", "//:i image never built here"]
    );
    space.write("layers.toml", format!("[workspace]\nname = \"test\"\n{}", TARGETS.replace("one", "two")));
    fs::create_dir(space.path("sub")).expect("a folder");
    // From another folder of the workspace, it is the same workspace.
    built(&space, "-C sub build //:i");
    let ran = json(&space, "what-ran");
    assert_eq!(rows(&ran, &["label", "kind"]), ["//:a files", "//:i image"]);
    assert!(ran[0]["why"].as_str().expect("text").starts_with("entry /a changed: "), "{ran}");
    assert!(ran[1]["why"].as_str().expect("text").starts_with("//:a ("), "{ran}");
    let last = json(&space, "last");
    assert_eq!((&last["ended"], &last["exit"], &last["directory"]), (&"done".into(), &0.into(), &"sub".into()));
    assert_eq!((&last["actions"], &last["ran"], &last["cached"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(rows(&json(&space, "what-ran --recent 2"), &["label"]).len(), 3);
    assert_eq!(space.layerbuild("log --recent 9").code, 4);
    let wrong = space.layerbuild("log --id nosuchid");
    assert!(wrong.code == 2 && wrong.stderr.contains("no log `nosuchid`"), "{wrong:?}");
}

#[test]
fn what_is_said_afterwards_is_what_the_build_said() {
    let space = Space::with(TARGETS);
    let mut command = space.command(PROGRAM);
    let output = command.args(["build", "//:i"]).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    let closing = said.lines().last().expect("a closing line");
    let raw = |line: &str| {
        let output = space.command(PROGRAM).args(line.split(' ')).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let last = raw("log");
    assert!(last.contains(&format!("figures  {closing}\n")), "{closing}\n{last}");
    let path = raw("log critical-path");
    let (_, chain) = closing.split_once("; ").expect("a critical path");
    assert!(path.contains(chain.split_once(':').expect("labels").0), "{closing}\n{path}");
    let links = json(&space, "critical-path");
    assert_eq!(rows(&links, &["label"]).last().map(String::as_str), Some("//:i"));
    let sum: f64 =
        links.as_array().expect("links").iter().map(|link| link["seconds"].as_f64().expect("a number")).sum();
    let said = json(&space, "last")["critical_path_seconds"].as_f64().expect("a number");
    assert!((said - sum).abs() < 1e-6, "{said} and {sum}");
    let slowest = json(&space, "slowest --top 2");
    let seconds: Vec<f64> =
        slowest.as_array().expect("rows").iter().filter_map(|row| row["seconds"].as_f64()).collect();
    assert!(seconds.len() == 2 && seconds[0] >= seconds[1], "{slowest}");
}

#[test]
fn builds_with_nothing_to_do_are_listed_and_push_out_no_others() {
    let space = Space::with(TARGETS);
    built(&space, "build //:i");
    (0..25).for_each(|_| _ = built(&space, "//:i"));
    let list = json(&space, "list");
    assert_eq!((&list[0]["cached"], &list[0]["ran"]), (&3.into(), &0.into()));
    let ends = rows(&list, &["ended", "command"]);
    assert_eq!(ends.len(), 21);
    assert_eq!(ends[0], "nothing to do layerbuild //:i");
    assert_eq!(ends[20], "done layerbuild build //:i");
    let id = list[20]["id"].as_str().expect("an id");
    assert_eq!(rows(&json(&space, &format!("what-ran --id {id}")), &["label"]), ["//:a", "//:b", "//:i"]);
    let what_ran = space.layerbuild("log what-ran");
    assert_eq!(what_ran.stdout.lines().count(), 4, "of the last that did something: {what_ran:?}");
    assert!(what_ran.stderr.starts_with(&format!("of {id}, `layerbuild build //:i`: since then")), "{what_ran:?}");
    assert_eq!(rows(&json(&space, "what-ran --recent 1"), &["label"]), [""; 0]);
    let logs = || {
        fs::read_dir(space.cache().join("logs"))
            .expect("a folder")
            .flat_map(|entry| fs::read_dir(entry.expect("one").path()).expect("a folder"))
            .count()
    };
    let before = logs();
    // What only looks, or does nothing, leaves none.
    for line in ["--dry-run build //:i", "query //...", "ls //:i", "explain //:i", "log list"] {
        space.layerbuild(line);
    }
    assert_eq!(logs(), before);
    let csv = space.layerbuild("log list --output csv").stdout;
    assert!(csv.starts_with("id,begun,seconds,ended,ran,cached,command\n") && csv.lines().count() == 22, "{csv}");
}

#[test]
fn what_failed_is_known_with_its_last_lines() {
    let targets = r#"
[exec.bad]
build-base = "host"
command    = "echo to stdout; echo to stderr >&2; exit 3"
outputs    = { "/x" = "/out/x" }
[image.i]
layers = [":bad"]
"#;
    let space = Space::with(targets);
    let failed = space.layerbuild("build //:i");
    assert_eq!(failed.code, 1);
    let told = space.layerbuild("log what-failed");
    for part in
        ["failed //:bad exec after", "exit status: 3", "| to stderr", "skipped //:i image because //:bad failed"]
    {
        assert!(told.stdout.contains(part), "no `{part}` in {told:?}");
    }
    let rows = rows(&json(&space, "what-failed"), &["label", "kind", "outcome"]);
    assert_eq!(rows, ["//:bad exec failed", "//:i image skipped"]);
    let last = json(&space, "last");
    assert_eq!((&last["ended"], &last["exit"]), (&"failed".into(), &1.into()));
    // So is what no step says.
    let push = space.layerbuild("push //:i --registry 127.0.0.1:1");
    assert_ne!(push.code, 0);
    assert_eq!(json(&space, "last")["command"][0], "push");
}

const SLOW: &str = r#"
[exec.slow]
build-base = "host"
command    = "sleep 30"
outputs    = { "/x" = "/out/x" }
"#;

/// Ends a build of [`SLOW`] while it sleeps.
fn end_asleep(space: &Space, signal: Signal) {
    let mut child = sleeping(space);
    kill_process(Pid::from_child(&child), signal).expect("it is there");
    child.wait().expect("an end");
}

/// A build that sleeps, once its log says that it does.
fn sleeping(space: &Space) -> Child {
    let mut command = space.command(PROGRAM);
    command.args(["build", "//:slow", "--profile-out", "t.json"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let sleeps = |_| {
        std::thread::sleep(Duration::from_millis(10));
        let last = space.layerbuild("log last --output json").stdout;
        last.contains("\"ended\":\"running\"") && last.contains("\"unfinished\":1")
    };
    if !(0..3000).any(sleeps) {
        child.kill().and_then(|()| child.wait()).expect("an end");
        panic!("it never began: {:?}", space.layerbuild("log last"));
    }
    child
}

#[test]
fn interrupted_and_killed_builds_leave_what_they_did() {
    let space = Space::with(SLOW);
    for (signal, ended) in [(Signal::INT, "interrupted"), (Signal::TERM, "interrupted"), (Signal::KILL, "killed")] {
        end_asleep(&space, signal);
        let last = json(&space, "last");
        assert_eq!((&last["ended"], &last["unfinished"]), (&ended.into(), &1.into()), "{last}");
        let told = space.layerbuild("log what-failed").stdout;
        assert!(told.starts_with("unfinished //:slow exec after "), "{told}");
    }
    assert_eq!(rows(&json(&space, "list"), &["ended"]), ["killed", "interrupted", "interrupted"]);
}

#[test]
fn neither_variables_nor_arguments_nor_passwords_are_in_a_log() {
    let targets = r#"
[vars]
pass = "a"
[exec.x]
build-base = "host"
command    = "echo marker-printed; echo ${vars.pass} marker-argument > out/x"
env        = { SOME = "marker-env" }
outputs    = { "/x" = "/out/x" }
"#;
    let space = Space::with(targets);
    let mut command = space.command(PROGRAM);
    command.args(["build", "//:x", "--var", "pass=marker-var", "--profile-out", "trace.json"]);
    let ran = space.output(command.env("SOME_TOKEN", "marker-of-the-environment"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let logs = tree(&space.cache().join("logs"));
    let mut read = 0;
    for (path, bytes) in logs.into_iter().filter_map(|(path, bytes)| Some((path, bytes?))) {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("\"event\":\"begun\"") && !text.contains("marker"), "{}: {text}", path.display());
        read += 1;
    }
    assert!(read >= 1, "no log was looked at");
    let trace = fs::read_to_string(space.path("trace.json")).expect("a trace");
    assert!(trace.contains("//:x") && !trace.contains("marker"), "{trace}");
}

#[test]
fn a_log_that_can_not_be_written_fails_no_build_and_is_told_once() {
    let space = Space::with(TARGETS);
    built(&space, "build //:a");
    let folder = fs::read_dir(space.cache().join("logs")).expect("a folder").next().expect("one").expect("one").path();
    fs::remove_dir_all(&folder).expect("removed");
    fs::write(&folder, "").expect("a file in the way");
    for what in ["//:i", "build //:b", "push //:i --registry 127.0.0.1:1"] {
        let ran = space.layerbuild(what);
        assert_eq!(ran.stderr.matches("warning: this command leaves no log in [CACHE]").count(), 1, "{what}: {ran:?}");
        assert_eq!(ran.code == 0, !what.starts_with("push"), "{ran:?}");
    }
}

/// Holds a trace against what Chrome's format asks of it, and gives the bars' names.
fn bars(text: &str) -> Vec<String> {
    let trace: Value = serde_json::from_str(text).expect("JSON");
    let mut names = Vec::new();
    for event in trace["traceEvents"].as_array().expect("events") {
        let whole = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("no {name} in {event}"));
        ["pid", "tid", "ts"].iter().for_each(|name| _ = whole(name));
        let name = event["name"].as_str().expect("a name").to_owned();
        match event["ph"].as_str().expect("a phase") {
            "X" => {
                whole("dur");
                assert!(event["cat"].is_string() && event["args"]["kind"].is_string(), "{event}");
                assert!(event["args"]["bytes"].is_u64() && event["args"]["hit"].is_boolean(), "{event}");
                names.push(name);
            }
            "M" => assert!(event["args"]["name"].is_string(), "{event}"),
            "C" => assert!(event["args"]["steps"].is_u64(), "{event}"),
            other => panic!("a phase {other}"),
        }
    }
    names
}

#[test]
fn a_trace_is_written_of_a_command_and_of_a_log() {
    let space = Space::with(TARGETS);
    built(&space, "build //:i --profile-out of-build.json");
    let of_build = fs::read_to_string(space.path("of-build.json")).expect("a trace");
    assert_eq!(bars(&of_build), ["//:a", "//:b", "//:i"]);
    built(&space, "log last --profile-out of-log.json");
    assert_eq!(fs::read_to_string(space.path("of-log.json")).expect("a trace"), of_build);
    built(&space, "//:i --profile-out idle.json");
    assert_eq!(bars(&fs::read_to_string(space.path("idle.json")).expect("a trace")), [""; 0]);
    assert!(space.layerbuild("query //... --profile-out x.json").stderr.contains("nothing is written"));
    assert!(!space.path("x.json").exists());
}

#[test]
fn a_place_for_the_trace_is_refused_before_anything_is_built_and_a_device_is_written_to() {
    let space = Space::with(TARGETS);
    for (place, code, says) in [
        ("no/such/folder.json", 36, "there is no such folder"),
        (".", 36, "it is a folder"),
        ("layers.toml/x", 36, "there is no such folder"),
        ("-", 2, "`./-`"),
        ("a --profile-out b", 2, "cannot be used multiple times"),
    ] {
        let ran = space.layerbuild(&format!("build //:i --profile-out {place}"));
        assert!(ran.code == code && ran.stderr.contains(says) && ran.stdout.is_empty(), "{place}: {ran:?}");
        assert!(!space.cache().exists(), "{place}: nothing was begun");
    }
    let full = space.layerbuild("build //:i --profile-out /dev/full");
    assert!(full.code == 36 && full.stdout.starts_with("//:i sha256:"), "what was built is told: {full:?}");
    assert!(full.stderr.contains("cannot write /dev/full: No space left"), "{full:?}");
    let out = space.layerbuild("-q build //:i --profile-out /dev/stdout");
    assert!(out.code == 0 && out.stdout.contains("{\"displayTimeUnit\""), "{out:?}");
    fs::write(space.path("old.json"), "old").expect("a file");
    std::os::unix::fs::symlink("old.json", space.path("link.json")).expect("a link");
    built(&space, "--json build //:i --profile-out link.json");
    assert!(fs::symlink_metadata(space.path("link.json")).expect("a link").is_symlink());
    assert_eq!(bars(&fs::read_to_string(space.path("old.json")).expect("a trace")), [""; 0]);
    built(&space, "build //:i --profile-out ./-");
    assert!(space.path("-").is_file());
}

#[test]
fn a_build_that_fails_or_is_interrupted_leaves_a_whole_trace() {
    let targets = r#"
[exec.bad]
build-base = "host"
command    = "exit 3"
outputs    = { "/x" = "/out/x" }
"#;
    let space = Space::with(&format!("{targets}{SLOW}"));
    let trace = || bars(&fs::read_to_string(space.path("t.json")).expect("a trace"));
    assert_eq!(space.layerbuild("build //:bad --profile-out t.json").code, 1);
    assert_eq!(trace(), ["//:bad"]);
    fs::remove_file(space.path("t.json")).expect("gone");
    end_asleep(&space, Signal::INT);
    assert_eq!(trace(), ["//:slow"]);
    assert_eq!(space.layerbuild("build //:none --profile-out t.json").code, 2);
    assert_eq!(trace(), [""; 0], "of one that was refused");
}

#[test]
fn a_build_that_is_refused_leaves_a_log_that_pushes_out_no_others() {
    let space = Space::with(TARGETS);
    assert_eq!(space.layerbuild("build //:none").code, 2);
    assert_eq!(rows(&json(&space, "list"), &["ended"]), ["refused"], "the first of all");
    built(&space, "build //:i");
    assert_eq!(space.layerbuild("build //:none").code, 2);
    let last = json(&space, "last");
    assert_eq!((&last["ended"], &last["exit"]), (&"refused".into(), &2.into()));
    assert!(last["message"].as_str().expect("text").starts_with("error: no such target `//:none`"), "{last}");
    space.write(
        "layers.toml",
        "[workspace]\nname = \"test\"\n[vars]\npassword = \"a\"\n[files.a]\nsecret = \"marker\"\ndset = \"x\"\n",
    );
    let broken = space.layerbuild("build //:a --var password=marker-var --var passwrod=hunter2");
    assert!(broken.code == 2 && broken.stderr.contains("marker"), "{broken:?}");
    let last = json(&space, "last");
    let message = last["message"].as_str().expect("text");
    for part in ["unknown attribute `secret`\n --> layers.toml:6:1\n", "unknown attribute `dset`", "errors"] {
        assert!(message.contains(part), "no `{part}` in {message}");
    }
    assert!(!message.contains("marker") && !message.contains("hunter2"), "{message}");
    let failed = space.layerbuild("log what-failed");
    assert!(failed.stdout.contains("unknown attribute `dset`"), "{failed:?}");
    let ran = space.layerbuild("log what-ran");
    assert!(ran.stdout.contains("//:i") && ran.stderr.contains("since then nothing was done"), "{ran:?}");
    (0..25).for_each(|_| assert_eq!(space.layerbuild("build //:a").code, 2));
    let ends = rows(&json(&space, "list"), &["ended"]);
    assert_eq!((ends.len(), ends.last().map(String::as_str)), (21, Some("done")));
}
