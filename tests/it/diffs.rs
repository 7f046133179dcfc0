//! `layerbuild diff` against images in Debian's `docker-registry`: what was pushed from here, and what others pushed.

use crate::readers::programs::skopeo;
use crate::space::{Ran, Space, digest};
use crate::support::{DockerRegistry, has};

const TARGETS: &str = r#"
[files.below-files]
content = { "/etc/below" = "the same everywhere\n" }
[files.app-files]
srcs = ["app"]
dest = "/opt"
[image.app]
layers = [":below-files", ":app-files"]
[index.both]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

fn quiet(space: &Space, registry: &DockerRegistry, arguments: &[&str]) -> Ran {
    space.run([&["-q", "--registry", &registry.address], arguments].concat())
}

#[test]
fn a_target_is_compared_with_what_is_published_without_anything_of_it_in_the_store() {
    let Some(registry) = DockerRegistry::start() else { return };
    let space = Space::with(TARGETS);
    space.write("app", "one\n");
    assert_eq!(quiet(&space, &registry, &["push", "//:app", "//:both"]).code, 0);
    let old = digest(&space.run(["build", "//:app"]));
    space.write("app", "two\n");
    std::fs::remove_dir_all(space.cache()).expect("the store");
    let reference = format!("{}/app:latest", registry.address);
    let ran = quiet(&space, &registry, &["diff", &reference, "//:app"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], format!("--- {reference} {old}"));
    assert!(lines[2].starts_with("- layer 2 sha256:") && lines[3].starts_with("+ layer 2 sha256:"), "{lines:#?}");
    assert_eq!(lines[4..], ["~ /opt/app content"]);

    let by_digest = format!("{}/app@{old}", registry.address);
    let same = quiet(&space, &registry, &["diff", &reference, &by_digest, "--exit-code"]);
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{}", same.stderr);
    let index = format!("{}/both:latest", registry.address);
    let other = quiet(&space, &registry, &["diff", &index, &reference, "--platform", "linux/arm64", "--exit-code"]);
    assert_eq!(other.code, 3, "{}", other.stderr);
    let usual = quiet(&space, &registry, &["diff", &index, &reference, "--platform", "linux/arm64/v8", "--exit-code"]);
    assert_eq!((usual.code, &usual.stdout), (3, &other.stdout), "{}", usual.stderr);
    assert!(other.stdout.ends_with("~ architecture \"arm64\" → \"amd64\"\n"), "{}", other.stdout);
}

#[test]
fn an_image_that_another_program_recompressed_holds_the_same_paths() {
    let Some(registry) = DockerRegistry::start() else { return };
    if !has(&["skopeo"]) {
        return;
    }
    let space = Space::with(TARGETS);
    space.write("app", "one\n");
    assert_eq!(quiet(&space, &registry, &["push", "//:app"]).code, 0);
    let (ours, theirs) = (format!("{}/app:latest", registry.address), format!("{}/theirs:1", registry.address));
    let (from, to) = (format!("docker://{ours}"), format!("docker://{theirs}"));
    let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let zstd = ["--dest-compress-format=zstd", "--dest-force-compress-format"];
    let copied = skopeo(&[&["copy"], &tls[..], &zstd, &[&from, &to]].concat());
    if copied.is_err() {
        // An older skopeo can't recompress while it copies: Docker's types then.
        skopeo(&[&["copy", "--format", "v2s2"], &tls[..], &[&from, &to]].concat()).expect("a copy");
    }
    let ran = quiet(&space, &registry, &["--json", "diff", &ours, &theirs]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_ne!(told["a"]["digest"], told["b"]["digest"]);
    assert_eq!(told["paths"], serde_json::json!([]));
}

#[test]
fn a_locked_base_is_not_read_for_its_paths() {
    let Some(registry) = DockerRegistry::start() else { return };
    let base = Space::with(TARGETS);
    base.write("app", "one\n");
    assert_eq!(quiet(&base, &registry, &["push", "//:app"]).code, 0);
    let over = |name: &str, text: &str| {
        format!(
            "[files.{name}-files]\ncontent = {{ \"/etc/below\" = \"{text}\\n\" }}\n[image.{name}]\nbase = \":base\"\nlayers = [\":{name}-files\"]\n"
        )
    };
    let replaced = [over("same", "the same everywhere"), over("other", "not same everywhere")].concat();
    let space = Space::with(&format!(
        "{replaced}[pull.base]\nimage = \"{}/app:latest\"\n[files.own]\nsrcs = [\"own\"]\n[image.over]\nbase = \":base\"\nlayers = [\":own\"]\n",
        registry.address
    ));
    space.write("own", "1\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    assert_eq!(space.layerbuild("build //:over").code, 0);
    // Files of one size are told apart by their bytes, those of the base too.
    for (label, expected) in [("//:same", ""), ("//:other", "~ /etc/below content")] {
        let ran = space.layerbuild(&format!("-q diff //:base {label}"));
        assert_eq!(ran.code, 0, "{label}: {}", ran.stderr);
        let paths: Vec<&str> = ran.stdout.lines().filter(|line| line.get(1..3) == Some(" /")).collect();
        assert_eq!(paths.join("\n"), expected, "{label}");
    }
    space.write("own", "22\n");
    drop(registry);
    for (line, change) in
        [("diff //:over~1 //:over", "~ /own size 2 → 3"), ("diff //:base //:over", "+ /own file mode")]
    {
        let ran = space.layerbuild(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        let paths: Vec<&str> = ran.stdout.lines().filter(|line| line.get(1..3) == Some(" /")).collect();
        assert!(paths.len() == 1 && paths[0].starts_with(change), "{line}: {paths:?}");
    }
}

#[test]
fn a_damaged_layer_of_the_store_is_not_compared() {
    let Some(registry) = DockerRegistry::start() else { return };
    let space = Space::with(TARGETS);
    space.write("app", "one\n");
    assert_eq!(quiet(&space, &registry, &["push", "//:app"]).code, 0);
    space.write("app", "two\n");
    let layer = digest(&space.run(["build", "//:app-files"]));
    let hex = layer.trim_start_matches("sha256:");
    let blob = space.cache().join("blobs/sha256").join(&hex[..2]).join(hex);
    let mut bytes = std::fs::read(&blob).expect("a blob");
    // The header's time stamp: still a layer that can be read.
    bytes[4] ^= 1;
    std::fs::remove_file(&blob).expect("removed");
    std::fs::write(&blob, bytes).expect("a blob");
    let ran = quiet(&space, &registry, &["diff", &format!("{}/app:latest", registry.address), "//:app"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (36, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(hex), "{}", ran.stderr);
}

#[test]
fn a_tag_that_is_not_there_is_the_callers_mistake() {
    let Some(registry) = DockerRegistry::start() else { return };
    let space = Space::with(TARGETS);
    space.write("app", "one\n");
    let reference = format!("{}/app:gone", registry.address);
    let ran = quiet(&space, &registry, &["diff", &reference, "//:app"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains(&reference) || ran.stderr.contains("app/manifests/gone"), "{}", ran.stderr);
}
