//! The folders of `tests/cases`: a workspace, command lines, and what a user sees of them.
//!
//! `in/` is copied as the workspace; each line of `cmd` is run by `sh` in it, `layerbuild` on its PATH. With
//! `UPDATE_CASES=1` what was seen is written to `stdout`, `stderr` and `code` instead of compared: look at the diff.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::space::{Ran, Space};

const FILES: [&str; 3] = ["stdout", "stderr", "code"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/cases");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_gives_what_it_gave() {
    let wrong: Vec<String> = cases().par_iter().filter_map(|case| run(case)).collect();
    assert!(
        wrong.is_empty(),
        "{} cases differ (UPDATE_CASES=1 takes what they give now)\n{}",
        wrong.len(),
        wrong.concat()
    );
}

#[test]
fn no_case_lacks_its_files() {
    assert!(cases().len() >= 30, "cases went missing");
    for case in cases() {
        assert!(case.join("in").is_dir(), "{} has no folder `in`", case.display());
        for file in ["cmd"].iter().chain(&FILES) {
            assert!(case.join(file).is_file(), "{} has no file `{file}`", case.display());
        }
        let known = |name: &str| ["in", "cmd"].iter().chain(&FILES).any(|known| *known == name);
        for entry in fs::read_dir(&case).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            assert!(name.to_str().is_some_and(known), "{} holds {name:?}, which nothing reads", case.display());
        }
    }
}

/// Runs a case; what differs, as text.
fn run(case: &Path) -> Option<String> {
    let seen = seen(case);
    if std::env::var_os("UPDATE_CASES").is_some_and(|value| value == "1") {
        FILES.iter().zip(&seen).for_each(|(file, text)| fs::write(case.join(file), text).expect("a file"));
        return None;
    }
    let mut told = String::new();
    for (file, seen) in FILES.iter().zip(&seen) {
        let expected = fs::read_to_string(case.join(file)).unwrap_or_default();
        if expected != *seen {
            let _ = writeln!(told, "\n--- {}/{file}\n{}", case.display(), diff(&expected, seen));
        }
    }
    (!told.is_empty()).then_some(told)
}

/// What each of [`FILES`] should hold. Where there are several commands, each one's part stands under its line.
fn seen(case: &Path) -> [String; 3] {
    let space = Space::empty();
    copy(&case.join("in"), &space.path(""));
    let text = fs::read_to_string(case.join("cmd")).expect("a cmd");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut seen = [String::new(), String::new(), String::new()];
    for line in &lines {
        let Ran { code, stdout, stderr } = space.output(space.command("sh").args(["-c", line]));
        for (seen, part) in seen.iter_mut().zip([stdout, stderr, format!("{code}\n")]) {
            if lines.len() > 1 {
                let _ = writeln!(seen, "$ {line}");
            }
            seen.push_str(&part);
        }
    }
    seen
}

/// Copies a tree; symbolic links stay links, and executables executable.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let (from, kind) = entry.map(|entry| (entry.path(), entry.file_type().expect("a type"))).expect("an entry");
        let to = to.join(from.file_name().expect("a name"));
        if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from).expect("a link"), &to).expect("a link");
        } else {
            fs::copy(&from, &to).expect("a file");
        }
    }
}

/// The lines that differ, between those that both begin and end with.
fn diff(expected: &str, seen: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), seen.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let left = old.len().min(new.len()) - same;
    let end = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(old, new)| old == new).count();
    let part = |sign: char, lines: &[&str]| -> String {
        lines[same..lines.len() - end].iter().map(|line| format!("{sign}{line}\n")).collect()
    };
    format!("(after {same} lines)\n{}{}", part('-', &old), part('+', &new))
}

#[test]
fn a_difference_is_shown_without_what_is_the_same() {
    assert_eq!(diff("a\nb\nc\n", "a\nx\ny\nc\n"), "(after 1 lines)\n-b\n+x\n+y\n");
    assert_eq!(diff("a\na\n", "a\n"), "(after 1 lines)\n-a\n");
}
