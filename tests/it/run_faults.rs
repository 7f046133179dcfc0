//! Commands of a `run` that misbehave: they reach for what isn't theirs, never end, leave things behind, print too much.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use layerbuild::digest::Digest;

use crate::running::{add_program, failed, workspace};
use crate::sample::{Ended, Sample, tree};
use crate::support::has;

/// Whether any process of the machine has this word in its command line.
fn runs(word: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("processes");
    let lines = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.windows(word.len()).any(|part| part == word.as_bytes()))
}

/// Whether all such processes are gone soon: the system takes a moment to end them.
fn ends(word: &str) -> bool {
    let soon = std::time::Instant::now() + Duration::from_secs(10);
    while runs(word) && std::time::Instant::now() < soon {
        std::thread::sleep(Duration::from_millis(20));
    }
    !runs(word)
}

/// Folders of steps that are left in the store.
fn steps(sample: &Sample) -> usize {
    fs::read_dir(sample.cache.join("steps")).map_or(0, Iterator::count)
}

/// Everything of a store's roots, a line each: mode, owner, time of change and digest of the content.
fn fingerprint(sample: &Sample) -> Vec<String> {
    let line = |(path, content): (PathBuf, Option<Vec<u8>>)| {
        let meta = path.symlink_metadata().expect("it is there");
        let digest = Digest::of(&content.unwrap_or_default());
        format!("{:o} {}:{} {} {digest} {}", meta.mode(), meta.uid(), meta.gid(), meta.ctime(), path.display())
    };
    tree(&sample.cache.join("roots")).into_iter().map(line).collect()
}

#[test]
fn nothing_outside_the_step_is_written() {
    let targets = r#"
        [run.first]
        base = ":base"
        commands = ["test -e /lib2/doc/a"]
        inputs = { "/lib2" = ":root" }
        [run.step]
        base = ":base"
        commands = [
            "! touch /src/in/b && ! rm /src/in/a.txt && ! chmod 777 /src/in",
            "! echo x > /src/in/a.txt && ! echo x > /lib2/doc/a && ! ln /lib2/doc/a /linked",
            "echo x > /doc/a; chmod 777 /bin/sh; chown 7:7 /etc/passwd; rm /doc/b; mkdir /../../outside",
            "! ls HERE && test ! -e /sys/kernel && test ! -e /proc/1/root/doc",
            "! echo x > /proc/sys/kernel/hostname && ! chmod 777 /proc/sys",
            "! mknod /dev/disk b 259 0 && ! mknod /node c 1 1 && ! mknod /gone c 0 0",
            "! mount -t tmpfs none /doc && ! mount -o remount,rw /src",
        ]
        inputs = { "/src" = ["in/*.txt"], "/lib2" = ":root" }
    "#;
    let Some(sample) = workspace(targets) else { return };
    ["mknod", "mount"].iter().for_each(|name| add_program(&sample, name));
    sample.replace("p/layers.toml", "HERE", sample.folder().to_str().expect("UTF-8"));
    sample.write("p/in/a.txt", "from the workspace\n");
    sample.run(&["build", "//p:first"]);
    let before = fingerprint(&sample);
    let listed = sample.run(&["ls", "//p:step"]).out;
    let paths: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(paths, ["/bin", "/bin/sh", "/doc", "/doc/a", "/etc", "/etc/passwd", "/outside"], "{listed}");
    assert_eq!(before, fingerprint(&sample), "the store's roots changed");
    assert!(before.len() > 20 && !Path::new("/outside").exists());
    assert_eq!(fs::read(sample.path("p/in/a.txt")).expect("a file"), b"from the workspace\n");
}

#[test]
fn a_socket_that_is_left_behind_is_named_and_can_be_ignored() {
    let socket = "socket(S, 1, 1, 0); bind(S, pack(\\\"S a*\\\", 1, \\\"/run/it\\\")) or die $!";
    let targets = format!(
        "[run.step]\nbase = \":base\"\ncommands = [\"mkdir -p /run; echo x > /kept\", [\"perl\", \"-e\", \"{socket}\"]]\n"
    );
    let Some(sample) = workspace(&targets).filter(|_| has(&["perl"])) else { return };
    add_program(&sample, "perl");
    let error = failed(&sample, "//p:step").err;
    assert!(error.contains("/run/it is a socket, which no layer can hold") && error.contains("`ignore`"), "{error}");
    sample.replace("p/layers.toml", "[run.step]", "[run.step]\nignore = [\"/run/**\"]");
    let listed = sample.run(&["ls", "//p:step"]).out;
    assert!(listed.contains("/kept") && !listed.contains("/run/it"), "{listed}");
}

#[test]
fn what_commands_leave_running_ends_with_them() {
    // 63 processes that nobody waits for, in a session of their own.
    let targets = r#"
        [run.step]
        base = ":base"
        commands = [
            "f() { if test $1 -gt 0; then f $(($1 - 1)) & f $(($1 - 1)) & fi; exec sleep 86391; }; (setsid sleep 86391 &); f 5 &",
            "while test $(grep -l 86391 /proc/[0-9]*/cmdline 2>/dev/null | grep -c .) -lt 63; do sleep 0.05; done",
        ]
    "#;
    let Some(sample) = workspace(targets) else { return };
    add_program(&sample, "setsid");
    sample.run(&["build", "//p:step"]);
    assert!(ends("86391"), "it still runs");
    assert_eq!(steps(&sample), 0);
}

#[test]
fn commands_may_print_what_and_as_much_as_they_want() {
    let targets = r#"
        [run.much]
        base = ":base"
        commands = ["yes a line of sixty-four bytes that is printed a great many times over... | head -n 2000000"]
        [run.closed]
        base = ":base"
        commands = ["exec >&- 2>&-; echo x > /after; true"]
        [run.bytes]
        base = ":base"
        commands = ["dd if=/dev/urandom bs=64k count=4 2>/dev/null; printf '\\nfine\\033[31m\\n\\000\\a'; exit 3"]
    "#;
    let Some(sample) = workspace(targets) else { return };
    ["yes", "head", "dd"].iter().for_each(|name| add_program(&sample, name));
    let peak = peak_memory(sample.command(&["build", "//p:much"]));
    assert!(peak < 200_000, "{peak} kB for 140 MB of output");
    let closed = sample.run(&["ls", "//p:closed"]).out;
    assert!(closed.contains(" 2  /after"), "{closed}");
    let bytes = failed(&sample, "//p:bytes").err;
    assert!(bytes.contains("exit status: 3") && bytes.contains("| fine"), "{bytes}");
    assert!(!bytes.chars().any(|it| it.is_control() && it != '\n' && it != '\t'), "a terminal would be commanded");
}

/// The most memory that a command's own process had at once (kB). It must succeed.
fn peak_memory(mut command: Command) -> u64 {
    let mut child = command.stderr(std::process::Stdio::null()).spawn().expect("it starts");
    let (status, mut peak) = (format!("/proc/{}/status", child.id()), 0);
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = line.unwrap_or(peak).max(peak);
        if let Some(ended) = child.try_wait().expect("it can be asked for") {
            assert!(ended.success());
            return peak;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_asks_for_other_hosts_is_told_that_there_is_no_network() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = [["perl", "-e", "gethostbyname('registry.example') or die qq(Temporary failure resolving 'registry.example')"]]
        [run.other]
        base = ":base"
        commands = ["echo a test failed; exit 1"]
    "#;
    let Some(sample) = workspace(targets).filter(|_| has(&["perl"])) else { return };
    add_program(&sample, "perl");
    let error = failed(&sample, "//p:step").err;
    assert!(error.contains("no network unless the target says `network = true`"), "{error}");
    let other = failed(&sample, "//p:other").err;
    assert!(!other.contains("network"), "{other}");
}

#[test]
fn two_builds_of_one_step_at_once_give_the_same_and_leave_nothing() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = ["sleep 0.2; echo x > /x; rm -r /doc"]
    "#;
    let Some(sample) = workspace(targets) else { return };
    let start = || sample.command(&["build", "//p:step"]).spawn().expect("it starts");
    let ended =
        [start(), start(), start()].map(|child| Ended::from(child.wait_with_output().expect("it ends")).success());
    assert!(ended[0].out.contains("sha256:") && ended.iter().all(|other| other.out == ended[0].out), "{ended:?}");
    assert_eq!(steps(&sample), 0);
}

#[test]
fn a_build_killed_at_any_moment_leaves_a_store_that_the_next_one_uses() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = ["(sleep 86392 &) ; echo x > /x; chown 50000:7 /x", "rm -r /doc; mkdir -p /srv/a", "sleep 0.1"]
        [run.later]
        base = [":root", ":step"]
        commands = ["test -e /x && test ! -e /doc && echo y > /y"]
    "#;
    let (Some(sample), Some(other)) = (workspace(targets), workspace(targets)) else { return };
    let began = std::time::Instant::now();
    let whole = other.run(&["build", "//p:later"]).out;
    let time = began.elapsed();
    for number in 1..=20u32 {
        let mut child = sample.command(&["build", "//p:later"]).spawn().expect("it starts");
        // Moments that differ from run to run are the point; the whole time is gone through.
        std::thread::sleep(time * number / 20);
        child.kill().and_then(|()| child.wait()).expect("it ends");
        if number % 4 == 0 {
            let _ = fs::remove_dir_all(sample.cache.join("actions"));
        }
    }
    assert_eq!(sample.run(&["build", "//p:later"]).out, whole);
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!mounts.contains(sample.cache.to_str().expect("UTF-8")), "{mounts}");
    assert!(ends("86392"), "it still runs");
    // Other runs clear away what the killed left, once the kernel has let go of their mounts.
    let mut command = "echo y > /y".to_owned();
    let cleared = (0..20).any(|round| {
        let next = format!("echo {round} > /z");
        sample.replace("p/layers.toml", &command, &next);
        command = next;
        sample.run(&["build", "//p:later"]);
        steps(&sample) == 0
    });
    assert!(cleared, "{} are left over", steps(&sample));
}
