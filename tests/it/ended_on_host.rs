//! A command of the host, and all that it started, end with layerbuild: interrupted, terminated or killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::space::{PROGRAM, Space};

/// Much longer than the grace that a command has, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A target whose command writes down, below `pids`, who runs: itself, a child that no SIGTERM ends, a grandchild, and one
/// in a session of its own whose parent has ended. Asked to end, it says so and does.
fn target(pids: &Path, rest: &str) -> String {
    let script = format!(
        r#"
cd {}
trap 'echo said >> goodbye; exit 0' TERM
sh -c 'trap "" TERM; echo $$ > stubborn; exec sleep 86391' &
sh -c 'sh -c "echo \$\$ > grandchild; exec sleep 86392"; true' &
(setsid sh -c 'echo $$ > orphan; exec sleep 86393' &)
echo $$ > itself
{rest}
"#,
        pids.display()
    );
    format!(
        "[workspace]\nname = \"w\"\nbuild-base = \"host\"\n[exec.step]\ntimeout = \"10m\"\ncommand = '''{script}'''\noutputs = {{ \"/x\" = \"/out/x\" }}\n"
    )
}

const ALL: [&str; 4] = ["itself", "stubborn", "grandchild", "orphan"];

/// A workspace with the target, and the folder where it writes.
fn stage(rest: &str) -> (Space, PathBuf) {
    let space = Space::empty();
    let pids = space.path("pids");
    fs::create_dir(&pids).expect("a folder");
    space.write("layers.toml", target(&pids, rest));
    (space, pids)
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pid(pids: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(pids.join(name)).ok()?;
    text.strip_suffix('\n').map(str::to_owned)
}

/// Neither gone nor a zombie that nobody has asked for.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn start(space: &Space) -> Child {
    let mut command = space.command(PROGRAM);
    command.args(["build", "//:step"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("layerbuild runs")
}

/// The code that layerbuild ends with by itself; `None` for a signal.
fn code(mut child: Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        if begun.elapsed() > LONG {
            child.kill().expect("it runs");
            panic!("it waits for what its command started");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes once all run; then they must end.
fn all_begun(pids: &Path) -> Vec<String> {
    eventually("the command began", || ALL.iter().all(|name| pid(pids, name).is_some_and(|pid| runs(&pid))));
    ALL.iter().filter_map(|name| pid(pids, name)).collect()
}

fn all_ended(started: &[String]) {
    eventually("something still runs", || !started.iter().any(|pid| runs(pid)));
}

#[test]
fn all_that_a_command_started_ends_with_layerbuild_however_that_ends() {
    for (signal, ends) in [(Signal::INT, Some(8)), (Signal::TERM, Some(8)), (Signal::KILL, None)] {
        let (space, pids) = stage("wait\n");
        let child = start(&space);
        let started = all_begun(&pids);
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        assert_eq!(code(child), ends, "{signal:?}");
        all_ended(&started);
        assert_eq!(fs::read_to_string(pids.join("goodbye")).unwrap_or_default(), "said\n", "asked once, {signal:?}");
    }
}

#[test]
fn a_command_dies_with_its_keeper_and_that_is_a_failure() {
    let (space, pids) = stage("wait\n");
    let child = start(&space);
    let started = all_begun(&pids);
    let stat = fs::read_to_string(format!("/proc/{}/stat", started[0])).expect("it runs");
    let keeper =
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok()).and_then(Pid::from_raw);
    kill_process(keeper.expect("a parent"), Signal::KILL).expect("it runs");
    eventually("the command still runs", || !runs(&started[0]));
    // Nobody is left who would know of the others.
    for pid in started[1..].iter().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
        kill_process(pid, Signal::KILL).expect("it runs");
    }
    assert_eq!(code(child), Some(1));
}

#[test]
fn so_it_does_when_the_command_ends_or_takes_too_long() {
    for (rest, ends) in [("cd - >/dev/null; echo x > out/x", 0), ("exit 3", 1), ("kill -KILL $$", 1)] {
        let (space, pids) = stage(&format!(
            "until [ -s stubborn ] && [ -s grandchild ] && [ -s orphan ]; do sleep 0.1; done\n{rest}\n"
        ));
        assert_eq!(code(start(&space)), Some(ends), "{rest}");
        let started: Vec<String> = ALL.iter().filter_map(|name| pid(&pids, name)).collect();
        assert_eq!(started.len(), 4, "{rest}");
        assert!(!started.iter().any(|pid| runs(pid)), "layerbuild ends after all of it: {rest}");
        assert!(!pids.join("goodbye").exists(), "nobody asked it to: {rest}");
    }
    let (space, pids) = stage("wait\n");
    let text = fs::read_to_string(space.path("layers.toml")).expect("a file").replace("10m", "3s");
    space.write("layers.toml", &text);
    assert_eq!(code(start(&space)), Some(1), "it took too long");
    let started: Vec<String> = ALL.iter().filter_map(|name| pid(&pids, name)).collect();
    assert!(started.len() == 4 && !started.iter().any(|pid| runs(pid)), "{started:?}");
}
