//! `fmt` over files: which it takes, what it writes and what it leaves alone. The style has its tests in `src/toml_format`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use crate::space::{PROGRAM, Ran, Space};

const UGLY: &str = "[files.a]\ncontent={'/a'='a'}# why\n";
const FORMATTED: &str = "[files.a]\ncontent = { '/a' = 'a' }  # why\n";

fn said(ran: &Ran) -> (i32, &str) {
    (ran.code, &ran.stdout)
}

#[test]
fn the_files_of_this_repository_are_formatted() {
    let space = Space::empty();
    let ran = space.run(["-C", env!("CARGO_MANIFEST_DIR"), "fmt", "--check", "-v"]);
    assert_eq!(said(&ran), (0, ""), "{}", ran.stderr);
    let ran = space.layerbuild("init");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(said(&space.layerbuild("fmt --check -v")), (0, ""));
}

#[test]
fn all_files_of_the_workspace_are_formatted_once() {
    let space = Space::with("");
    let files = ["layers.local.toml", "rules/kit.toml", "a/layers.toml", "a/b/layers.toml"];
    space.write("layers.local.toml", "profile='x'\n");
    space.write("rules/kit.toml", "[rule.kit.target.files]\ndest='/x'\n");
    ["a/layers.toml", "a/b/layers.toml"].iter().for_each(|path| space.write(path, UGLY));
    space.write("a/other.toml", UGLY);
    let check = space.layerbuild("fmt --check");
    assert_eq!(said(&check), (3, "a/b/layers.toml\na/layers.toml\nlayers.local.toml\nlayers.toml\nrules/kit.toml\n"));
    assert!(check.stderr.contains("5 of 5 files would change"), "{}", check.stderr);
    assert_eq!(fs::read_to_string(space.path("a/layers.toml")).expect("a file"), UGLY, "--check writes nothing");
    assert_eq!(said(&space.layerbuild("fmt")), (0, &*check.stdout));
    assert_eq!(fs::read_to_string(space.path("a/layers.toml")).expect("a file"), FORMATTED);
    assert_eq!(fs::read_to_string(space.path("a/other.toml")).expect("a file"), UGLY, "no file of ours");
    let inodes = || files.map(|path| fs::metadata(space.path(path)).expect("a file").ino());
    let before = inodes();
    assert_eq!(said(&space.layerbuild("fmt")), (0, ""));
    assert_eq!(inodes(), before, "nothing is written where nothing changes");
}

#[test]
fn patterns_files_and_folders_say_which() {
    let space = Space::with("");
    let paths = ["a/layers.toml", "a/b/layers.toml", "c/layers.toml", "c/other.toml"];
    let listed = |words: &str| {
        paths.iter().for_each(|path| space.write(path, UGLY));
        let ran = space.layerbuild(&format!("fmt --dry-run {words}"));
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{words}");
        assert_eq!(fs::read_to_string(space.path("c/layers.toml")).expect("a file"), UGLY);
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed("//a"), ["a/layers.toml"]);
    assert_eq!(listed("//a/... -//a"), ["a/b/layers.toml", "a/layers.toml"], "one target of it is not the file");
    assert_eq!(listed("//... -//a/..."), ["c/layers.toml", "layers.toml"]);
    assert_eq!(listed("a c/other.toml"), ["a/b/layers.toml", "a/layers.toml", "c/other.toml"]);
    assert_eq!(listed("-C a ../c :all"), ["layers.toml", "[ROOT]/c/layers.toml"]);
    assert_eq!(space.layerbuild("fmt //none").code, 2);
    assert_eq!(space.layerbuild("fmt //none/...").code, 4);
    assert_eq!(space.layerbuild("fmt none").code, 2);
}

#[test]
fn a_broken_file_is_told_and_left_and_the_others_are_formatted() {
    let space = Space::with("");
    space.write("a/layers.toml", "[files.a\ncontent={}\n");
    space.write("b/layers.toml", UGLY);
    space.write("c/layers.toml", b"a = \"\xff\"\n");
    let ran = space.layerbuild("fmt");
    assert_eq!(said(&ran), (2, "b/layers.toml\nlayers.toml\n"));
    assert!(ran.stderr.contains("a/layers.toml:1:8") && ran.stderr.contains("c/layers.toml:1:6"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(space.path("a/layers.toml")).expect("a file"), "[files.a\ncontent={}\n");
    space.write("layers.toml", "[workspace\nname='x'\n");
    let ran = space.layerbuild("fmt");
    assert!(ran.code == 2 && ran.stderr.contains("--> layers.toml:1:"), "a broken root too: {ran:?}");
}

#[test]
fn a_folder_that_can_be_no_package_is_told_and_the_others_are_formatted() {
    let space = Space::with("");
    let odd = [&b"my dir"[..], b"two\nlines", b"no text\xff"].map(|name| space.path("b").join(OsStr::from_bytes(name)));
    for folder in &odd {
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join("layers.toml"), UGLY).expect("a file");
    }
    fs::create_dir(space.path("b").join(OsStr::from_bytes(b"nothing in it\xff"))).expect("a folder");
    for words in ["", "//...", "."] {
        space.write("a/layers.toml", UGLY);
        let ran = space.layerbuild(&format!("fmt {words}"));
        assert!(ran.code == 2 && ran.stdout.starts_with("a/layers.toml\n"), "{words}: {ran:?}");
        for name in ["b/my dir`", "b/two\\nlines`", "b/no text\u{fffd}`"] {
            assert!(ran.stderr.contains(&format!("the folder `[ROOT]/{name} can't be a package")), "{words}: {ran:?}");
        }
        assert_eq!(ran.stderr.matches("error: ").count(), 3, "{ran:?}");
    }
    assert!(odd.iter().all(|folder| fs::read_to_string(folder.join("layers.toml")).expect("a file") == UGLY));
    for words in ["a", "//a/..."] {
        space.write("a/layers.toml", UGLY);
        let ran = space.layerbuild(&format!("fmt {words}"));
        assert_eq!((said(&ran), &*ran.stderr), ((0, "a/layers.toml\n"), ""), "what lies elsewhere is nothing to it");
    }
    let ran = space.run(["fmt", "b/my dir/layers.toml"]);
    assert_eq!((said(&ran), &*ran.stderr), ((0, "b/my dir/layers.toml\n"), ""), "a file is one");
    assert_eq!(space.run(["fmt", "b/my dir"]).code, 2, "a folder of no package is told");
}

#[test]
fn modes_and_links_stay() {
    let space = Space::with("");
    space.write("real.toml", UGLY);
    fs::create_dir(space.path("a")).expect("a folder");
    symlink("../real.toml", space.path("a/layers.toml")).expect("a link");
    fs::set_permissions(space.path("real.toml"), fs::Permissions::from_mode(0o640)).expect("a mode");
    assert_eq!(said(&space.layerbuild("fmt a")), (0, "a/layers.toml\n"));
    assert!(space.path("a/layers.toml").symlink_metadata().expect("a link").is_symlink());
    let metadata = fs::metadata(space.path("real.toml")).expect("a file");
    assert_eq!((metadata.mode() & 0o7777, metadata.len()), (0o640, FORMATTED.len() as u64));
    let entries = |path: &Path| fs::read_dir(path).expect("a folder").count();
    assert_eq!(entries(&space.path("")), 3, "nothing temporary is left");
}

#[test]
fn stdin_is_formatted_to_stdout_outside_of_a_workspace_too() {
    let space = Space::empty();
    let through = |args: &[&str], text: &str| {
        let mut command = space.command(PROGRAM);
        command.arg("fmt").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    assert_eq!(through(&["-"], UGLY), (Some(0), FORMATTED.to_owned()));
    assert_eq!(through(&["-"], "a = \n"), (Some(2), String::new()));
    assert_eq!(through(&["--check", "-"], FORMATTED), (Some(0), String::new()));
    let (code, diff) = through(&["--check", "-v", "-"], UGLY);
    assert_eq!(code, Some(3));
    assert!(diff.contains("-content={'/a'='a'}# why\n+content = { '/a' = 'a' }  # why\n"), "{diff}");
}
