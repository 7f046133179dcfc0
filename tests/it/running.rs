//! `run` and `shell` with real namespaces: what commands see, what they leave behind, who may run them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sample::{ALL, Ended, Sample};
use crate::support::{has, skip};

/// The machine's programs that the base has, with the libraries that they load.
const PROGRAMS: [&str; 14] =
    ["sh", "cat", "chmod", "chown", "echo", "grep", "id", "ln", "ls", "mkdir", "rm", "sleep", "stat", "touch"];

const BASE: &str = r#"
    [files.root]
    srcs = ["root/**"]
    dirs = { "/tmp" = { mode = "1777" }, "/proc" = {} }
    content = { "/etc/passwd" = "root:x:0:0::/root:/bin/sh\n", "/doc/a" = "a", "/doc/b" = "b" }
    [image.base]
    layers = [":root"]
    env = { PATH = "/bin", GREETING = "hello" }
"#;

/// A workspace with a base and these targets; `None` where this machine can't run commands.
pub fn workspace(targets: &str) -> Option<Sample> {
    if !has(&["ldd", "sh"]) || !namespaces() {
        return None;
    }
    let sample = Sample::of_texts(&[("p/layers.toml", &format!("{BASE}{targets}"))]);
    PROGRAMS.iter().for_each(|name| add_program(&sample, name));
    Some(sample)
}

/// Puts a program of the machine into the base.
pub fn add_program(sample: &Sample, name: &str) {
    let program = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
    let program = program.iter().find(|path| path.exists()).expect("a program of every machine");
    copy(program, &sample.path(&format!("p/root/bin/{name}")));
    libraries(program).iter().for_each(|library| {
        copy(library, &sample.path(&format!("p/root{}", library.display())));
    });
}

pub fn namespaces() -> bool {
    let tried = Command::new("unshare").args(["--user", "--mount", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()) || skip("no user namespaces on this machine")
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
    fs::copy(from, to).expect("a copy");
}

pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

pub fn failed(sample: &Sample, label: &str) -> Ended {
    let ended = Ended::of(sample.command(&["build", label]));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    ended
}

#[test]
fn what_commands_change_becomes_a_layer_and_what_they_only_see_does_not() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = [
            "cat /src/in/a.txt > /new; echo $GREETING $MORE >> /new; ! touch /src/in/b",
            ["rm", "/doc/a"],
            "echo noise > /tmp/log; mkdir -p /deep/er; echo cached > /cache/x",
            "touch /etc/passwd /etc/hosts 2>/dev/null; chown 50000:7 /new; chmod 4750 /new",
        ]
        env = { MORE = "$GREETING again" }
        inputs = { "/src" = ["in/*.txt"], "/lib2" = ":root" }
        caches = { "/cache" = "some" }
        ignore = ["/tmp/**"]
        [run.later]
        base = ":base"
        commands = ["cat /cache/x > /from-cache"]
        caches = { "/cache" = "some" }
        inputs = { "/after" = ":step" }
        [image.app]
        base = ":base"
        layers = [":step", ":later"]
    "#;
    let Some(sample) = workspace(targets) else { return };
    sample.write("p/in/a.txt", "from the workspace\n");
    let listed = sample.run(&["ls", "//p:step"]).out;
    let paths: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(paths, ["/deep", "/deep/er", "/doc", "/new"], "{listed}");
    assert!(listed.contains("-rwsr-x---  50000:7") && listed.contains(" 37  /new"), "{listed}");
    let image = sample.run(&["ls", "//p:app"]).out;
    assert!(image.contains("/doc/b") && !image.contains("/doc/a"), "{image}");
    assert!(image.contains("/from-cache"), "{image}");
    assert!(fs::read_dir(sample.cache.join("steps")).expect("a folder").next().is_none(), "something is left over");
}

#[test]
fn commands_are_alone_without_network_and_with_few_rights() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = [
            "test $(grep -c : /proc/net/dev) = 1",
            "grep -q 'NoNewPrivs:.1' /proc/self/status",
            "grep -q 'CapEff:.00000000a80425fb' /proc/self/status",
            "! cat /proc/1/environ /proc/1/exe 2>/dev/null",
            "! echo b 2>/dev/null > /proc/sysrq-trigger",
            "! echo x 2>/dev/null > /proc/sys/kernel/core_pattern",
            "test ! -e /dev/sda && test ! -e /dev/vda && test ! -e /dev/mem",
            "test $(ls -d /proc/[0-9]* | grep -c .) -lt 6",
            "test $(id -u) = 0 && test $HOME = /root && test -z $LAYERBUILD_SECRET",
        ]
        [run.user]
        base = ":base"
        user = "7:8"
        commands = ["test $(id -u):$(id -g) = 7:8", "grep -q 'CapEff:.0000000000000000' /proc/self/status", "! touch /x"]
    "#;
    let Some(sample) = workspace(targets) else { return };
    let mut command = sample.command(&["build", ALL]);
    command.env("LAYERBUILD_SECRET", "x");
    Ended::of(command).success();
}

#[test]
fn several_dozen_layers_are_one_root_file_system() {
    let layers: String = (0..60).map(|n| format!("[files.l{n}]\ncontent = {{ \"/n/{n}\" = \"{n}\" }}\n")).collect();
    let labels: Vec<String> =
        std::iter::once("\":root\"".to_owned()).chain((0..60).map(|n| format!("\":l{n}\""))).collect();
    let step = format!("[run.step]\nbase = [{}]\ncommands = [\"ls /n | grep -c . > /count\"]\n", labels.join(", "));
    let Some(sample) = workspace(&format!("{layers}{step}")) else { return };
    let listed = sample.run(&["ls", "//p:step"]).out;
    assert!(listed.contains(" 3  /count"), "{listed}");
}

/// An account of this machine that may run commands without being root: user and group.
pub fn user_with_subordinate_ids() -> Option<(u32, u32)> {
    let lines = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let owners = |path: &str| {
        lines(path).lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    let (uids, gids) = (owners("/etc/subuid"), owners("/etc/subgid"));
    lines("/etc/passwd").lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let name = (*fields.first()?).to_owned();
        (uids.contains(&name) && gids.contains(&name))
            .then(|| Some((fields[2].parse().ok()?, fields[3].parse().ok()?)))?
    })
}

#[test]
fn a_command_that_fails_says_which_what_it_printed_and_how_to_get_there() {
    let targets = r#"
        [run.fails]
        base = ":base"
        commands = ["echo first", "echo out; echo err >&2; exit 3", "echo never"]
        [run.missing]
        base = ":base"
        commands = [["no-such-program", "-x"]]
        [run.slow]
        base = ":base"
        commands = ["echo first", "echo so far; sleep 86400", "echo never"]
        timeout = "1s"
    "#;
    let Some(sample) = workspace(targets) else { return };
    let error = failed(&sample, "//p:fails").err;
    for part in ["command 2 of 3", "exit status: 3", "| first", "| out", "| err", "layerbuild shell //p:fails --at 2"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("never"), "{error}");
    assert!(failed(&sample, "//p:missing").err.contains("no program `no-such-program`"));
    let slow = failed(&sample, "//p:slow").err;
    for part in ["command 2 of 3", "longer than the `timeout` of 1s for all commands", "| so far", "--at 2"] {
        assert!(slow.contains(part), "{part}: {slow}");
    }
}

#[test]
fn a_shell_opens_where_a_command_begins_and_changes_nothing() {
    let targets = "[run.step]\nbase = \":base\"\ncommands = [\"echo one > /one\", \"exit 1\"]\n";
    let Some(sample) = workspace(targets) else { return };
    let shell = |arguments: &[&str], text: &str| {
        let mut command = sample.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        Ended::from(child.wait_with_output().expect("it ends"))
    };
    let at_two = shell(&["shell", "//p:step", "--at", "2"], "cat /one; echo $GREETING; touch /lost\n");
    assert_eq!((at_two.code, at_two.out.as_str()), (Some(0), "one\nhello\n"), "{}", at_two.err);
    let again = shell(&["shell", "//p:base"], "ls / | grep -c lost\n");
    assert_eq!(again.out, "0\n", "{}", again.err);
    let beyond = shell(&["shell", "//p:step", "--at", "4"], "");
    assert!(beyond.code == Some(2) && beyond.err.contains("has 2 commands"), "{}", beyond.err);
}

#[test]
fn explain_names_the_command_that_changed() {
    let targets = "[run.step]\nbase = \":base\"\ncommands = [\"echo one > /one\", \"echo two > /two\"]\n";
    let Some(sample) = workspace(targets) else { return };
    sample.run(&["build", "//p:step"]);
    sample.replace("p/layers.toml", "echo two >", "echo three >");
    let told = sample.run(&["explain", "//p:step"]).out;
    assert!(told.contains("command 2") && !told.contains("command 1 "), "{told}");
}

#[test]
fn what_a_build_started_ends_when_it_is_killed() {
    let targets = "[run.step]\nbase = \":base\"\ncommands = [\"echo begun; sleep 86399\"]\n";
    let Some(sample) = workspace(targets) else { return };
    let mut build = sample.command(&["-v", "build", "//p:step"]).spawn().expect("it starts");
    let lines = BufReader::new(build.stderr.take().expect("a pipe")).lines();
    // The command itself is asked for: to come so far the sandbox stands.
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("| begun")), "the command never began");
    build.kill().and_then(|()| build.wait()).expect("it is killed");
    let runs = || {
        let commands = fs::read_dir("/proc")
            .expect("processes")
            .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        commands.into_iter().any(|line| line.windows(5).any(|part| part == b"86399"))
    };
    assert!((0..100_000).any(|_| !runs()), "it still runs");
    // The next run clears away what was left.
    sample.replace("p/layers.toml", "sleep 86399", "echo done");
    sample.run(&["build", "//p:step"]);
    let left = fs::read_dir(sample.cache.join("steps"))
        .expect("a folder")
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    assert_eq!(left.count(), 0);
}
