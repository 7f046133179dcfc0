//! Image tests in front of Debian's `docker-registry`: what stops a push, what is remembered, and what is read of a base.

use crate::space::{Ran, Space};
use crate::support::DockerRegistry;

const TARGETS: &str = r#"
[files.tools]
content = { "/var/lib/dpkg/status.d/PACKAGE" = "Package: PACKAGE\nVersion: 12\n" }
[image.app]
layers = [":tools"]
tests = [":app-test"]
[image.other]
layers = [":tools"]
[index.everywhere]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
[image_test.app-test]
image = ":app"
absent-packages = ["gcc*"]
"#;

fn space(package: &str) -> Space {
    Space::with(&TARGETS.replace("PACKAGE", package))
}

fn published(registry: &DockerRegistry) -> String {
    let answer = registry.get("/v2/_catalog");
    answer.lines().last().unwrap_or_default().to_owned()
}

fn push(space: &Space, registry: &DockerRegistry, line: &str) -> Ran {
    let args = ["--registry", &registry.address].into_iter().chain(line.split(' '));
    space.run(args.collect::<Vec<_>>())
}

#[test]
fn a_compiler_in_the_image_stops_its_push_and_that_alone() {
    let Some(registry) = DockerRegistry::start() else { return };
    let bad = space("gcc-12");
    for line in ["push //:app", "push //:everywhere"] {
        let stopped = push(&bad, &registry, line);
        assert_eq!((stopped.code, stopped.stdout.as_str()), (1, ""), "{line}: {}", stopped.stderr);
        for part in ["absent-packages", "found gcc-12 12 (from //:tools)", "//:app-test did not pass"] {
            assert!(stopped.stderr.contains(part), "{line}: {}", stopped.stderr);
        }
        assert_eq!(published(&registry), r#"{"repositories":[]}"#, "{line}");
    }
    let rest = push(&bad, &registry, "push -k //:all");
    assert_eq!(rest.code, 1, "{}", rest.stderr);
    assert_eq!(published(&registry), r#"{"repositories":["other"]}"#);
    let good = push(&space("tini"), &registry, "push //:all");
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert_eq!(published(&registry), r#"{"repositories":["app","everywhere","other"]}"#);
}

#[test]
fn a_pass_is_remembered_and_a_failure_is_not() {
    let (good, bad) = (space("tini"), space("gcc-12"));
    let result = |space: &Space| {
        let ran = space.layerbuild("check //:app-test");
        let row = ran.stdout.lines().nth(1).unwrap_or_default().to_owned();
        (ran.code, row.split_whitespace().nth(1).unwrap_or_default().to_owned())
    };
    assert_eq!([result(&good), result(&good)], [(0, "passed".into()), (0, "cached".into())]);
    assert_eq!([result(&bad), result(&bad)], [(3, "failed".into()), (3, "failed".into())]);
    // The same image under other conditions is another question.
    let stricter = TARGETS.replace("PACKAGE", "tini").replace("gcc*", "tini");
    good.write("layers.toml", format!("[workspace]\nname = \"test\"\n{stricter}"));
    assert_eq!(result(&good), (3, "failed".into()));
}

#[test]
fn a_promotion_is_held_against_what_the_registry_has() {
    let (Some(staging), Some(production)) = (DockerRegistry::start(), DockerRegistry::start()) else { return };
    let profile =
        |name: &str, registry: &DockerRegistry| format!("[profile.{name}]\nregistry = \"{}\"\n", registry.address);
    let space = Space::empty();
    let now = |package: &str, absent: &str| {
        let targets = TARGETS.replace("PACKAGE", package).replace("gcc*", absent);
        let profiles = [profile("staging", &staging), profile("production", &production)].concat();
        space.write("layers.toml", format!("[workspace]\nname = \"test\"\n{targets}\n{profiles}"));
    };
    now("gcc-12", "clang*");
    assert_eq!(space.layerbuild("push //:app //:everywhere --profile staging").code, 0);
    // What would be built now passes; what is published does not.
    now("tini", "gcc*");
    let promote = || space.layerbuild("promote //:app //:everywhere --from staging --to production");
    let stopped = promote();
    assert_eq!((stopped.code, stopped.stdout.as_str()), (1, ""), "{}", stopped.stderr);
    for part in ["found gcc-12 12", "//:app was not promoted", "//:everywhere was not promoted"] {
        assert!(stopped.stderr.contains(part), "{}", stopped.stderr);
    }
    assert_eq!(published(&production), r#"{"repositories":[]}"#);
    now("tini", "clang*");
    let done = promote();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(published(&production), r#"{"repositories":["app","everywhere"]}"#);
}

#[test]
fn what_listings_tell_fetches_no_layer_of_a_base() {
    let Some(registry) = DockerRegistry::start() else { return };
    let pushed = push(&space("tini"), &registry, "push //:other");
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let user = |test: &str| {
        let space = Space::with(&format!(
            "[pull.base]\nimage = \"{}/other:latest\"\n[image.app]\nbase = \":base\"\n\
             [image_test.t]\nimage = \":app\"\n{test}\n",
            registry.address
        ));
        assert_eq!(space.layerbuild("lock").code, 0);
        std::fs::remove_dir_all(space.cache()).expect("a store");
        assert_eq!(space.layerbuild("check //:t").code, 0);
        // A layer begins as gzip does; manifests, configs and listings are text.
        let blobs = walk(&space.cache().join("blobs"));
        blobs.iter().filter(|bytes| bytes.starts_with(&[0x1f, 0x8b])).count()
    };
    assert_eq!(user("max-size = \"1MB\"\nabsent-paths = [\"/usr/bin/gcc\"]"), 0);
    assert_eq!(user("absent-packages = [\"gcc*\"]\npresent-packages = [\"tini\"]"), 1);
}

/// The contents of all files below a folder.
fn walk(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![std::fs::read(&path).expect("a file")] })
        .collect()
}
