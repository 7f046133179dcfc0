//! `affected` of files that git writes to disk as something else than it holds: line ends, encodings, filters. What counts
//! is what a checkout of the revision would give, whatever git's index says of the file on disk.

use std::collections::BTreeMap;
use std::fs;

use crate::affected::{asked, causes, commit, committed, git};
use crate::space::Space;

/// File endings, and the attributes that files with these have.
const KINDS: [(&str, &str); 14] = [
    ("crlf", "text eol=crlf"),
    ("lf", "text eol=lf"),
    ("eol", "eol=crlf"),
    ("auto", "text=auto"),
    ("autocrlf", "text=auto eol=crlf"),
    ("text", "text"),
    ("not", "-text"),
    ("binary", "binary"),
    ("old", "crlf"),
    ("oldnot", "-crlf"),
    ("ident", "ident"),
    ("rot", "filter=rot"),
    ("u16", "text working-tree-encoding=UTF-16LE eol=crlf"),
    ("plain", ""),
];

const TEXT: &str = "one\n$Id$\ntwo\n";

/// As a file of a kind has a text.
fn bytes(kind: &str, text: &str) -> Vec<u8> {
    match kind {
        "u16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.into(),
    }
}

fn write(space: &Space, text: &str) {
    KINDS.iter().for_each(|(kind, _)| fs::write(space.path(&path(kind)), bytes(kind, text)).expect("a file"));
}

/// Of one kind a path that git can be told by its own line only.
fn path(kind: &str) -> String {
    if kind == "eol" { format!(" x.{kind}") } else { format!("d x/x.{kind}") }
}

/// A workspace with a target for each kind of file, committed under a setting of git's and checked out anew.
fn checked_out(setting: &str) -> Option<Space> {
    let target = |(kind, _): &(&str, &str)| format!("[files.{kind}]\nsrcs = [\"{}\"]\n", path(kind));
    let attributes: String = KINDS.iter().map(|(kind, said)| format!("*.{kind} {said}\n")).collect();
    let targets: String = KINDS.iter().map(target).collect();
    let space = committed(&targets, &[(".gitattributes", &attributes), ("d x/keep", "")])?;
    ["filter.rot.clean", "filter.rot.smudge"].iter().for_each(|key| configure(&space, key, "tr a-z n-za-m"));
    if let Some((key, value)) = setting.split_once('=') {
        configure(&space, key, value);
    }
    write(&space, TEXT);
    commit(&space);
    KINDS.iter().for_each(|(kind, _)| fs::remove_file(space.path(&path(kind))).expect("gone"));
    git(&space, "checkout -q .");
    Some(space)
}

fn configure(space: &Space, key: &str, value: &str) {
    assert_eq!(space.output(space.command("git").args(["config", key, value])).code, 0);
}

fn on_disk(space: &Space) -> BTreeMap<String, Vec<u8>> {
    let read = |(kind, _): &(&str, &str)| (format!("//:{kind}"), fs::read(space.path(&path(kind))).expect("a file"));
    KINDS.iter().map(read).collect()
}

fn affected(space: &Space) -> Vec<String> {
    let ran = space.layerbuild("-q affected --since HEAD");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn what_a_checkout_would_give_counts_and_not_what_git_says_of_the_disk() {
    let mut seen = 0;
    for setting in ["", "core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"] {
        let Some(space) = checked_out(setting) else { return };
        let checked_out = on_disk(&space);
        assert_eq!(affected(&space), [""; 0], "{setting}: a fresh checkout");
        for (name, text) in [
            ("LF", TEXT.to_owned()),
            ("CRLF", TEXT.replace('\n', "\r\n")),
            ("edited", format!("{TEXT}three\n")),
            ("edited CRLF", format!("{TEXT}three\n").replace('\n', "\r\n")),
        ] {
            write(&space, &text);
            let differs = |(label, is): (String, Vec<u8>)| (checked_out[&label] != is).then_some(label);
            let expected: Vec<String> = on_disk(&space).into_iter().filter_map(differs).collect();
            assert_eq!(affected(&space), expected, "{setting}: {name}");
            // Now git knows the files by their stats, too.
            git(&space, "add -A");
            assert_eq!(affected(&space), expected, "{setting}: {name}, added");
            git(&space, "reset -q");
            seen += expected.len();
        }
    }
    assert!(seen > 150, "{seen}");
}

#[test]
fn the_attributes_are_those_of_the_revision_and_no_others() {
    let Some(space) = committed("[files.f]\nsrcs = [\"p/a\"]\n", &[("p/a", "1\n"), ("p/b", "1\n")]) else { return };
    // Attributes that git doesn't know yet make it say that nothing has changed.
    space.write("p/.gitattributes", "a text eol=crlf\n");
    space.write("p/a", "1\r\n");
    assert_eq!(causes(&space, "--since HEAD"), ["//:f file p/a changed"]);
    space.write("p/a", "1\n");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    commit(&space);
    assert_eq!(causes(&space, "--since HEAD"), ["//:f file p/a changed"], "a checkout would now give CRLF");
    assert_eq!(causes(&space, "--since HEAD~1"), [""; 0], "and then gave LF");
    space.write("p/a", "1\r\n");
    space.write("p/.gitattributes", "a -text\n");
    let (said, told) = asked(&space, "--since HEAD");
    assert_eq!((said, told.contains("warning")), (Vec::new(), false), "{told}");
    fs::remove_file(space.path("p/.gitattributes")).expect("gone");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    commit(&space);
    assert_eq!(causes(&space, "--since HEAD"), [""; 0], "LF is committed as it is: no attribute says otherwise");
    assert_eq!(causes(&space, "--since HEAD --until HEAD~1"), [""; 0]);
    assert_eq!(causes(&space, "--since HEAD --until HEAD~2").len(), 1);
}

#[test]
fn what_is_on_disk_as_an_earlier_setting_of_gits_left_it_is_no_checkout_of_now() {
    let Some(space) = committed("[files.f]\nsrcs = [\"a\"]\n", &[("a", "1\n")]) else { return };
    configure(&space, "core.autocrlf", "true");
    fs::remove_file(space.path("a")).expect("gone");
    git(&space, "checkout -q .");
    assert_eq!(fs::read(space.path("a")).expect("a file"), b"1\r\n");
    // Younger than the index it would be read by git; now its stat is known.
    std::thread::sleep(std::time::Duration::from_millis(50));
    space.write("a", "1\r\n");
    std::thread::sleep(std::time::Duration::from_millis(50));
    git(&space, "add a");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    git(&space, "config core.autocrlf false");
    assert_eq!(causes(&space, "--since HEAD"), ["//:f file a changed"]);
}

#[test]
fn attributes_of_the_machine_and_of_the_clone_count_and_filters_run_where_a_checkout_runs_them() {
    let Some(space) =
        committed("[files.f]\nsrcs = [\"a\"]\n[files.g]\nsrcs = [\"b\"]\n", &[("a", "1\n"), ("b", "1\n")])
    else {
        return;
    };
    space.write(".git/info/attributes", "a text eol=crlf\n");
    assert_eq!(causes(&space, "--since HEAD"), ["//:f file a changed"]);
    space.write("a", "1\r\n");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    space.write("../home/.config/git/attributes", "b filter=of-this-repository\n");
    space.write("smudge", "#!/bin/sh\ntr 1 2\n");
    configure(&space, "filter.of-this-repository.smudge", "sh ./smudge");
    configure(&space, "filter.of-this-repository.clean", "tr 2 1");
    assert_eq!(causes(&space, "--since HEAD"), ["//:g file b changed"]);
    space.write("b", "2\n");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    configure(&space, "filter.of-this-repository.required", "true");
    fs::remove_file(space.path("smudge")).expect("gone");
    let said = causes(&space, "--since HEAD");
    assert!(said.len() == 1 && said[0].contains("not known") && said[0].contains("git checkout"), "{said:?}");
}

/// As `git lfs install` sets it up, with one file whose content is at hand.
#[test]
fn what_lfs_keeps_is_the_same_whether_it_was_fetched_or_not() {
    let content = "large content";
    let digest = layerbuild::digest::Digest::of(content.as_bytes());
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid {digest}\nsize {}\n", content.len());
    let Some(space) = committed("[files.f]\nsrcs = [\"large\"]\n", &[("pointer", &pointer)]) else { return };
    configure(&space, "filter.lfs.clean", "cat pointer");
    configure(&space, "filter.lfs.smudge", "cat");
    space.write(".gitattributes", "large filter=lfs\n");
    space.write("large", &pointer);
    commit(&space);
    let since_head = || asked(&space, "--since HEAD");
    for (text, is) in [("not fetched", &*pointer), ("fetched", content)] {
        space.write("large", is);
        assert_eq!(since_head().0, [""; 0], "{text}");
        git(&space, "add large");
        let (said, told) = since_head();
        assert_eq!((said, told.contains("warning")), (Vec::new(), false), "{text}, added: {told}");
    }
    configure(&space, "filter.lfs.clean", "cat");
    space.write("large", "other content");
    let (said, told) = since_head();
    assert_eq!(said, ["//:f file large changed"]);
    assert!(told.contains("LFS keeps the content of `large`"), "{told}");
}
