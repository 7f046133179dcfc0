//! `affected` against the truth: a workspace is edited at random, and each time what it says is held against what a build
//! of everything gives before and after. It may say too much, and how much is told; it may never leave anything out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::space::{Ran, Space};
use crate::support::{has, shout};

const ROOT: &str = r#"[workspace]
name = "truth"

[vars]
greeting = "hello"

[profile.p.vars]
greeting = "moin"

[profile.p.targets."//a:app"]
user = "1000"
"#;

const A: &str = r#"[files.src]
srcs = ["src/**"]
dest = "/opt/src"

[files.some]
srcs = ["src/*.txt", "!src/x*"]
dest = "/opt/some"
mode = { "**" = "0644" }

[files.via]
srcs = ["via/c.txt"]
dest = "/via"

[files.conf]
content = { "/etc/conf" = "${vars.greeting}\n" }

[tar.data]
src = "data.tar"

[image.base]
layers = [":conf"]
env = { A = "1" }

[image.app]
base = ":base"
layers = [":src", ":data"]
"#;

const B: &str = r#"[files.all]
srcs = ["**"]
dest = "/b"

[kit.one]
program = "run.sh"

[image.top]
base = "//a:app"
layers = [":all"]

[index.both]
images = [":top"]

[exec.made]
build-base = "host"
command = "cat src/in/* > out/made"
inputs = { "/src" = ["in/*"] }
outputs = { "/made" = "/out/made" }
"#;

const KIT: &str = r#"[rule.kit]
doc = "A program in an image."

[rule.kit.attributes]
program = { required = true, doc = "The program." }
text    = { default = "one", doc = "A text." }

[rule.kit.target.image]
layers = ["${part.bin}"]
env    = { TEXT = "${attr.text}" }

[rule.kit.parts.files.bin]
srcs = ["${attr.program}"]
dest = "/bin"
"#;

/// Texts that stand for one another in these files.
const SWAPS: [(&str, &str, &str); 14] = [
    ("layers.toml", "greeting = \"hello\"", "greeting = \"hallo\""),
    ("layers.toml", "greeting = \"moin\"", "greeting = \"servus\""),
    ("layers.toml", "user = \"1000\"", "user = \"1001\""),
    ("layers.toml", "name = \"truth\"", "name = \"truth\"\nsource-date-epoch = 7"),
    ("a/layers.toml", "A = \"1\"", "A = \"2\""),
    ("a/layers.toml", "\"0644\"", "\"0600\""),
    ("a/layers.toml", "\"!src/x*\"", "\"!src/y*\""),
    ("a/layers.toml", "[\":src\", \":data\"]", "[\":data\", \":src\"]"),
    ("a/layers.toml", "[\":conf\"]", "[\":conf\", \":some\"]"),
    ("a/layers.toml", "dest = \"/opt/some\"", "# nothing\ndest = \"/opt/some\""),
    ("b/layers.toml", "program = \"run.sh\"", "program = \"run.sh\"\ntext = \"two\""),
    ("b/layers.toml", "base = \"//a:app\"", "base = \"//a:base\""),
    ("rules/kit.toml", "default = \"one\"", "default = \"three\""),
    ("rules/kit.toml", "dest = \"/bin\"", "dest = \"/usr/bin\""),
];

/// A target that moves between packages, whole.
const MOVES: &str = "\n[files.moves]\ncontent = { \"/moves\" = \"1\" }\n";

const FILES: [&str; 11] = [
    "a/src/a.txt",
    "a/src/b.txt",
    "a/src/x.txt",
    "a/src/d/c.txt",
    "a/src/deep/c.txt",
    "a/src/f.log",
    "b/run.sh",
    "b/in/1",
    "b/in/2",
    "b/z.log",
    "b/notes.txt",
];
const IGNORED: [&str; 5] = ["*.log", "/a/src/d/", "x*", "!keep.log", "notes.txt"];

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// A label's digest after a build of everything.
type Truth = BTreeMap<String, String>;

struct Scene {
    space: Space,
    dice: Dice,
    profile: &'static str,
    /// What was built of each commit, which has the tag `cN`.
    commits: Vec<Truth>,
    told: Told,
}

#[derive(Default)]
struct Told {
    edits: usize,
    refused: usize,
    affected: usize,
    too_many: usize,
}

impl Scene {
    fn new(seed: u64, profile: &'static str) -> Scene {
        let space = Space::empty();
        let texts = [("layers.toml", ROOT), ("a/layers.toml", A), ("b/layers.toml", B), ("rules/kit.toml", KIT)];
        texts.iter().for_each(|(path, text)| space.write(path, text));
        FILES.iter().for_each(|path| space.write(path, format!("{path}\n")));
        space.write(".gitignore", "*.tmp\n");
        symlink("src/d", space.path("a/via")).expect("a link");
        let scene = Scene { space, dice: Dice(seed), profile, commits: Vec::new(), told: Told::default() };
        scene.archive("one");
        scene.git("init -q");
        scene
    }

    fn git(&self, line: &str) {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example", "-c", "gc.auto=0"];
        let ran = self.space.output(self.space.command("git").args(identity).args(line.split(' ')));
        assert_eq!(ran.code, 0, "git {line}: {ran:?}");
    }

    fn archive(&self, content: &str) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, "data", content.as_bytes()).expect("an archive");
        self.space.write("a/data.tar", archive.into_inner().expect("an archive"));
    }

    fn layerbuild(&self, line: &str) -> Ran {
        self.space.layerbuild(&format!("-q {} {line}", self.profile))
    }

    fn build(&self) -> Result<Truth, Ran> {
        let ran = self.layerbuild("build //...");
        let pair = |line: &str| line.split_once(' ').map(|(label, digest)| (label.to_owned(), digest.to_owned()));
        if ran.code == 0 { Ok(ran.stdout.lines().filter_map(pair).collect()) } else { Err(ran) }
    }

    fn commit(&mut self, truth: Truth) {
        self.git("add -A");
        self.git("commit -q --allow-empty -m x");
        self.git(&format!("tag c{}", self.commits.len()));
        self.commits.push(truth);
    }

    /// Some file that is there; where too few are left, they come back.
    fn file(&mut self) -> PathBuf {
        let there = |path: &&&str| self.space.path(path).is_file();
        if FILES.iter().filter(there).count() < FILES.len() / 2 {
            FILES.iter().filter(|path| !there(path)).for_each(|path| {
                let _ = fs::remove_file(self.space.path(path));
                self.space.write(path, format!("{path} again\n"));
            });
        }
        let there: Vec<&str> = FILES.iter().filter(there).copied().collect();
        let chosen = *self.dice.of(&there);
        self.space.path(chosen)
    }

    /// A place in one of the folders, where perhaps nothing is.
    fn place(&mut self) -> PathBuf {
        let folder = *self.dice.of(&["a/src", "a/src/d", "a/src/deep", "a/src/new", "b", "b/in", "c"]);
        let name = *self.dice.of(&["n1.txt", "n2", "x9.txt", "keep.log", "n3.tmp"]);
        let path = self.space.path(folder).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        path
    }

    /// One edit; what it was, for whoever has to find out why.
    fn edit(&mut self) -> String {
        let (file, place, number) = (self.file(), self.place(), self.dice.below(4));
        let told = format!("{} {} {number}", file.display(), place.display());
        let kind = self.dice.below(16);
        match kind {
            0 | 1 => fs::write(&file, format!("content {number}\n")).expect("a file"),
            2 | 3 => {
                let _ = fs::remove_file(&place);
                fs::write(&place, format!("new {number}\n")).expect("a file");
            }
            4 => fs::remove_file(&file).expect("gone"),
            5 => {
                let _ = fs::remove_file(&place);
                fs::rename(&file, &place).expect("moved");
            }
            6 if !file.is_symlink() => {
                let mode = if number % 2 == 0 { 0o755 } else { 0o644 };
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
            }
            7 => {
                fs::remove_file(&file).expect("gone");
                symlink(["a.txt", "../notes.txt", "none", "d/c.txt"][number], &file).expect("a link");
            }
            8 => {
                let path = *self.dice.of(&[".gitignore", "a/.gitignore", "b/.gitignore"]);
                let line = *self.dice.of(&IGNORED);
                self.space.write(path, format!("*.tmp\n{line}\n"));
            }
            9..=11 => {
                let (path, one, other) = *self.dice.of(&SWAPS);
                let text = fs::read_to_string(self.space.path(path)).expect("a text");
                let swapped = if text.contains(other) { text.replace(other, one) } else { text.replace(one, other) };
                self.space.write(path, swapped);
            }
            12 => self.archive(["one", "two", "three", "four"][number]),
            13 => {
                let path = self.space.path("a/src/deep/layers.toml");
                if path.exists() {
                    fs::remove_file(path).expect("gone");
                } else {
                    self.space.write("a/src/deep/layers.toml", "");
                }
            }
            14 => {
                let via = self.space.path("a/via");
                fs::remove_file(&via).expect("gone");
                symlink(["src/d", "src/deep", "src", "none"][number], via).expect("a link");
            }
            _ => {
                for path in ["a/layers.toml", "b/layers.toml"] {
                    let text = fs::read_to_string(self.space.path(path)).expect("a text");
                    let there = text.contains(MOVES);
                    let here = path.starts_with(["a", "b"][number % 2]);
                    let text = if there { text.replace(MOVES, "") } else { text };
                    self.space.write(path, if here { text + MOVES } else { text });
                }
            }
        }
        format!("{kind}: {told}")
    }

    /// Edits, asks, and holds the answer against the truth.
    fn step(&mut self) {
        let edits: Vec<String> = (0..=self.dice.below(3)).map(|_| self.edit()).collect();
        self.told.edits += 1;
        let since = self.commits.len() - 1 - self.dice.below(self.commits.len().min(4));
        let said = self.layerbuild(&format!("affected --since c{since} --kind buildable --output jsonl"));
        let truth = match self.build() {
            Ok(truth) => truth,
            Err(refused) => {
                assert_ne!(said.code, 37, "{edits:#?}: {said:?}");
                assert!(said.code == refused.code || refused.code == 1, "{edits:#?}: {said:?} {refused:?}");
                self.told.refused += 1;
                return self.undo();
            }
        };
        assert_eq!(said.code, 0, "{edits:#?}: {said:?}");
        let labels = |status: &str| -> BTreeSet<String> {
            let rows = said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            let rows = rows.filter(|row: &serde_json::Value| (row["status"] == "deleted") == (status == "deleted"));
            rows.map(|row| row["label"].as_str().expect("a label").to_owned()).collect()
        };
        let (affected, before) = (labels("affected"), &self.commits[since]);
        let differs: BTreeSet<String> = truth
            .iter()
            .filter(|(label, digest)| before.get(*label) != Some(digest))
            .map(|(label, _)| label.clone())
            .collect();
        let missed: Vec<&String> = differs.difference(&affected).collect();
        assert!(missed.is_empty(), "{missed:?} are missing since c{since} after {edits:#?} in {:?}", self.kept());
        let gone: BTreeSet<String> = before.keys().filter(|label| !truth.contains_key(*label)).cloned().collect();
        assert_eq!(labels("deleted"), gone, "after {edits:#?}");
        self.told.affected += affected.len();
        self.told.too_many += affected.difference(&differs).count();
        if self.dice.below(4) > 0 {
            self.commit(truth);
        }
    }

    /// Back to the last commit.
    fn undo(&self) {
        self.git("reset -q --hard");
        self.git("clean -q -f -d");
    }

    /// A copy of the workspace, for whoever looks for the reason.
    fn kept(&self) -> PathBuf {
        let copy = tempfile::tempdir().expect("a folder").keep();
        self.space.output(self.space.command("cp").arg("-a").arg(self.space.path("")).arg(&copy));
        copy
    }
}

/// Many edits, one after the other; how it went.
fn edited(seed: u64, profile: &'static str, edits: usize) -> Told {
    let mut scene = Scene::new(seed, profile);
    let truth = scene.build().unwrap_or_else(|ran| panic!("{ran:?}"));
    scene.commit(truth);
    (0..edits).for_each(|_| scene.step());
    scene.told
}

fn tell(told: &Told) {
    let Told { edits, refused, affected, too_many } = told;
    shout(&format!(
        "affected: {edits} edits, {refused} of them mistakes; {affected} targets, none missed, {too_many} too many"
    ));
    assert!(*refused * 2 < *edits && *affected > *edits, "the edits prove little");
}

#[test]
fn no_target_is_missed_after_random_edits() {
    if has(&["git"]) {
        tell(&edited(0x5EED, "", 30));
        tell(&edited(0xBEEF, "--profile p", 15));
    }
}

#[test]
#[ignore = "a thousand edits, each with a build of everything"]
fn no_target_is_missed_after_a_thousand_random_edits() {
    if has(&["git"]) {
        (1..=5).for_each(|seed| tell(&edited(seed * 7919, if seed % 2 == 0 { "--profile p" } else { "" }, 200)));
    }
}
