//! Folders of the workspace that one machine has elsewhere: `[paths]` of the developer's own file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::space::{Space, digest};

const TARGETS: &str = r#"
[files.app]
srcs = ["app/**", "!app/README"]
strip = "app"
dest = "/opt/app"

[files.one]
srcs = ["app/main"]
dest = "/opt"

[tar.archive]
src = "app/a.tar"
"#;

/// A workspace whose package `p` has the folder `app`, and one beside it that is to stand in its place.
fn scene() -> (Space, PathBuf) {
    let space = Space::with("");
    space.write("p/layers.toml", TARGETS);
    fill(&space, "p/app", "old");
    fill(&space, "../mine", "new");
    space.write("../.gitignore", "*\n");
    space.write("../mine/.gitignore", "*.log\n");
    space.write("../mine/x.log", "left out\n");
    space.write("p/.gitignore", "*.txt\n");
    (space.path("../mine").canonicalize().map(|mine| (space, mine))).expect("a folder")
}

fn fill(space: &Space, folder: &str, text: &str) {
    space.write(&format!("{folder}/main"), text);
    space.write(&format!("{folder}/lib/{text}"), text);
    space.write(&format!("{folder}/lib/notes.txt"), text);
    let tar = format!("{folder}/a.tar");
    let mut archive = tar::Builder::new(fs::File::create(space.path(&tar)).expect("a file"));
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "member", text.as_bytes()).expect("a member");
    archive.finish().expect("an archive");
}

fn build(space: &Space, label: &str) -> String {
    digest(&space.layerbuild(&format!("-q build {label}")))
}

const LABELS: [&str; 3] = ["//p:app", "//p:one", "//p:archive"];

#[test]
fn a_folder_is_read_from_elsewhere_and_gives_what_it_would_give_in_the_workspace() {
    let (space, mine) = scene();
    let old = LABELS.map(|label| build(&space, label));
    space.write("layers.local.toml", "[paths]\n\"p/app\" = \"../mine\"\n");
    let listed = space.layerbuild("ls //p:app").stdout;
    // Its own .gitignore counts, and none above it, on either side.
    assert!(listed.contains("/opt/app/lib/new") && listed.contains("/opt/app/lib/notes.txt"), "{listed}");
    assert!(!listed.contains("x.log") && !listed.contains("/opt/app/lib/old"), "{listed}");
    let new = LABELS.map(|label| build(&space, label));
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    let told = space.layerbuild("explain //p:app").stdout;
    assert!(told.contains("p/app is read from [ABOVE]/mine: layers.local.toml:2"), "{told}");
    assert!(!space.layerbuild("explain //p:app --no-local").stdout.contains("is read from"));
    let config = space.layerbuild("config").stdout;
    assert!(config.contains("[paths]\n\"p/app\" = \"[ABOVE]/mine\"  # layers.local.toml:2"), "{config}");
    // The same files in the workspace: the same keys, so nothing is built.
    fs::remove_dir_all(space.path("p/app")).expect("a folder");
    assert_eq!(LABELS.map(|label| build(&space, label)), new, "the workspace's folder need not be there");
    fs::rename(&mine, space.path("p/app")).expect("a move");
    fs::remove_file(space.path("layers.local.toml")).expect("a file");
    fs::remove_file(space.path("p/.gitignore")).expect("a file");
    let ran = space.layerbuild(&format!("build {}", LABELS.join(" ")));
    assert!(ran.stderr.starts_with("0 built, 3 cached"), "{ran:?}");
}

#[test]
fn edits_there_are_noticed_and_a_folder_that_is_gone_is_an_error() {
    let (space, mine) = scene();
    space.write("layers.local.toml", format!("[paths]\n\"p/app\" = \"{}\"\n", mine.display()));
    // Long enough for answers and hashes to be kept.
    sleep(Duration::from_millis(2100));
    let first = LABELS.map(|label| build(&space, label));
    assert_eq!(LABELS.map(|label| build(&space, label)), first);
    fs::write(mine.join("main"), "edited").expect("a file");
    assert_ne!(build(&space, "//p:one"), first[1]);
    fs::write(mine.join("lib/more"), "").expect("a file");
    let more = build(&space, "//p:app");
    assert_ne!(more, first[0]);
    fs::remove_file(mine.join("lib/more")).expect("a file");
    assert_ne!(build(&space, "//p:app"), more);
    fs::remove_dir_all(&mine).expect("a folder");
    let gone = space.layerbuild("build //p:app");
    assert_eq!(gone.code, 2);
    assert!(gone.stderr.contains("layers.local.toml:2:11") && gone.stderr.contains("can't be read"), "{gone:?}");
}

#[test]
fn nothing_outside_of_the_folder_is_reached() {
    let (space, mine) = scene();
    space.write("layers.local.toml", "[paths]\n\"p/app\" = \"../mine\"\n");
    space.write("../secret/main", "secret");
    fs::remove_dir_all(mine.join("lib")).expect("a folder");
    symlink(space.path("../secret"), mine.join("lib")).expect("a link");
    space.write("p/layers.toml", "[files.app]\nsrcs = [\"app/lib/main\"]\ndest = \"/\"\n");
    let refused = space.layerbuild("build //p:app");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("through a symbolic link"), "{refused:?}");
    // Nor does the workspace itself become reachable from there.
    fs::remove_file(mine.join("lib")).expect("a link");
    symlink(space.path("p"), mine.join("lib")).expect("a link");
    space.write("p/main", "");
    assert!(space.layerbuild("build //p:app").stderr.contains("through a symbolic link"));
}
