//! Secrets of a `run`: seen by its commands, and in nothing else that there is while it runs or afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use layerbuild::oci::decompress::decompress;

use crate::running::workspace;
use crate::sample::{Ended, Sample, tree};

/// By a variable; by a file, with two lines and a short one between.
const BY_VARIABLE: &str = "correct-horse-battery";
const LINES: [&str; 2] = ["-----BEGIN some key-----", "MIIEpAIBAAKCAQEA7"];
/// A value that no other test's processes have.
const AT_WORK: &str = "correct-horse-at-work";

const TARGETS: &str = r#"
    [run.step]
    base = ":base"
    commands = [
        "test -s /run/secrets/token && test $(grep -c . /run/secrets/key) = 3 && stat -c %a:%u /run/secrets/key > /mode",
        "test $(cat /run/secrets/tiny) = 7",
        "cat /run/secrets/token; echo; cat /run/secrets/key; echo begun; cat /proc/self/environ /proc/1/cmdline; sleep WAIT",
    ]
    secrets = { token = { env = "TOKEN" }, key = { file = "secret.pem" }, tiny = { env = "TINY" } }
    secret-in-key = false
"#;

fn scene() -> Option<Sample> {
    let sample = workspace(TARGETS)?;
    sample.write("secret.pem", format!("{}\nx\n{}\n", LINES[0], LINES[1]));
    Some(sample)
}

fn command(sample: &Sample, arguments: &[&str]) -> std::process::Command {
    let mut command = sample.command(arguments);
    command.env("TOKEN", BY_VARIABLE).env("TINY", "7");
    command
}

/// Which secret stands in these bytes; `None` where none does.
fn held(bytes: &[u8]) -> Option<&'static str> {
    [BY_VARIABLE, AT_WORK, LINES[0], LINES[1]].into_iter().find(|secret| holds(bytes, secret))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn assert_none_in(files: BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for (path, content) in files {
        let content = content.unwrap_or_default();
        let mut inside = Vec::new();
        if let Ok((_, mut reader)) = decompress(&*content) {
            let _ = reader.read_to_end(&mut inside);
        }
        assert_eq!(held(&content).or_else(|| held(&inside)), None, "{}", path.display());
        assert_eq!(held(path.as_os_str().as_encoded_bytes()), None);
    }
}

#[test]
fn a_secret_is_in_no_file_of_the_store_and_in_no_line_that_is_shown() {
    let Some(sample) = scene() else { return };
    sample.replace("p/layers.toml", "WAIT", "0");
    let run = |arguments: &[&str]| {
        let ended = Ended::of(command(&sample, arguments));
        assert_eq!(held([&*ended.out, &*ended.err].concat().as_bytes()), None, "{arguments:?}: {ended:?}");
        ended
    };
    let path = sample.folder().join("ci.json");
    let record = |arguments: &[&str]| {
        let ended = run(&[&["--record", path.to_str().expect("UTF-8")], arguments].concat());
        let bytes = fs::read(&path).expect("a record");
        assert_eq!(held(&bytes), None, "{arguments:?}");
        assert!(holds(&bytes, "secret /run/secrets/token"), "its name is in the key");
        ended
    };
    let first = record(&["-v", "build", "//p:step"]).success();
    record(&["build", "//p:step"]);
    assert_eq!(first.err.matches("//p:step | ***").count(), 3, "{}", first.err);
    assert!(first.err.contains("//p:step | x"), "what is too short is everywhere: {}", first.err);
    for arguments in [
        &["--json", "build", "//p:step"][..],
        &["--json", "--dry-run", "build", "//p:step"],
        &["explain", "//p:step"],
        &["explain", "--against", path.to_str().expect("UTF-8"), "//p:step"],
        &["query", "//p:step", "--output", "json"],
        &["ls", "//p:step"],
    ] {
        run(arguments);
    }
    let listed = run(&["ls", "//p:step"]).out;
    assert!(listed.contains(" 6  /mode") && !listed.contains("/run"), "{listed}");
    assert_none_in(tree(&sample.cache));
    assert_eq!(steps_and_caches(&sample), 0);
    let mut other = sample.command(&["build", "//p:step"]);
    other.env("TOKEN", "another value").env("TINY", "7");
    assert_eq!(Ended::of(other).success().counts().0, 0, "its value is in no key");
}

fn steps_and_caches(sample: &Sample) -> usize {
    ["steps", "caches"].iter().map(|name| fs::read_dir(sample.cache.join(name)).map_or(0, Iterator::count)).sum()
}

#[test]
fn a_secret_is_in_no_error_and_a_command_that_prints_it_as_json_shows_none() {
    let Some(sample) = scene() else { return };
    sample.replace("p/layers.toml", "sleep WAIT", "exit 4");
    for flag in ["--json", "-v", "-q"] {
        let ended = Ended::of(command(&sample, &[flag, "build", "//p:step"]));
        let shown = [&*ended.out, &*ended.err].concat();
        assert_eq!((ended.code, held(shown.as_bytes())), (Some(1), None), "{shown}");
        assert!(shown.contains("exit status: 4") && shown.contains("***"), "{shown}");
    }
    assert_none_in(tree(&sample.cache));
    let mut without = sample.command(&["build", "//p:step"]);
    without.env("TINY", "7");
    let without = Ended::of(without);
    assert!(without.code == Some(36) && without.err.contains("the variable TOKEN is not set"), "{}", without.err);
    fs::remove_file(sample.path("secret.pem")).expect("a file");
    let without = Ended::of(command(&sample, &["build", "//p:step"]));
    assert!(without.code == Some(36) && without.err.contains("`secret.pem` cannot be read"), "{}", without.err);
}

#[test]
fn while_it_runs_a_secret_is_in_no_arguments_and_no_environment_and_on_no_disk() {
    let Some(sample) = scene() else { return };
    sample.replace("p/layers.toml", "WAIT", "86393");
    let mut build = command(&sample, &["-v", "build", "//p:step"]);
    let mut build = build.env("TOKEN", AT_WORK).spawn().expect("it starts");
    let lines = BufReader::new(build.stderr.take().expect("a pipe")).lines();
    let shown: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.ends_with("| begun")).collect();
    assert_eq!(held(shown.concat().as_bytes()), None);
    let mut looked_at = 0;
    for process in fs::read_dir("/proc").expect("processes").filter_map(|entry| Some(entry.ok()?.path())) {
        let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
        assert_eq!(held(&read("cmdline")), None, "{}", process.display());
        // Who calls the program gives it the variable: it has it, and nobody below it.
        let given = process.file_name().is_some_and(|name| *name == *build.id().to_string());
        looked_at += usize::from(given);
        assert!(given || !holds(&read("environ"), AT_WORK), "{}", process.display());
    }
    assert_eq!(looked_at, 1, "the build is not among the processes");
    assert_none_in(readable(&sample.cache));
    build.kill().and_then(|()| build.wait()).expect("it is killed");
    assert_none_in(readable(&sample.cache));
}

/// As [`tree`], of what changes meanwhile.
fn readable(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let (path, kind) = (entry.path(), entry.file_type());
        match kind {
            Ok(kind) if kind.is_dir() => found.append(&mut readable(&path)),
            Ok(kind) if kind.is_file() => _ = found.insert(path.clone(), fs::read(&path).ok()),
            _ => {}
        }
    }
    found
}

#[test]
fn a_shell_sees_the_secret_and_leaves_nothing_of_it() {
    let Some(sample) = scene() else { return };
    sample.replace("p/layers.toml", "WAIT", "0");
    let mut shell = command(&sample, &["shell", "//p:step"]);
    let mut child = shell.stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"grep -c . /run/secrets/key\n").expect("it reads");
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, &*ended.out), (Some(0), "3\n"), "{}", ended.err);
    assert_eq!(held(ended.err.as_bytes()), None);
    assert_none_in(tree(&sample.cache));
}

#[test]
fn a_secret_that_a_command_writes_down_is_refused_with_the_files_name() {
    let Some(sample) = scene() else { return };
    sample.replace(
        "p/layers.toml",
        "sleep WAIT",
        "mkdir /root; (echo -n password=; cat /run/secrets/token) > /root/.netrc",
    );
    let ended = Ended::of(command(&sample, &["build", "//p:step"]));
    assert!(ended.code == Some(1) && held(ended.err.as_bytes()).is_none(), "{}", ended.err);
    assert!(ended.err.contains("/root/.netrc holds the secret /run/secrets/token"), "{}", ended.err);
    assert_none_in(tree(&sample.cache));
}
