//! `run` on machines that lack something: space, user namespaces, subordinate ids, a file system that an overlay takes.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use crate::running::{add_program, user_with_subordinate_ids, workspace};
use crate::sample::{Ended, Sample, program_for_all, tree};
use crate::support::{has, skip};

const STEP: &str = r#"
    [run.step]
    base = ":base"
    commands = ["echo x > /x"]
"#;

/// A script run with the program, the workspace and the store as `$1 -C $2 --cache-dir $3`, in a mount namespace of its own.
fn script(sample: &Sample, options: &[&str], text: &str) -> Option<Ended> {
    if !rustix::process::getuid().is_root() || !has(&["unshare", "mount"]) {
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(options)
        .args(["sh", "-c", text, "sh"])
        .arg(crate::sample::program())
        .arg(&sample.root)
        .arg(&sample.cache);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/nowhere");
    let ended = Ended::of(command);
    let refused = ["not permitted", "denied", "mount:"].iter().any(|no| ended.err.contains(no));
    if ended.code == Some(77) && refused {
        skip(&format!("this machine does not let us set the stage: {}", ended.err));
        return None;
    }
    Some(ended)
}

#[test]
fn a_disk_that_a_command_fills_is_named_and_once_there_is_room_the_build_goes_on() {
    let targets = r#"
        [run.step]
        base = ":base"
        commands = ["dd if=/dev/zero of=/big bs=1M count=40 && cat /big > /again && rm /again"]
        compression = "none"
    "#;
    let Some(sample) = workspace(targets) else { return };
    add_program(&sample, "dd");
    fs::create_dir(&sample.cache).expect("a folder");
    let text = r#"
        mount -t tmpfs -o size=50m none "$3" || exit 77
        build() { "$1" -C "$2" --cache-dir "$3" build //p:step; echo "code $?"; }
        build "$@"; ls "$3/steps"
        # Room for what commands write, and for what came of it not.
        mount -o remount,size=110m none "$3" && build "$@"
        mount -o remount,size=250m none "$3" && build "$@"
    "#;
    let Some(ended) = script(&sample, &["-m"], text) else { return };
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(&lines[..2], ["code 36", "code 36"], "{ended:?}");
    assert!(lines[2].starts_with("//p:step sha256:") && lines[3] == "code 0" && lines.len() == 4, "{ended:?}");
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    assert_eq!(ended.err.matches("the disk is full").count(), 2, "{}", ended.err);
}

#[test]
fn a_layer_that_has_no_room_to_be_laid_out_is_named() {
    let Some(sample) = workspace(STEP) else { return };
    sample.write("p/root/zeros", vec![0; 30 << 20]);
    fs::create_dir(&sample.cache).expect("a folder");
    let text = r#"
        mount -t tmpfs -o size=50m none "$3" || exit 77
        "$1" -C "$2" --cache-dir "$3" build //p:step; echo "code $?"; ls "$3/steps"
    "#;
    let Some(ended) = script(&sample, &["-m"], text) else { return };
    assert_eq!(ended.out, "code 36\n", "{ended:?}");
    assert!(ended.err.contains("cannot unpack /") && ended.err.contains("free some space"), "{}", ended.err);
}

#[test]
fn user_namespaces_that_are_switched_off_are_named() {
    let Some(sample) = workspace(STEP) else { return };
    // In a namespace of the test's own: the limit is that of its children.
    let text = r#"
        echo 0 > /proc/sys/user/max_user_namespaces || exit 77
        "$1" -C "$2" --cache-dir "$3" build //p:step; echo "code $?"
    "#;
    let Some(ended) = script(&sample, &["--user", "--map-root-user"], text) else { return };
    assert_eq!(ended.out, "code 36\n", "{ended:?}");
    for part in ["cannot make a user namespace", "sysctl user.max_user_namespaces="] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
}

#[test]
fn an_owner_that_is_not_to_be_given_away_is_named() {
    let Some(sample) = workspace(STEP) else { return };
    sample.replace("p/layers.toml", "dirs = {", "owner = \"50000:7\"\ndirs = {");
    let text = r#""$1" -C "$2" --cache-dir "$3" build //p:step; echo "code $?""#;
    let Some(ended) = script(&sample, &["--user", "--map-root-user"], text) else { return };
    assert_eq!(ended.out, "code 36\n", "{ended:?}");
    assert!(ended.err.contains("cannot unpack /") && ended.err.contains("beyond the ids"), "{}", ended.err);
}

#[test]
fn a_store_on_an_overlay_is_named() {
    let Some(sample) = workspace(STEP) else { return };
    for name in ["cache", "lower", "upper", "work"] {
        fs::create_dir_all(sample.folder().join(name)).expect("a folder");
    }
    let text = r#"
        cd "$3/.." && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none "$3" || exit 77
        "$1" -C "$2" --cache-dir "$3" build //p:step; echo "code $?"
    "#;
    let Some(ended) = script(&sample, &["-m"], text) else { return };
    assert_eq!(ended.out, "code 36\n", "{ended:?}");
    assert!(ended.err.contains("the store must not lie on an overlay itself"), "{}", ended.err);
}

#[test]
fn a_user_without_subordinate_ids_or_the_program_that_gives_them_is_told_so() {
    let Some(sample) = workspace(STEP) else { return };
    if !rustix::process::getuid().is_root() || !has(&["setpriv"]) {
        return;
    }
    let program = program_for_all(sample.folder());
    let by = |uid: u32, path: &str| {
        let owned = tree(sample.folder()).into_keys().filter(|path| *path != program);
        owned.for_each(|path| std::os::unix::fs::lchown(path, Some(uid), Some(uid)).expect("a new owner"));
        let mut command = Command::new("/usr/bin/setpriv");
        command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()]).arg(&program);
        command.arg("-C").arg(&sample.root).arg("--cache-dir").arg(&sample.cache).args(["build", "//p:step"]);
        Ended::of({
            command.env_clear().env("HOME", "/nowhere").env("PATH", path);
            command
        })
    };
    let nobody = by(54_321, "/usr/bin:/bin");
    assert_eq!(nobody.code, Some(36), "{}", nobody.err);
    for part in ["subordinate ids for 54321 in /etc/subuid and /etc/subgid", "usermod --add-subuids"] {
        assert!(nobody.err.contains(part), "{}", nobody.err);
    }
    let Some((uid, _)) = user_with_subordinate_ids() else {
        skip("no user with lines in /etc/subuid and /etc/subgid");
        return;
    };
    chown(&program, Some(0), Some(0)).expect("root's");
    let without = by(uid, "/nowhere");
    assert_eq!(without.code, Some(36), "{}", without.err);
    assert!(without.err.contains("newuidmap") && without.err.contains("package uidmap"), "{}", without.err);
}
