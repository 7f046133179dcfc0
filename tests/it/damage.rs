//! A store that was damaged, is newer, locked, full or was left by a killed run: nothing lost, and the same digests.
//!
//! The store is treated as a user's disk would treat it: through its files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::FlockOperation;

use crate::space::{PROGRAM, Ran, Space, digest};
use crate::support::has;

const TARGETS: &str = "[files.a]\nsrcs = [\"src/**\"]\n\n[files.b]\ncontent = { \"/b\" = \"b\" }\n\n\
                       [image.i]\nlayers = [\":a\", \":b\"]\n";

/// A workspace that was built once, and what that gave.
fn built() -> (Space, Ran) {
    let space = Space::with(TARGETS);
    space.write("src/one", "1".repeat(5000));
    space.write("src/two", "2".repeat(5000));
    let first = space.layerbuild("//:i");
    assert_eq!(first.code, 0, "{first:?}");
    (space, first)
}

/// The files below a folder of the store.
fn stored(space: &Space, folder: &str) -> Vec<PathBuf> {
    let mut open = vec![space.cache().join(folder)];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.map(|entry| entry.expect("an entry").path())),
            Err(_) => files.push(path),
        }
    }
    files.sort();
    assert!(!files.is_empty(), "nothing in {folder}");
    files
}

/// Replaces a file of the store, which may be read-only.
fn replace(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    change(&mut bytes);
    fs::remove_file(path).expect("a file");
    fs::write(path, bytes).expect("a file");
}

#[expect(clippy::ptr_arg, reason = "one of several kinds of damage, some of which cut")]
fn flip(bytes: &mut Vec<u8>) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
}

/// Exports the image and has its bytes checked by a second pair of eyes: every digest and size.
fn export(space: &Space) -> Ran {
    let _ = fs::remove_dir_all(space.path("out"));
    let ran = space.layerbuild("export //:i --format oci --to out");
    if ran.code == 0 {
        let found = layerbuild::oci::validate::validate_layout(&space.path("out"));
        assert!(found.is_empty(), "{found:?}");
    }
    ran
}

#[test]
fn a_damaged_blob_is_noticed_at_export_and_built_again() {
    let (space, first) = built();
    for path in stored(&space, "blobs") {
        replace(&path, flip);
        let again = export(&space);
        assert_eq!(again.code, 0, "{}: {again:?}", path.display());
        assert_eq!(space.layerbuild("//:i").stdout, first.stdout);
    }
}

#[test]
fn a_blob_that_is_short_or_gone_is_built_again_with_a_warning() {
    let (space, first) = built();
    for path in stored(&space, "blobs") {
        replace(&path, |bytes| bytes.truncate(10));
        let again = space.layerbuild("//:i");
        assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{}: {again:?}", path.display());
        assert!(again.stderr.contains("warning: "), "{}: {again:?}", path.display());
        fs::remove_file(&path).expect("a file");
        let again = space.layerbuild("//:i");
        assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{}: {again:?}", path.display());
        assert!(again.stderr.contains("warning: "), "{}: {again:?}", path.display());
        assert_eq!(export(&space).code, 0);
    }
}

#[test]
fn damaged_records_are_made_anew_with_a_warning() {
    let (space, first) = built();
    let mut warned = 0;
    for path in stored(&space, "actions") {
        replace(&path, flip);
        let again = space.layerbuild("//:i");
        assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{}: {again:?}", path.display());
        // What an image was made of, for whoever takes it as it was built, is not read by a build.
        let unread = again.stderr.starts_with("0 built, 3 cached");
        assert!(unread || again.stderr.contains("warning: "), "{}: {again:?}", path.display());
        warned += usize::from(!unread);
        let quiet = space.layerbuild("//:i");
        assert!(quiet.stderr.starts_with("0 built, 3 cached"), "said and done once: {quiet:?}");
    }
    assert_eq!(warned, 3, "a record an action");
}

#[test]
fn whatever_memory_is_damaged_or_gone_the_digest_stays() {
    let (space, first) = built();
    for folder in ["chunks", "last", "actions"] {
        for damage in [flip as fn(&mut Vec<u8>), |bytes| bytes.truncate(7), Vec::clear] {
            for path in stored(&space, folder) {
                replace(&path, damage);
            }
            space.write("src/one", "another");
            assert_eq!(space.layerbuild("//:i").code, 0, "{folder}");
            space.write("src/one", "1".repeat(5000));
            let again = space.layerbuild("//:i");
            assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{folder}: {again:?}");
            assert_eq!(space.layerbuild("explain //:i").code, 0, "{folder}");
        }
    }
}

#[test]
fn a_damaged_memory_of_files_costs_hashing_and_a_warning() {
    let (space, first) = built();
    // Files are remembered once they are safely older than their hashing: time is what has to pass.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    space.layerbuild("//:i");
    for path in stored(&space, "snapshots") {
        replace(&path, flip);
    }
    assert_eq!(space.layerbuild("//:i").stdout, first.stdout);
    // A file more: the answer given last does not serve.
    space.write("src/three", "");
    assert_ne!(space.layerbuild("//:i").stdout, first.stdout);
    fs::remove_file(space.path("src/three")).expect("a file");
    for path in stored(&space, "files") {
        replace(&path, flip);
    }
    // Another call than before: what was answered before is answered again without asking for files.
    let again = space.layerbuild("build //:i");
    assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{again:?}");
    assert!(again.stderr.contains("warning: "), "{again:?}");
}

#[test]
fn a_newer_store_is_left_alone() {
    let (space, _) = built();
    replace(&space.cache().join("VERSION"), |bytes| *bytes = b"layerbuild store 99\n".to_vec());
    let before = stored(&space, "");
    let ran = space.layerbuild("//:i");
    assert_eq!(ran.code, 36);
    assert!(ran.stderr.contains("was made by a newer layerbuild (store version 99"), "{ran:?}");
    assert_eq!(stored(&space, ""), before);
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let space = Space::with(TARGETS);
    fs::create_dir(space.cache()).expect("a folder");
    fs::write(space.cache().join("thesis.tex"), "mine").expect("a file");
    let ran = space.layerbuild("//:b");
    assert_eq!(ran.code, 36);
    assert!(ran.stderr.contains("is not a layerbuild store"), "{ran:?}");
    assert_eq!(stored(&space, "").len(), 1);
}

#[test]
fn a_locked_store_ends_a_call_that_does_not_wait_and_the_other_goes_on_once_it_is_free() {
    let (space, first) = built();
    let lock = File::open(space.cache().join("lock")).expect("a lock");
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).expect("the lock");
    let refused = space.layerbuild("--no-wait //:i");
    assert_eq!(refused.code, 9, "{refused:?}");
    assert!(refused.stderr.contains("is locked by another layerbuild"), "{refused:?}");
    let mut waiting = space.command(PROGRAM);
    let mut waiting = waiting.arg("//:i").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("layerbuild");
    let mut line = String::new();
    BufReader::new(waiting.stderr.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "waiting for another layerbuild to release the store\n");
    drop(lock);
    let output = waiting.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), first.stdout);
}

/// A workspace whose build takes a while: several layers, each of several megabytes that compress badly.
fn slow() -> Space {
    let targets: String = (0..6).map(|i| format!("[files.l{i}]\nsrcs = [\"l{i}/**\"]\n\n")).collect();
    let layers: Vec<String> = (0..6).map(|i| format!("\":l{i}\"")).collect();
    let space = Space::with(&format!("{targets}[image.i]\nlayers = [{}]\n", layers.join(", ")));
    let mut state = 1_u64;
    for layer in 0..6 {
        for file in 0..8 {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            };
            space.write(&format!("l{layer}/{file}"), (0..100_000).map(|_| next()).collect::<Vec<u8>>());
        }
    }
    space
}

#[test]
fn a_run_killed_at_any_moment_leaves_a_store_that_the_next_one_can_use() {
    let space = slow();
    let whole = space.layerbuild("//:i");
    let expected = digest(&whole);
    let lines = whole.stderr.lines().count();
    for moment in 0..24 {
        if moment % 8 == 0 {
            fs::remove_dir_all(space.cache()).expect("the store");
        } else if moment % 2 == 0 {
            space.write(&format!("l{}/new", moment % 6), format!("{moment}"));
        }
        kill_at(&space, moment % lines, moment as u64 * 700);
        let again = space.layerbuild("//:i");
        assert_eq!(again.code, 0, "killed at {moment}: {again:?}");
        assert!(!again.stderr.contains("warning"), "killed at {moment}: {again:?}");
        let fresh = Space::with("");
        let mut elsewhere = space.command(PROGRAM);
        let elsewhere = space.output(elsewhere.arg("//:i").env("LAYERBUILD_CACHE_DIR", fresh.cache()));
        assert_eq!(digest(&again), digest(&elsewhere), "killed at {moment}");
        assert_eq!(export(&space).code, 0, "killed at {moment}");
        (0..6).for_each(|layer| _ = fs::remove_file(space.path(&format!("l{layer}/new"))));
    }
    assert_eq!(digest(&space.layerbuild("//:i")), expected);
}

/// Starts a build and kills it some microseconds after a line of its progress.
fn kill_at(space: &Space, line: usize, micros: u64) {
    let mut command = space.command(PROGRAM);
    let mut child =
        command.args(["-j4", "//:i"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("layerbuild");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    (0..line).for_each(|_| _ = lines.next());
    // Not to wait for anything: any moment will do, and this makes it another one each time.
    std::thread::sleep(std::time::Duration::from_micros(micros));
    child.kill().expect("a kill");
    child.wait().expect("an end");
}

#[test]
fn a_full_disk_is_named_and_once_there_is_room_the_build_goes_on() {
    let space = slow();
    let elsewhere = space.layerbuild("//:i");
    let disk = space.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let script = "mount -t tmpfs -o size=1m none disk || exit 1
        LAYERBUILD_CACHE_DIR=disk layerbuild //:i; echo \"code $?\"
        mount -o remount,size=60m disk && LAYERBUILD_CACHE_DIR=disk layerbuild //:i; echo \"code $?\"";
    let ran = space.output(space.command("unshare").args(["-m", "sh", "-c", script]));
    if !may(&ran, "mounting a tmpfs in a namespace of its own") {
        return;
    }
    assert_eq!(ran.stdout, format!("code 36\n{}code 0\n", elsewhere.stdout), "{ran:?}");
    assert!(ran.stderr.contains("the disk is full: cannot write"), "{ran:?}");
}

/// Whether the machine let us set the stage; else it is said, and in CI that is a failure.
fn may(ran: &Ran, what: &str) -> bool {
    let refused = ["not permitted", "denied", "unshare:", "setpriv:"].iter().any(|no| ran.stderr.contains(no));
    if ran.code == 0 || !refused {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI must be able to do it: {ran:?}");
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {what} is not allowed here ***\n");
    false
}

#[test]
fn a_disk_that_is_too_small_for_an_unpacked_archive_is_named() {
    let space = Space::with("[tar.t]\nsrc = \"zeros.tar.gz\"\n");
    fs::create_dir(space.path("disk")).expect("a folder");
    let script = "mount -t tmpfs -o size=1m none disk || exit 1
        truncate -s 4m zeros && tar -czf zeros.tar.gz zeros && rm zeros
        LAYERBUILD_CACHE_DIR=disk layerbuild //:t; echo \"code $?\"";
    let ran = space.output(space.command("unshare").args(["-m", "sh", "-c", script]));
    if may(&ran, "mounting a tmpfs in a namespace of its own") {
        assert_eq!(ran.stdout, "code 36\n", "{ran:?}");
        assert!(ran.stderr.contains("No space left on device"), "{ran:?}");
    }
}

#[test]
fn what_may_not_be_read_or_written_is_named() {
    if !has(&["setpriv"]) {
        return;
    }
    let space = Space::with(TARGETS);
    space.write("src/one", "secret");
    let nobody = |line: &str| {
        let mut command = space.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", PROGRAM]);
        space.output(command.args(line.split(' ')))
    };
    let ran = nobody("//:b");
    if !may(&ran, "becoming another user") {
        return;
    }
    assert_eq!(ran.code, 0, "{ran:?}");
    let forbid = |path: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(space.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    forbid("src/one", 0);
    let ran = nobody("//:a");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("cannot read `src/one`: Permission denied\n") && ran.stderr.contains("--> layers.toml:5:"),
        "{ran:?}"
    );
    forbid("src/one", 0o644);
    forbid("src", 0);
    let ran = nobody("//:a");
    assert!(ran.code == 2 && ran.stderr.contains("cannot read `src`"), "{ran:?}");
    forbid("src", 0o755);
    forbid("layers.toml", 0);
    let ran = nobody("//:a");
    assert!(ran.code == 2 && ran.stderr.contains("layers.toml"), "{ran:?}");
    forbid("layers.toml", 0o644);
    let ran = nobody("--cache-dir /proc/layerbuild //:a");
    assert!(ran.code == 36 && ran.stderr.contains("/proc/layerbuild"), "{ran:?}");
}
