//! Images that are taken as this machine built them last: `local` in a profile or in the developer's own file.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::space::{Ran, Space, digest};

const LOW: &str =
    "[image.platform]\nlayers = [\":f\"]\nenv = { A = \"1\" }\n[files.f]\nsrcs = [\"conf\"]\ndest = \"/etc\"\n";
const HIGH: &str = r#"[image.app]
base = "//low:platform"
layers = [":g"]
env = { B = "2" }
[files.g]
content = { "/opt/g" = "g" }
[image.clash]
base = "//low:platform"
layers = [":h"]
[files.h]
content = { "/etc/conf/x" = "" }
"#;
const LOCAL: &str = "local = [\"//low/...\"]\n";

/// Two packages, the upper on the lower, all built once without the developer's own file; and the upper's digest.
fn built() -> (Space, String) {
    let space = Space::with("");
    space.write("low/layers.toml", LOW);
    space.write("low/conf", "one\n");
    space.write("high/layers.toml", HIGH);
    space.write("layers.local.toml", LOCAL);
    let digest = digest(&space.layerbuild("--no-local build //high:app"));
    (space, digest)
}

fn app(space: &Space) -> String {
    digest(&space.layerbuild("-q build //high:app"))
}

#[test]
fn what_stands_on_it_is_the_same_and_its_sources_and_package_are_not_needed() {
    let (space, first) = built();
    assert_eq!(app(&space), first);
    space.write("low/conf", "two\n");
    assert_eq!(app(&space), first, "an edit below is not looked at");
    fs::remove_file(space.path("low/conf")).expect("a source");
    assert_eq!(app(&space), first);
    fs::remove_dir_all(space.path("low")).expect("a package");
    assert_eq!(app(&space), first);
    assert_eq!(space.layerbuild("--no-local build //high:app").code, 2);
    // What lies below is held against the layers above as if it had been built.
    let clash = space.layerbuild("build //high:clash");
    assert_eq!(clash.code, 1, "{clash:?}");
    assert!(clash.stderr.contains("/etc/conf is a directory in //high:h, but a file in //low:f"), "{clash:?}");
}

#[test]
fn the_last_build_counts_and_one_that_comes_later_is_noticed() {
    let (space, first) = built();
    // Long enough for an answer to be kept.
    sleep(Duration::from_millis(2100));
    assert_eq!((app(&space), app(&space)), (first.clone(), first.clone()));
    space.write("low/conf", "two\n");
    let second = digest(&space.layerbuild("--no-local build //high:app"));
    assert_ne!(second, first);
    assert_eq!(app(&space), second);
    space.write("low/conf", "one\n");
    assert_eq!(digest(&space.layerbuild("--no-local build //high:app")), first);
    assert_eq!(app(&space), first, "a build that found everything known is a build");
}

#[test]
fn verbs_say_that_it_is_local_which_it_is_and_when_it_was_built() {
    let (space, _) = built();
    let low = digest(&space.layerbuild("--no-local build //low:platform"));
    let says = |line: &str, words: &[&str]| {
        let Ran { code, stdout, stderr } = space.layerbuild(line);
        assert_eq!(code, 0, "{line}: {stderr}");
        words.iter().for_each(|word| assert!(stdout.contains(word), "{line} lacks {word}: {stdout}"));
    };
    says(
        "explain //low:platform",
        &["//low:platform is taken as built here: ", &low, "layers.local.toml:1", "built at 2"],
    );
    says("--dry-run build //high:app", &["HIT  //low:platform local ", &low, "(built here at 2"]);
    says("config //low:platform", &["local = [\"//low/...\"]", "taken as built here at 2", &low]);
    says("query --output build //low:platform", &["# taken as built here last: layers.local.toml:1"]);
    says("ls //high:app", &["/etc/conf", "//low:f"]);
    says("env //low:platform", &[]);
    let told = space.layerbuild("status //low:platform");
    assert!(told.stdout.contains(&format!("{} (local)", &low[..19])), "{told:?}");
    let all = space.layerbuild("build //low/...");
    assert!(all.code == 0 && all.stderr.contains("nothing is built"), "wildcards pass over it: {all:?}");
    assert_eq!(digest(&space.layerbuild("build //low:platform")), low);
}

#[test]
fn a_result_that_has_left_the_store_is_an_error_that_says_what_to_run() {
    let (space, _) = built();
    let low = digest(&space.layerbuild("--no-local build //low:platform"));
    let hex = low.strip_prefix("sha256:").expect("a digest");
    fs::remove_file(space.cache().join("blobs/sha256").join(&hex[..2]).join(hex)).expect("a blob");
    let gone = space.layerbuild("build //high:app");
    assert_eq!(gone.code, 1, "{gone:?}");
    let says = "run `layerbuild build --no-local //low:platform`";
    assert!(gone.stderr.contains("the store has") && gone.stderr.contains(says), "{gone:?}");
    assert_eq!(digest(&space.layerbuild("--no-local build //low:platform")), low);
    assert_eq!(space.layerbuild("build //high:app").code, 0);
}

#[test]
fn a_layer_that_has_left_the_store_is_told_with_the_image_to_build_and_under_what() {
    let (space, _) = built();
    let layer = space.layerbuild("--no-local explain --json --cost //low:f").stdout;
    assert!(layer.contains("//low:f"), "{layer}");
    let digest = digest(&space.layerbuild("--no-local build //low:f"));
    let hex = digest.strip_prefix("sha256:").expect("a digest");
    fs::remove_file(space.cache().join("blobs/sha256").join(&hex[..2]).join(hex)).expect("a blob");
    let gone = space.layerbuild("export //high:app --format oci --to x");
    assert!(gone.code != 0 && gone.stderr.contains("run `layerbuild build --no-local //low:platform`"), "{gone:?}");
    let root = fs::read_to_string(space.path("layers.toml")).expect("a text");
    space.write("layers.toml", format!("{root}\n[profile.mine]\nlocal = [\"//low/...\"]\n"));
    let gone = space.layerbuild("--no-local --profile mine export //high:app --format oci --to x");
    assert!(gone.stderr.contains("run `layerbuild build //low:platform` under a profile that builds it"), "{gone:?}");
}

#[test]
fn what_a_layer_costs_is_counted_once() {
    let (space, _) = built();
    let cost = |line: &str| space.layerbuild(&format!("explain --json --cost {line}")).stdout;
    let both = cost("//high:app //low:f");
    assert_eq!(both.matches("\"//low:f\"").count(), 1, "{both}");
    assert_eq!(cost("//high:app").matches("\"//low:f\"").count(), 1);
}
