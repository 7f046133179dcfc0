//! Queries held against Bazel's own, where a `bazel` is on the PATH: random graphs written as a workspace and as BUILD
//! files, random expressions asked of both.
//!
//! A target with files is a `files` here and a `filegroup` there; every other one is a `sh_library` there, whatever it is
//! here. A package's own file is told by its place in labels.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::space::Space;

const PACKAGES: [&str; 3] = ["a", "b", "b/c"];
const GRAPHS: u64 = 3;
const EACH: usize = 200;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// In each package, layers `f…` with files and images `i…` that stand on any image, circles too, and hold any layers.
fn graph(dice: &mut Dice) -> (Vec<String>, Vec<(String, String)>) {
    let (mut labels, mut files) = (Vec::new(), Vec::new());
    let label = |kind: &str, at: usize| format!("//{}:{kind}{at}", PACKAGES[at % 3]);
    for (package, path) in PACKAGES.iter().enumerate() {
        let (mut ours, mut theirs) = (String::new(), String::new());
        for at in (package..9).step_by(3) {
            let srcs: Vec<String> = (0..dice.below(3)).map(|_| format!("\"src/s{}\"", dice.below(3))).collect();
            let srcs: BTreeSet<String> = srcs.into_iter().collect();
            let srcs = srcs.into_iter().collect::<Vec<_>>().join(", ");
            let _ = writeln!(ours, "[files.f{at}]\nsrcs = [{srcs}]\ncontent = {{ \"/x\" = \"x\" }}");
            let _ = writeln!(theirs, "filegroup(name = \"f{at}\", srcs = [{srcs}])");
            let layers: BTreeSet<String> =
                (0..dice.below(3)).map(|_| format!("\"{}\"", label("f", dice.below(9)))).collect();
            let layers = layers.into_iter().collect::<Vec<_>>().join(", ");
            let _ = writeln!(ours, "[image.i{at}]\nlayers = [{layers}]");
            let mut deps = layers;
            if dice.below(4) > 0 {
                let base = label("i", dice.below(9));
                let _ = writeln!(ours, "base = \"{base}\"");
                let between = if deps.is_empty() { "" } else { ", " };
                let _ = write!(deps, "{between}\"{base}\"");
            }
            let _ = writeln!(theirs, "sh_library(name = \"i{at}\", deps = [{deps}])");
            labels.extend([label("f", at), label("i", at)]);
        }
        files.extend([(format!("{path}/layers.toml"), ours), (format!("{path}/BUILD"), theirs)]);
    }
    (labels, files)
}

fn expression(dice: &mut Dice, labels: &[String], depth: usize) -> String {
    let inner = |dice: &mut Dice| expression(dice, labels, depth.saturating_sub(1));
    if depth == 0 || dice.below(6) == 0 {
        let wild = ["//...", "//a:all", "//b/...", "//b/c:*", "//...:all-targets", "set(//a:f0 //b:i1)"];
        return if dice.below(3) == 0 { dice.of(&wild).to_owned() } else { labels[dice.below(labels.len())].clone() };
    }
    match dice.below(14) {
        0 => format!("deps({})", inner(dice)),
        1 => format!("deps({}, {})", inner(dice), dice.below(4)),
        2 => format!("rdeps({}, {})", inner(dice), inner(dice)),
        3 => format!("rdeps(//..., {}, {})", inner(dice), dice.below(3)),
        4 => format!("allpaths({}, {})", inner(dice), inner(dice)),
        5 => format!("kind('{}', {})", dice.of(&["source file", "rule", "file", "filegroup rule"]), inner(dice)),
        6 => format!("filter('{}', {})", dice.of(&["^//b", "f[135]", "src", "i", "c:.*8$"]), inner(dice)),
        7 => format!("siblings({})", inner(dice)),
        8 => format!("same_pkg_direct_rdeps({})", inner(dice)),
        9 => format!("labels(srcs, {})", inner(dice)),
        10 => format!("attr(name, '{}', {})", dice.of(&["^f", "[12]", "i7", ""]), inner(dice)),
        11 => format!("buildfiles({})", inner(dice)),
        12 => format!("(let v = {} in $v {} deps($v, 1))", inner(dice), dice.of(&["^", "+", "except"])),
        _ => format!("({} {} {})", inner(dice), dice.of(&["+", " - ", "intersect", "union"]), inner(dice)),
    }
}

/// Sorted, the packages' own files named alike.
fn set(stdout: &str) -> BTreeSet<String> {
    stdout.lines().map(|line| line.replace(":layers.toml", ":BUILD")).collect()
}

fn bazel(space: &Space, root: &Path, query: &str) -> (bool, String) {
    let output = Command::new("bazel")
        .current_dir(space.path(""))
        .arg(format!("--output_user_root={}", root.display()))
        .args(["query", "--noimplicit_deps", "--nohost_deps", "--noshow_progress", query])
        .output()
        .expect("bazel runs");
    (output.status.success(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
#[ignore = "asks a Bazel 600 times: make acceptance"]
fn answers_are_bazels() {
    if Command::new("bazel").arg("--version").output().is_err() {
        println!("SKIPPED: no bazel on the PATH");
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let (mut pairs, mut told) = (0, 0);
    for seed in 0..GRAPHS {
        let mut dice = Dice(seed + 1);
        let space = Space::empty();
        let (labels, files) = graph(&mut dice);
        fs::write(space.path("layers.toml"), "[workspace]\nname = \"x\"\n").expect("written");
        ["WORKSPACE", "BUILD"].iter().for_each(|file| fs::write(space.path(file), "").expect("written"));
        for (path, text) in files {
            fs::create_dir_all(space.path(&path).parent().expect("a folder")).expect("made");
            fs::write(space.path(&path), text).expect("written");
        }
        for _ in 0..EACH {
            let query = expression(&mut dice, &labels, 4);
            let ours = space.run(["query", &query.replace("filegroup", "files")]);
            let (answered, theirs) = bazel(&space, root.path(), &query);
            assert_eq!(ours.code == 0, answered, "{query}\n{}", ours.stderr);
            assert_eq!(set(&ours.stdout), set(&theirs), "graph {seed}: {query}");
            pairs += 1;
            told += usize::from(!theirs.is_empty());
        }
        let _ = Command::new("bazel")
            .current_dir(space.path(""))
            .arg(format!("--output_user_root={}", root.path().display()))
            .arg("shutdown")
            .output();
    }
    println!("{pairs} pairs, {told} of them not empty");
    assert!(pairs >= 500 && told * 2 > pairs);
}
