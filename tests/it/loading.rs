//! `layerbuild load` into real engines and into one of the tests' own: what they have is not sent, nor even read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::sample::noise;
use crate::space::{PROGRAM, Ran, Space};
use crate::support::{DockerRegistry, docker_engine, has, skip};

const TARGETS: &str = r#"
[files.large-files]
srcs = ["large"]
[files.app-files]
srcs = ["app"]
[image.app]
layers = [":large-files", ":app-files"]
entrypoint = ["/app"]
"#;

const NAME: &str = "registry.localhost/app:latest";
const LARGE: usize = 3_000_000;

fn space() -> Space {
    let space = Space::with(TARGETS);
    space.write("large", noise("large", LARGE));
    space.write("app", "one");
    space
}

/// Makes the blob of a layer in the store another one of the same size: whoever reads it fails.
fn spoil(space: &Space, label: &str) {
    let digest = crate::space::digest(&space.run(["build", label]));
    let hex = digest.trim_start_matches("sha256:");
    let path = space.cache().join("blobs/sha256").join(&hex[..2]).join(hex);
    let size = fs::metadata(&path).expect("a blob").len();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    fs::write(&path, vec![0; usize::try_from(size).expect("a size")]).expect("a blob");
}

/// The bytes that Docker was sent, as told.
fn sent(ran: &Ran) -> u64 {
    let before = ran.stderr.split_once(" bytes sent").unwrap_or_else(|| panic!("{ran:?}")).0;
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{ran:?}"))
}

fn loaded(space: &Space, command: &mut Command) -> Ran {
    loaded_as(NAME, space, command)
}

fn loaded_as(name: &str, space: &Space, command: &mut Command) -> Ran {
    let ran = space.output(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, format!("//:app {name}\n").as_str()), "{}", ran.stderr);
    ran
}

#[test]
fn docker_is_sent_only_the_layer_that_changed() {
    if !docker_engine() || !has(&["docker"]) {
        return;
    }
    let space = space();
    let docker = |words: &[&str]| {
        let output = Command::new("docker").args(words).output().expect("docker runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let load = || {
        let mut command = space.command(PROGRAM);
        command.env("DOCKER_HOST", std::env::var_os("DOCKER_HOST").expect("an engine"));
        sent(&loaded(&space, command.args(["load", "--to", "docker", "//:app"])))
    };
    let whole = load();
    assert!(whole > LARGE as u64, "{whole} bytes");
    space.write("app", "two");
    spoil(&space, "//:large-files");
    let part = load();
    assert!(part < 20_000, "{part} bytes for a layer of one small file");
    assert!(load() < part, "nothing but config and names");
    assert_eq!(docker(&["image", "inspect", "--format", "{{len .RootFS.Layers}}", NAME]), "2");
    docker(&["image", "rm", "--force", NAME]);
}

#[test]
fn podman_reads_only_the_layer_that_changed() {
    if !has(&["podman"]) {
        return;
    }
    let space = space();
    let storage = tempfile::tempdir().expect("a folder");
    let config = storage.path().join("storage.conf");
    let at = |name: &str| storage.path().join(name).display().to_string();
    let text = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n", at("root"), at("run"));
    fs::write(&config, text).expect("a file");
    let run = |program: &str, words: &[&str]| {
        let mut command = space.command(program);
        command.env("CONTAINERS_STORAGE_CONF", &config).args(words);
        command
    };
    if !run("podman", &["info"]).output().is_ok_and(|output| output.status.success()) {
        skip("podman does not run here");
        return;
    }
    let load = || loaded(&space, &mut run(PROGRAM, &["load", "--to", "podman", "//:app"]));
    load();
    space.write("app", "two");
    spoil(&space, "//:large-files");
    let second = load();
    assert!(second.stderr.contains("1 of 2 layers were in podman"), "{}", second.stderr);
    let digest = crate::space::digest(&space.run(["build", "//:app"]));
    let names = space.output(&mut run("podman", &["image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"]));
    assert!(names.stdout.lines().any(|line| line == format!("{NAME} {digest}")), "{}", names.stdout);
    assert!(!names.stdout.contains("localhost/layerbuild"), "no other name is left: {}", names.stdout);
}

/// A `docker` that says that it has a layer and then wants all of them; it keeps the last archive.
const FORGETFUL: &str = r#"#!/bin/sh
case "$1 $2" in
"version --format") echo linux/amd64 ;;
"image ls") echo sha256:1 ;;
"image inspect") cat "$STATE/layers" ;;
"load --quiet")
  cat >"$STATE/archive.tar"
  echo load >>"$STATE/calls"
  [ "$(tar tf "$STATE/archive.tar" | grep -c '\.tar$')" = 2 ] || { echo 'no such layer' >&2; exit 1; }
  ;;
*) exit 1 ;;
esac
"#;

fn fake(folder: &Path, text: &str) {
    let path = folder.join("docker");
    fs::write(&path, text).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn an_engine_that_lacks_what_it_named_is_sent_everything() {
    let space = space();
    let state = tempfile::tempdir().expect("a folder");
    fake(state.path(), FORGETFUL);
    let layout = space.path("layout");
    let export = ["export", "//:app", "--format", "oci", "--to", layout.to_str().expect("UTF-8")];
    assert_eq!(space.run(export).code, 0);
    fs::write(state.path().join("layers"), diff_ids(&layout)).expect("a file");
    let mut command = space.command(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", state.path().display())).env("STATE", state.path());
    let ran = loaded(&space, command.args(["load", "//:app"]));
    assert!(ran.stderr.contains("0 of 2 layers were in docker"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(state.path().join("calls")).expect("calls"), "load\nload\n");
}

/// The diff IDs of a layout's one image, as a JSON list.
fn diff_ids(layout: &Path) -> String {
    let read = |digest: &serde_json::Value| -> serde_json::Value {
        let hex = digest.as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
        serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex)).expect("a blob")).expect("JSON")
    };
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).expect("an index")).expect("JSON");
    let manifest = read(&index["manifests"][0]["digest"]);
    read(&manifest["config"]["digest"])["rootfs"]["diff_ids"].to_string()
}

#[test]
fn an_engine_that_ends_early_is_quoted() {
    let space = space();
    let state = tempfile::tempdir().expect("a folder");
    fake(
        state.path(),
        "#!/bin/sh\n[ \"$1\" = version ] && { echo linux/amd64; exit; }\necho 'no space left' >&2\nexit 1\n",
    );
    let mut command = space.command(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", state.path().display()));
    let ran = space.output(command.args(["load", "//:app"]));
    assert_eq!(ran.code, 36, "{}", ran.stderr);
    assert!(ran.stderr.contains("`docker load` failed: no space left"), "{}", ran.stderr);
}

#[test]
fn layers_of_a_pulled_base_that_docker_has_are_not_fetched() {
    if !docker_engine() || !has(&["docker"]) {
        return;
    }
    let Some(registry) = DockerRegistry::start() else { return };
    // Other layers than in the tests beside this one: they share the engine.
    let bases = Space::with(TARGETS);
    bases.write("large", noise("a base", 100_000));
    bases.write("app", "of the base");
    assert_eq!(bases.run(["--registry", &registry.address, "push", "//:app"]).code, 0);
    let base = format!("[pull.base]\nimage = \"{}/app:latest\"\n", registry.address);
    let space = Space::with(&format!(
        "{base}[files.own]\nsrcs = [\"own\"]\n[image.app]\nbase = \":base\"\nlayers = [\":own\"]\n"
    ));
    space.write("own", "one");
    assert_eq!(space.run(["lock"]).code, 0);
    let name = "of-a-pulled-base.localhost/app:latest";
    let load = || {
        let mut command = space.command(PROGRAM);
        command.env("DOCKER_HOST", std::env::var_os("DOCKER_HOST").expect("an engine"));
        command.args(["--registry", "of-a-pulled-base.localhost", "load", "--to", "docker", "//:app"]);
        loaded_as(name, &space, &mut command)
    };
    let first = load();
    assert!(first.stderr.contains("fetched //:app 2 layers"), "{}", first.stderr);
    fs::remove_dir_all(space.cache()).expect("the store");
    space.write("own", "two");
    let second = load();
    assert!(second.stderr.contains("2 of 3 layers were in docker"), "{}", second.stderr);
    assert!(!second.stderr.contains("fetched"), "{}", second.stderr);
    Command::new("docker").args(["image", "rm", "--force", name]).output().expect("docker runs");
}
