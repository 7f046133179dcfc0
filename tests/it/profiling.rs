//! Profiles, variables, a developer's own file, and what git says: what they change, and what they leave alone.

use std::thread::sleep;
use std::time::Duration;

use crate::space::{Ran, Space, digest};
use crate::support::has;

const TARGETS: &str = r#"tag = "1"

[vars]
greeting = "hello"

[profile.published-elsewhere]
registry = "registry.example:5000/team"
tag = "2"
tags = ["latest"]
deploy = "kubernetes"

[profile.other-text.vars]
greeting = "moin"

[profile.other-user.targets."//:app"]
user = "1000"

[files.conf]
content = { "/greeting" = "${vars.greeting}\n" }

[image.app]
layers = [":conf"]

[image.other]
cmd = ["/other"]
"#;

fn digest_of(space: &Space, call: &str) -> String {
    digest(&space.layerbuild(&format!("-q {call}")))
}

fn git(space: &Space, line: &str) {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example", "-c", "init.defaultBranch=main"];
    let ran = space.output(space.command("git").args(identity).args(line.split(' ')));
    assert_eq!(ran.code, 0, "git {line}: {ran:?}");
}

#[test]
fn an_image_has_one_digest_under_all_profiles_that_set_nothing_of_it() {
    let space = Space::with(TARGETS);
    let plain = digest_of(&space, "//:app");
    assert_eq!(digest_of(&space, "--profile published-elsewhere //:app"), plain);
    assert_ne!(digest_of(&space, "--profile other-text //:app"), plain);
    assert_ne!(digest_of(&space, "--profile other-user //:app"), plain);
    assert_ne!(digest_of(&space, "--var greeting=moin //:app"), plain);
    let other = digest_of(&space, "//:other");
    for profile in ["published-elsewhere", "other-text", "other-user"] {
        assert_eq!(digest_of(&space, &format!("--profile {profile} //:other")), other, "{profile}");
    }
    // What a profile says and what the call says are one text, and so one image.
    assert_eq!(digest_of(&space, "--var greeting=moin //:app"), digest_of(&space, "--profile other-text //:app"));
}

#[test]
fn an_answer_from_before_is_not_given_for_other_variables() {
    let space = Space::with(TARGETS);
    sleep(Duration::from_millis(2100));
    let plain = digest_of(&space, "//:app");
    assert_eq!(digest_of(&space, "//:app"), plain);
    let mut call = space.command(crate::space::PROGRAM);
    let ran = space.output(call.args(["-q", "//:app"]).env("LAYERBUILD_VAR_GREETING", "moin"));
    assert_ne!(digest(&ran), plain);
    space.write("layers.local.toml", "[vars]\ngreeting = \"salut\"\n");
    assert_ne!(digest_of(&space, "//:app"), plain, "the developer's own file came");
    assert_eq!(digest_of(&space, "--no-local //:app"), plain);
}

const STAMPED: &str = r#"tag = "${git.describe}"

[vars]
revision = "${git.revision}"

[image.revision]
labels = { revision = "${vars.revision}" }

[image.dirty]
labels = { dirty = "${git.dirty}" }

[image.plain]
labels = { text = "$${git.revision}" }
"#;

fn tag(space: &Space) -> String {
    let told = space.layerbuild("config").stdout;
    let line = told.lines().find(|line| line.starts_with("tag = ")).unwrap_or_else(|| panic!("no tag: {told}"));
    line.split('"').nth(1).expect("a text").to_owned()
}

#[test]
fn what_git_says_is_in_the_key_of_those_who_ask_and_a_commit_is_noticed() {
    if !has(&["git"]) {
        return;
    }
    let space = Space::with(STAMPED);
    ["init -q", "add .", "commit -q -m one", "tag v1"].iter().for_each(|line| git(&space, line));
    // Long enough for answers to be kept: what may be kept must not be these.
    sleep(Duration::from_millis(2100));
    let digests = || ["//:revision", "//:dirty", "//:plain"].map(|label| digest_of(&space, label));
    let first = digests();
    assert_eq!(digests(), first);
    assert_eq!(tag(&space), "v1");
    git(&space, "commit -q --allow-empty -m two");
    let second = digests();
    assert_ne!(second[0], first[0]);
    assert_eq!(second[1..], first[1..]);
    space.write("new", "");
    let third = digests();
    assert_eq!((&third[0], &third[2]), (&second[0], &second[2]));
    assert_ne!(third[1], second[1]);
    let tag = tag(&space);
    assert!(tag.starts_with("v1-1-g") && tag.ends_with("-dirty"), "{tag}");
}

#[test]
fn without_git_only_those_who_ask_fail() {
    let space = Space::with(STAMPED);
    let ran = space.layerbuild("//:revision //:plain");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("git"), "{ran:?}");
    assert_eq!(space.layerbuild("//:plain").code, 0);
    assert_eq!(space.layerbuild("query deps(//:revision)").code, 0);
}

#[test]
fn a_developers_own_file_that_git_keeps_is_warned_about() {
    if !has(&["git"]) {
        return;
    }
    let space = Space::with(TARGETS);
    space.write("layers.local.toml", "tag = \"mine\"\n");
    git(&space, "init -q");
    let warned = |ran: Ran| ran.stderr.contains("warning: git keeps `layers.local.toml`");
    assert!(!warned(space.layerbuild("//:other")));
    git(&space, "add .");
    assert!(warned(space.layerbuild("//:other")));
    assert!(!warned(space.layerbuild("--no-local //:other")));
}
