//! `affected`: what it says of edits, of revisions that can't be read, and of what git doesn't hold; and the lists that it
//! is made for.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::space::{Ran, Space};
use crate::support::{DockerRegistry, has};

const TARGETS: &str = r#"[vars]
greeting = "hello"

[profile.p.vars]
greeting = "moin"

[files.conf]
content = { "/etc/greeting" = "${vars.greeting}\n" }

[files.app]
srcs = ["app/*"]
dest = "/opt"

[image.base]
layers = [":conf"]
user = "1000"

[image.server]
base = ":base"
layers = [":app"]

[image_test.server-test]
image = ":server"
user = "1000"

[image.other]
cmd = ["/other"]
"#;

pub fn git(space: &Space, line: &str) {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example", "-c", "init.defaultBranch=main"];
    let ran = space.output(space.command("git").args(identity).args(line.split(' ')));
    assert_eq!(ran.code, 0, "git {line}: {ran:?}");
}

pub fn commit(space: &Space) {
    git(space, "add -A");
    git(space, "commit -q --allow-empty -m x");
}

/// A workspace that is committed; `None` where there is no git.
pub fn committed(targets: &str, files: &[(&str, &str)]) -> Option<Space> {
    if !has(&["git"]) {
        return None;
    }
    let space = Space::with(targets);
    files.iter().for_each(|(path, text)| space.write(path, text));
    git(&space, "init -q");
    commit(&space);
    Some(space)
}

fn app(targets: &str) -> Option<Space> {
    committed(targets, &[("app/run", "1\n"), ("app/lib", "1\n")])
}

/// `LABEL CAUSE` of each target, and what was said on stderr.
pub fn asked(space: &Space, line: &str) -> (Vec<String>, String) {
    let Ran { code, stdout, stderr } = space.layerbuild(&format!("affected --output jsonl {line}"));
    assert_eq!(code, 0, "{stderr}");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let cause = &row["cause"];
        match (text(&row["label"]), text(&row["status"]), text(&cause["target"]), text(&cause["text"])) {
            (label, status, _, _) if status == "deleted" => format!("{label} deleted"),
            (label, _, target, cause) if label == target => format!("{label} {cause}"),
            (label, _, target, cause) => format!("{label} {target}: {cause}"),
        }
    };
    (stdout.lines().map(row).collect(), stderr)
}

pub fn causes(space: &Space, line: &str) -> Vec<String> {
    asked(space, line).0
}

#[test]
fn each_target_is_told_with_the_cause_at_its_root() {
    let Some(space) = app(TARGETS) else { return };
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    space.write("app/run", "2\n");
    let of_app = ["//:server //:app: file app/run changed", "//:server-test //:app: file app/run changed"];
    assert_eq!(causes(&space, "--since HEAD"), [&["//:app file app/run changed"], &of_app[..]].concat());
    git(&space, "checkout -q .");
    fs::remove_file(space.path("app/lib")).expect("gone");
    assert_eq!(causes(&space, "--since HEAD --kind layer"), ["//:app file app/lib is gone"]);
    git(&space, "checkout -q .");
    space.write("app/new", "");
    assert_eq!(causes(&space, "--since HEAD --kind layer"), ["//:app file app/new is new"]);
    git(&space, "clean -q -f");
    fs::set_permissions(space.path("app/run"), fs::Permissions::from_mode(0o755)).expect("a mode");
    assert_eq!(
        causes(&space, "--since HEAD --kind layer"),
        ["//:app file app/run changed: 0644 owner 0:0 → 0755 owner 0:0"]
    );
    commit(&space);
    assert_eq!(causes(&space, "--since HEAD --kind layer"), [""; 0]);
    assert_eq!(causes(&space, "--since HEAD~1 --until HEAD --kind layer").len(), 1);
    assert_eq!(causes(&space, "--since HEAD --until HEAD~1 --kind layer").len(), 1);
}

#[test]
fn a_file_that_git_was_told_not_to_look_at_is_looked_at() {
    let Some(space) = app(TARGETS) else { return };
    git(&space, "update-index --assume-unchanged app/run");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    space.write("app/run", "2\n");
    assert_eq!(causes(&space, "--since HEAD --kind layer"), ["//:app file app/run changed"]);
    git(&space, "update-index --no-assume-unchanged app/run");
    git(&space, "checkout -q .");
    git(&space, "update-index --skip-worktree app/run");
    fs::remove_file(space.path("app/run")).expect("gone");
    assert_eq!(causes(&space, "--since HEAD --kind layer"), ["//:app file app/run is gone"]);
}

#[test]
fn attributes_variables_profiles_and_targets_count_and_comments_do_not() {
    let Some(space) = app(TARGETS) else { return };
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(space.path("layers.toml")).expect("a text");
        assert!(text.contains(from));
        space.write("layers.toml", text.replace(from, to));
    };
    edit("[vars]", "# a comment\n\n[vars]");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    edit("\"moin\"", "\"servus\"");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    let of_profile = causes(&space, "--since HEAD --profile p --kind layer");
    assert_eq!(of_profile, ["//:conf entry /etc/greeting changed"]);
    edit("cmd = [\"/other\"]", "cmd = [\"/another\"]");
    edit("[image.base]", "[image.fundament]");
    edit("base = \":base\"", "base = \":fundament\"");
    let said = causes(&space, "--since HEAD --kind image");
    let expected = ["//:base deleted", "//:fundament it is new", "//:other cmd changed: [\"/other\"] → [\"/another\"]"];
    assert_eq!(said, expected, "an image on one that has another name alone is the same");
    assert_eq!(space.layerbuild("affected --since HEAD --deleted").stdout, "//:base\n");
    edit("layers = [\":app\"]", "layers = [\":app\", \":conf\"]");
    assert_eq!(causes(&space, "--since HEAD //:server"), ["//:server layer 2 is new: //:conf"]);
    edit("layers = [\":app\", \":conf\"]", "layers = [\":conf\"]");
    assert_eq!(causes(&space, "--since HEAD //:server"), ["//:server layer 1 changed: //:app → //:conf"]);
    let labels = space.layerbuild("affected --since HEAD //:other //:conf");
    assert_eq!(labels.stdout, "//:other\n");
    assert!(labels.stderr.starts_with("1 of 2 targets affected since HEAD ("), "{}", labels.stderr);
}

#[test]
fn a_lock_entry_a_new_place_to_publish_and_a_developers_own_file() {
    let locked = |manifest: &str| {
        let digest = manifest.repeat(64);
        format!(
            "version = 1\n\n[pull.\"//:debian\"]\nimage = \"registry.example/debian:12\"\ndigest = \"sha256:{digest}\"\n\n\
             [pull.\"//:debian\".\"linux/amd64\"]\nmanifest = \"sha256:{digest}\"\nconfig = \"sha256:{digest}\"\n\
             listing = \"sha256:{digest}\"\noutline = [\n  \"/bin -> usr/bin\",\n]\n"
        )
    };
    let targets = "[pull.debian]\nimage = \"registry.example/debian:12\"\n\n[image.app]\nbase = \":debian\"\n\n[files.conf]\n\
                   content = { \"/a\" = \"1\" }\n";
    let Some(space) = committed(targets, &[("layers.lock", &locked("a"))]) else { return };
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    space.write("layers.lock", locked("b"));
    let said = causes(&space, "--since HEAD");
    let cause = "base digest changed: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb";
    assert_eq!(said, [format!("//:app //:debian: {cause}"), format!("//:debian {cause}")]);
    git(&space, "checkout -q .");
    let text = fs::read_to_string(space.path("layers.toml")).expect("a text");
    space.write("layers.toml", text.replace("name = \"test\"", "name = \"test\"\ntag = \"2\""));
    assert_eq!(causes(&space, "--since HEAD"), ["//:app `tag` changed: latest → 2"]);
    git(&space, "checkout -q .");
    space.write("layers.local.toml", "[targets.\"//:app\"]\nuser = \"7\"\n");
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
}

#[test]
fn what_git_says_is_another_with_every_commit() {
    let targets = "[image.stamped]\nlabels = { revision = \"${git.short-revision}\" }\n[image.plain]\n";
    let Some(space) = committed(targets, &[]) else { return };
    assert_eq!(causes(&space, "--since HEAD"), [""; 0]);
    git(&space, "commit -q --allow-empty -m two");
    let said = causes(&space, "--since HEAD~1");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("//:stamped labels revision changed: ") && said[0].contains("another with every commit"),
        "{said:?}"
    );
}

#[test]
fn a_workspace_in_a_folder_of_its_repository_is_compared_as_well() {
    if !has(&["git"]) {
        return;
    }
    let space = Space::empty();
    space.write(
        "deep/ws/layers.toml",
        "[workspace]\nname = \"x\"\n[files.a]\nsrcs = [\"via/*\"]\n[files.b]\nsrcs = [\"link/one\"]\n",
    );
    space.write("deep/ws/via/one", "1");
    std::os::unix::fs::symlink("via", space.path("deep/ws/link")).expect("a link");
    git(&space, "init -q");
    commit(&space);
    space.write("outside", "1");
    space.write("deep/ws/via/one", "2");
    let said = causes(&space, "-C deep/ws --since HEAD");
    assert_eq!(said, ["//:a file via/one changed", "//:b file link/one changed"]);
}

#[test]
fn what_git_does_not_hold_is_named_and_counts() {
    let targets = "[files.ignored]\nsrcs = [\"out/tool\"]\n[files.plain]\nsrcs = [\"text\"]\n[files.sub]\nsrcs = [\"sub/*\", \"text\"]\n\
                   [files.large]\nsrcs = [\"large\"]\n";
    let content = "large content";
    let digest = layerbuild::digest::Digest::of(content.as_bytes());
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid {digest}\nsize {}\n", content.len());
    let Some(space) = committed(targets, &[(".gitignore", "/out/\n"), ("text", "1"), ("large", &pointer)]) else {
        return;
    };
    space.write("out/tool", "1");
    space.write("large", content);
    git(&space, "init -q sub");
    space.write("sub/file", "1");
    git(&space, "-C sub add file");
    git(&space, "-C sub commit -q -m x");
    git(&space, "-c advice.addEmbeddedRepo=false add sub");
    git(&space, "commit -q -m submodule");
    let (said, told) = asked(&space, "--since HEAD");
    let expected =
        ["//:ignored what it was made of is not known: `out/tool` does not exist", "//:sub file sub/file is new"];
    assert_eq!(said[0], expected[0], "{said:?}");
    assert!(said[1].starts_with("//:sub what it was made of is not known: ") && said.len() == 2, "{said:?}");
    for part in [
        "git ignores and so doesn't keep `out/tool`:",
        "submodules hold files of other repositories: `sub`:",
        "LFS keeps the content of `large`:",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn a_workspace_that_was_broken_counts_as_changed_in_all_its_targets() {
    let Some(space) = app(TARGETS) else { return };
    let text = fs::read_to_string(space.path("layers.toml")).expect("a text");
    space.write("layers.toml", text.replace("cmd =", "cmb ="));
    commit(&space);
    space.write("layers.toml", &text);
    let (said, told) = asked(&space, "--since HEAD");
    assert_eq!(said.len(), 6, "{said:?}");
    assert!(
        said[0].contains("the workspace at the revision could not be read: ") && said[0].contains("cmb"),
        "{said:?}"
    );
    assert!(told.contains("every target counts as affected"), "{told}");
    fs::remove_file(space.path("layers.toml")).expect("gone");
    commit(&space);
    space.write("layers.toml", &text);
    assert_eq!(causes(&space, "--since HEAD").len(), 6);
}

#[test]
fn what_comes_out_the_same_is_pruned_where_both_sides_are_known() {
    let targets = "[exec.made]\nbuild-base = \"host\"\ncommand = \"wc -l < src/in > out/made\"\ninputs = { \"/src\" = [\"in\"] }\n\
                   outputs = { \"/made\" = \"/out/made\" }\n[image.app]\nlayers = [\":made\"]\n";
    let Some(space) = committed(targets, &[("in", "1\n")]) else { return };
    assert_eq!(space.layerbuild("build //...").code, 0);
    space.write("in", "2\n");
    let all = ["//:app //:made: file in changed", "//:made file in changed"];
    assert_eq!(causes(&space, "--since HEAD --prune"), all, "what the new one gives is not known yet");
    assert_eq!(space.layerbuild("build //...").code, 0);
    assert_eq!(causes(&space, "--since HEAD"), all);
    assert_eq!(causes(&space, "--since HEAD --prune"), [""; 0]);
    space.write("in", "1\n2\n");
    assert_eq!(space.layerbuild("build //...").code, 0);
    assert_eq!(causes(&space, "--since HEAD --prune"), all, "they differ");
}

#[test]
fn a_revision_that_is_not_there_is_told_with_what_to_do() {
    let Some(space) = app(TARGETS) else { return };
    git(&space, "branch feature");
    let told = |line: &str| {
        let ran = space.layerbuild(&format!("affected {line}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        ran.stderr
    };
    let unknown = told("--since featrue");
    assert!(
        unknown.contains("git knows no revision `featrue`") && unknown.contains("did you mean `feature`?"),
        "{unknown}"
    );
    assert!(told("--since HEAD --until nowhere").contains("git knows no revision `nowhere`"));
    git(&space, "checkout -q --orphan alone");
    space.write("alone", "");
    commit(&space);
    let unrelated = told("--since main --merge-base");
    assert!(unrelated.contains("git knows no common ancestor of `main` and `HEAD`"), "{unrelated}");
    let mut without = space.command(crate::space::PROGRAM);
    let ran = space.output(without.args(["affected", "--since", "HEAD"]).env("PATH", "/nowhere"));
    assert_eq!(ran.code, 36, "{ran:?}");
    assert!(ran.stderr.contains("install git"), "{ran:?}");
}

#[test]
fn a_shallow_clone_says_how_to_get_what_is_missing() {
    let Some(space) = app(TARGETS) else { return };
    git(&space, "commit -q --allow-empty -m two");
    let clone = format!("clone -q --depth 1 file://{} shallow", space.path("").display());
    git(&space, &clone);
    let ran = space.layerbuild("-C shallow affected --since HEAD~1");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("this clone is shallow: `git fetch --unshallow`"), "{ran:?}");
    assert_eq!(space.layerbuild("-C shallow affected --since HEAD").code, 0);
}

#[test]
fn what_the_other_branch_got_since_is_left_out_of_the_merge_base() {
    let Some(space) = app(TARGETS) else { return };
    git(&space, "checkout -q -b feature");
    space.write("app/run", "2\n");
    commit(&space);
    git(&space, "checkout -q main");
    space.write(
        "layers.toml",
        fs::read_to_string(space.path("layers.toml")).expect("a text").replace("/other", "/main"),
    );
    commit(&space);
    git(&space, "checkout -q feature");
    let labels = |line: &str| space.layerbuild(&format!("-q affected --kind image {line}")).stdout;
    assert_eq!(labels("--since main"), "//:other\n//:server\n");
    assert_eq!(labels("--since main --merge-base"), "//:server\n");
}

#[test]
fn a_list_is_built_and_checked_and_an_empty_one_is_nothing_to_do() {
    let Some(space) = app(TARGETS) else { return };
    let piped = |line: &str| space.output(space.command("sh").args(["-c", line]));
    space.write("app/run", "2\n");
    let built = piped("layerbuild -q affected --since HEAD | layerbuild build --targets-from -");
    let labels: Vec<&str> = built.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!((built.code, labels), (0, vec!["//:app", "//:server"]), "{built:?}");
    let checked = piped("layerbuild -q affected --since HEAD | layerbuild check --targets-from -");
    assert!(checked.code == 0 && checked.stdout.contains("//:server-test"), "{checked:?}");
    git(&space, "checkout -q .");
    for verb in ["build", "check", "push"] {
        let ran = piped(&format!("layerbuild -q affected --since HEAD | layerbuild {verb} --targets-from -"));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "nothing to do\n"), "{verb}");
    }
    space.write("list", "# only a layer\n\n//:app\n");
    let pushed = space.layerbuild("push --targets-from list --dry-run");
    assert_eq!((pushed.code, pushed.stderr.as_str()), (0, "nothing to do\n"), "{pushed:?}");
    assert_eq!(space.layerbuild("push //:app --dry-run").code, 2);
}

#[test]
fn of_rust_programs_the_crates_that_their_manifests_reach_count_and_the_toolchain() {
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
    };
    let lock = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"lib\",\n]\n\n\
                [[package]]\nname = \"lib\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"other\"\nversion = \"0.1.0\"\n";
    let targets = "[files.root]\ncontent = { \"/x\" = \"\" }\n[cargo.app]\nmanifest = \"app/Cargo.toml\"\nbuild-base = \":root\"\n";
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"app\", \"lib\", \"other\"]\nresolver = \"2\"\n"),
        ("Cargo.lock", lock),
        ("app/Cargo.toml", &package("app", "[dependencies]\nlib = { path = \"../lib\" }\n")),
        ("app/src/main.rs", "fn main() {}\n"),
        ("lib/Cargo.toml", &package("lib", "")),
        ("lib/src/lib.rs", ""),
        ("other/Cargo.toml", &package("other", "")),
        ("other/src/lib.rs", ""),
        (".gitignore", "/toolchain/\n"),
    ];
    let Some(space) = committed(targets, &files) else { return };
    let here = space.path("toolchain");
    let rustc = format!("#!/bin/sh\n[ \"$1\" = --print ] && echo {} || echo rustc 1\n", here.display());
    [("bin/rustc", &*rustc), ("bin/cargo", ""), ("lib/rustlib/x", "")]
        .iter()
        .for_each(|(path, text)| space.write(&format!("toolchain/{path}"), text));
    fs::set_permissions(here.join("bin/rustc"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let causes = || {
        let mut call = space.command(crate::space::PROGRAM);
        call.env("PATH", format!("{}:/usr/bin:/bin", here.join("bin").display()));
        let ran = space.output(call.args(["-q", "affected", "--since", "HEAD", "--output", "table"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    space.write("other/src/lib.rs", "// edited\n");
    assert_eq!(causes(), [""; 0]);
    space.write("lib/src/lib.rs", "// edited\n");
    assert_eq!(causes(), ["//:app  file lib/src/lib.rs changed"]);
    git(&space, "checkout -q .");
    space.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n");
    let told = "what it was made of is not known: `rust-toolchain.toml` chose another Rust toolchain, perhaps";
    assert_eq!(causes(), [format!("//:app  {told}")]);
    commit(&space);
    assert_eq!(causes(), [""; 0]);
}

/// The job of docs/ci.md, on runners that begin with an empty store.
#[test]
fn the_job_publishes_what_changed_and_takes_all_else_from_the_cache() {
    let Some(registry) = DockerRegistry::start() else { return };
    let Some(space) = app(TARGETS) else { return };
    let address = &registry.address;
    let job = |since: &str, more: &str| {
        fs::remove_dir_all(space.cache()).unwrap_or_default();
        let line = format!(
            "layerbuild affected --since {since} --kind=buildable {more} | layerbuild push --targets-from - --registry {address}"
        );
        let mut job = space.command("sh");
        for name in ["LAYERBUILD_CACHE_FROM", "LAYERBUILD_CACHE_TO"] {
            job.env(name, format!("{address}/cache"));
        }
        let ran = space.output(job.args(["-c", &line]));
        assert_eq!(ran.code, 0, "{ran:?}");
        let pushed = ran.stdout.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
        (pushed.collect::<Vec<String>>(), ran.stderr)
    };
    git(&space, "checkout -q --orphan nothing");
    git(&space, "rm -q -r --cached .");
    git(&space, "commit -q --allow-empty -m nothing");
    git(&space, "checkout -q -f main");
    assert_eq!(job("nothing", "").0, ["//:base", "//:other", "//:server"]);
    space.write("app/run", "2\n");
    commit(&space);
    let (pushed, said) = job("HEAD~1", "");
    assert_eq!(pushed, ["//:server"], "{said}");
    assert!(said.contains("built //:app") && !said.contains("built //:conf"), "{said}");
    assert!(job("HEAD", "").1.ends_with("nothing to do\n"));
    // Something else that comes out the same is known by the cache alone.
    let text = fs::read_to_string(space.path("layers.toml")).expect("a text");
    space.write("layers.toml", text.replace("\"app/*\"", "\"app/run\", \"app/lib\""));
    assert!(job("HEAD", "").1.ends_with("nothing to do\n"));
    assert_eq!(job("HEAD~1", "--prune").0, ["//:server"]);
}
