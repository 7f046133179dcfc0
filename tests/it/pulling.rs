//! Bases from Debian's `docker-registry`, put there by skopeo: locked, built on, listed, exported and pushed; each with a
//! store that has seen nothing.

use std::fs;
use std::path::Path;

use crate::readers::programs::skopeo;
use crate::space::{Ran, Space, digest};
use crate::support::{DockerRegistry, has};

/// What the base is: two platforms, a link to a directory, a directory of an unusual mode.
const BASE: &str = r#"
[files.base-files]
content = { "/usr/bin/sh" = "a shell\n", "/etc/os-release" = "VERSION" }
links = { "/bin" = "usr/bin" }
dirs = { "/tmp" = { mode = "1777" } }
[image.base]
layers = [":base-files"]
env = { PATH = "/bin" }
[index.both]
images = [":base"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

/// A registry with an index at `library/base:1` and an image of Docker's schema 2 at `library/docker:1`; `None` where a
/// program is missing.
fn registry() -> Option<DockerRegistry> {
    let registry = DockerRegistry::start()?;
    if !has(&["skopeo"]) {
        return None;
    }
    put(&registry, "12");
    Some(registry)
}

/// Puts the bases under their tags, made of this text.
fn put(registry: &DockerRegistry, version: &str) {
    let space = Space::with(&BASE.replace("VERSION", version));
    for (label, name, extra) in [("//:both", "base", "--all"), ("//:base", "docker", "--format=v2s2")] {
        let folder = space.path(name).display().to_string();
        succeeds(&space.run(["export", label, "--format", "oci", "--to", &folder]));
        let target = format!("docker://{}/library/{name}:1", registry.address);
        skopeo(&["copy", "--quiet", "--dest-tls-verify=false", extra, &format!("oci:{folder}"), &target])
            .expect("a copy");
    }
}

fn succeeds(ran: &Ran) -> &Ran {
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// A workspace whose images stand on the two bases.
fn user(registry: &DockerRegistry) -> Space {
    let address = &registry.address;
    Space::with(&format!(
        r#"
[profile.other]
registry = "{address}/mine"
[pull.base]
image = "{address}/library/base:1"
platforms = ["linux/amd64", "linux/arm64"]
[pull.docker]
image = "{address}/library/docker:1"
[files.own]
content = {{ "/opt/own" = "mine\n" }}
[files.own-zstd]
content = {{ "/opt/own" = "mine\n" }}
compression = "zstd"
[image.app]
base = ":base"
layers = [":own"]
[image.app-arm]
base = ":base"
layers = [":own"]
platform = "linux/arm64"
[image.app-docker]
base = ":docker"
layers = [":own"]
[image.app-zstd]
base = ":docker"
layers = [":own-zstd"]
[index.everywhere]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#
    ))
}

fn forget(space: &Space) {
    fs::remove_dir_all(space.cache()).expect("a store");
}

/// Digests of the layers of an image of an exported layout, lowest first, and the manifest's media types.
fn exported(space: &Space, label: &str) -> (Vec<String>, Vec<String>) {
    let folder = space.path("exported");
    let _ = fs::remove_dir_all(&folder);
    succeeds(&space.run(["export", label, "--format", "oci", "--to", "exported"]));
    let raw = skopeo(&["inspect", "--raw", &format!("oci:{}", folder.display())]).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let layers = manifest["layers"].as_array().expect("layers");
    let mut types = vec![text(&manifest["mediaType"]), text(&manifest["config"]["mediaType"])];
    types.extend(layers.iter().map(|layer| text(&layer["mediaType"])));
    (layers.iter().map(|layer| text(&layer["digest"])).collect(), types)
}

fn is_kept(space: &Space, digest: &str) -> bool {
    let hex = digest.trim_start_matches("sha256:");
    space.cache().join("blobs/sha256").join(&hex[..2]).join(hex).exists()
}

#[test]
fn a_second_machine_builds_the_same_from_the_lock_and_fetches_layers_only_when_their_files_are_needed() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    let locked = space.layerbuild("lock");
    assert_eq!(succeeds(&locked).stdout.lines().count(), 2, "{}", locked.stdout);
    assert!(locked.stderr.contains("write image = \""), "{}", locked.stderr);
    let first = digest(succeeds(&space.layerbuild("build //:app")));
    forget(&space);
    let again = space.layerbuild("build //:app");
    assert_eq!(digest(succeeds(&again)), first);
    let listed = space.layerbuild("ls //:app").stdout;
    for line in ["/bin -> usr/bin  //:base", "drwxrwxrwt  0:0  0  /tmp", "/opt/own         //:own"] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&listed).contains(&squeezed(line)), "{line} in\n{listed}");
    }
    let manifest =
        skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{}/library/docker:1", registry.address)]);
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.expect("a manifest")).expect("JSON");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    assert!(!is_kept(&space, layer), "building and listing keep no layer");
    let (layers, _) = exported(&space, "//:app");
    assert_eq!(layers[0], layer);
    assert!(is_kept(&space, layer), "an export needs it");
}

#[test]
fn an_image_gets_the_base_of_its_platform_and_an_index_one_for_each() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    succeeds(&space.layerbuild("lock //:base"));
    succeeds(&space.layerbuild("build //:everywhere //:app-arm"));
    let arm = space.layerbuild("ls //:everywhere").stdout;
    assert_eq!(arm.lines().count(), 2, "{arm}");
    let own = digest(succeeds(&space.layerbuild("build //:app-arm")));
    assert!(arm.lines().any(|line| line.starts_with("linux/arm64") && line.contains(&own)), "{own} in\n{arm}");
}

#[test]
fn a_schema_2_base_stays_docker_unless_zstd_makes_all_of_it_oci() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    succeeds(&space.layerbuild("lock"));
    let (docker, types) = exported(&space, "//:app-docker");
    assert!(types.iter().all(|name| name.contains(".docker.")), "{types:?}");
    let (zstd, types) = exported(&space, "//:app-zstd");
    assert!(types.iter().all(|name| name.contains(".oci.")), "{types:?}");
    assert_eq!(docker[0], zstd[0], "the base's layer is untouched");
}

#[test]
fn a_moved_tag_is_told_and_followed_only_by_update() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    succeeds(&space.layerbuild("lock"));
    let built = digest(succeeds(&space.layerbuild("build //:app")));
    let before = fs::read_to_string(space.path("layers.lock")).expect("a lock file");
    put(&registry, "13");
    for line in ["lock --check", "lock"] {
        let told = space.layerbuild(line);
        assert!(succeeds(&told).stderr.contains("names sha256:"), "{}", told.stderr);
        assert!(told.stderr.contains("`layerbuild lock --update //:base` takes the new one"), "{}", told.stderr);
        assert_eq!(
            (told.stdout.as_str(), &fs::read_to_string(space.path("layers.lock")).expect("a file")),
            ("", &before)
        );
    }
    assert_eq!(digest(&space.layerbuild("build //:app")), built);
    let moved = space.layerbuild("lock --update //:base");
    assert!(succeeds(&moved).stdout.contains(" → sha256:") && moved.stdout.lines().count() == 1, "{}", moved.stdout);
    assert_ne!(digest(succeeds(&space.layerbuild("build //:app"))), built);
    let why = space.layerbuild("explain //:app");
    assert!(
        why.stdout.contains("base digest changed: sha256:") && why.stdout.contains("root cause: //:base"),
        "{}",
        why.stdout
    );
}

#[test]
fn a_digest_in_the_reference_pins_whatever_the_tag_names() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    let locked = succeeds(&space.layerbuild("lock")).stdout.clone();
    let built = digest(succeeds(&space.layerbuild("build //:app")));
    let line = locked.lines().find(|line| line.starts_with("//:base ")).expect("a line");
    let index = line.rsplit(' ').next().expect("a digest");
    let text = fs::read_to_string(space.path("layers.toml")).expect("a file");
    space.write("layers.toml", text.replace("library/base:1", &format!("library/base:no-such-tag@{index}")));
    succeeds(&space.layerbuild("lock --check"));
    assert_eq!(digest(succeeds(&space.layerbuild("build //:app"))), built);
    let again = space.layerbuild("lock --update //:base");
    assert!(!succeeds(&again).stderr.contains("to pin it"), "{}", again.stderr);
    assert!(fs::read_to_string(space.path("layers.lock")).expect("a file").contains("no-such-tag@sha256:"));
    forget(&space);
    assert_eq!(digest(succeeds(&space.layerbuild("build //:app"))), built);
}

#[test]
fn what_contradicts_a_base_is_told_alike_where_its_layers_are_and_where_nothing_is() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    let more = "[files.wrong]\ncontent = { \"/bin/tool\" = \"x\", \"/tmp/y\" = \"y\" }\n[image.bad]\nbase = \":base\"\nlayers = [\":wrong\"]\n";
    let text = fs::read_to_string(space.path("layers.toml")).expect("a file");
    space.write("layers.toml", text + more);
    succeeds(&space.layerbuild("lock"));
    succeeds(&space.layerbuild("export //:app --format oci --to exported"));
    let told = space.layerbuild("build //:bad");
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(told.stderr.contains("/bin is a symbolic link to usr/bin in //:base"), "{}", told.stderr);
    assert!(told.stderr.contains("would change /tmp from //:base"), "{}", told.stderr);
    forget(&space);
    let error = |ran: &Ran| ran.stderr[ran.stderr.find("error:").expect("an error")..].to_owned();
    assert_eq!(error(&space.layerbuild("build //:bad")), error(&told));
}

#[test]
fn a_push_brings_the_bases_layers_along_without_keeping_them() {
    let (Some(registry), Some(target)) = (registry(), DockerRegistry::start()) else { return };
    let space = user(&registry);
    succeeds(&space.layerbuild("lock"));
    forget(&space);
    for (registry, what) in [(&target, "another registry"), (&registry, "the base's own registry")] {
        let pushed = space.run(["--registry", &format!("{}/mine", registry.address), "push", "//..."]);
        assert_eq!(succeeds(&pushed).stdout.lines().count(), 5, "pulled bases are not pushed: {}", pushed.stdout);
        let source = format!("docker://{}/mine/app:latest", registry.address);
        let copy = format!("dir:{}", space.path("copied").display());
        skopeo(&["copy", "--quiet", "--src-tls-verify=false", &source, &copy]).expect(what);
    }
    let layers = blobs_larger_than(&space.cache().join("blobs"), "a shell\n");
    assert_eq!(layers, 0, "the base's layer went through this machine, not into its store");
    let refused = space.layerbuild("push //:base");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("//:base is somebody else's image"), "{}", refused.stderr);
}

/// How many blobs below a folder are gzip of a tar that holds this text.
fn blobs_larger_than(folder: &Path, text: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found += blobs_larger_than(&path, text);
        } else {
            let mut plain = String::new();
            let file = fs::File::open(&path).expect("a blob");
            let _ = std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file), &mut plain);
            found += usize::from(plain.contains(text));
        }
    }
    found
}

#[test]
fn offline_names_what_is_missing_and_does_without_what_is_there() {
    let Some(registry) = registry() else { return };
    let space = user(&registry);
    let refused = space.layerbuild("--offline lock //:base");
    assert_eq!(refused.code, 36);
    let forbids = format!("--offline forbids to ask `{0}` for `{0}/library/base:1`", registry.address);
    assert!(refused.stderr.contains(&forbids), "{}", refused.stderr);
    succeeds(&space.layerbuild("lock"));
    succeeds(&space.layerbuild("--offline build //..."));
    succeeds(&space.layerbuild("--offline ls //:app"));
    succeeds(&space.layerbuild("--offline lock --check"));
    let refused = space.layerbuild("--offline export //:app --format oci --to exported");
    assert_eq!(refused.code, 36, "{}", refused.stderr);
    assert!(refused.stderr.contains("//:app: --offline forbids to ask"), "{}", refused.stderr);
    forget(&space);
    let refused = space.layerbuild("--offline build //:app");
    assert_eq!(refused.code, 36);
    assert!(refused.stderr.contains("//:base failed: ") && refused.stderr.contains("library/base@sha256:"));
}

#[test]
fn an_image_on_one_that_was_built_here_is_pushed_with_the_layers_of_the_base_below_and_a_warning() {
    let Some(registry) = registry() else { return };
    let space = Space::empty();
    let address = &registry.address;
    space.write("layers.toml", format!("[workspace]\nname = \"w\"\nregistry = \"{address}/mine\"\n"));
    let low = format!(
        "[pull.base]\nimage = \"{address}/library/base:1\"\n[image.platform]\nbase = \":base\"\nlayers = [\":f\"]\n[files.f]\ncontent = {{ \"/etc/f\" = \"f\" }}\n"
    );
    space.write("low/layers.toml", low);
    let high =
        "[image.app]\nbase = \"//low:platform\"\nlayers = [\":g\"]\n[files.g]\ncontent = { \"/opt/g\" = \"g\" }\n";
    space.write("high/layers.toml", high);
    succeeds(&space.layerbuild("lock"));
    let built = digest(succeeds(&space.layerbuild("build //high:app")));
    fs::remove_dir_all(space.path("low")).expect("a package");
    space.write("layers.local.toml", "local = [\"//low/...\"]\n");
    let pushed = space.layerbuild("push //high:app");
    assert!(succeeds(&pushed).stdout.contains(&built), "{pushed:?}");
    assert!(pushed.stderr.contains("warning: //low:platform is taken as built here at 2"), "{}", pushed.stderr);
    let listed = space.layerbuild("ls //high:app");
    assert!(succeeds(&listed).stdout.contains("//low:base") && listed.stdout.contains("//low:f"), "{}", listed.stdout);
    // The base's layers were not here: a second machine pulls the image whole.
    forget(&space);
    fs::remove_file(space.path("layers.local.toml")).expect("a file");
    let other = format!("[pull.app]\nimage = \"{address}/mine/high/app:latest\"\n");
    space.write("high/layers.toml", other);
    succeeds(&space.layerbuild("lock"));
    assert!(succeeds(&space.layerbuild("ls //high:app")).stdout.contains("/etc/f"));
}

#[test]
fn a_profile_takes_targets_as_published_without_their_sources_or_their_packages() {
    let Some(registry) = registry() else { return };
    let space = Space::empty();
    let address = &registry.address;
    space.write(
        "layers.toml",
        format!(
            "[workspace]\nname = \"w\"\nregistry = \"{address}/mine\"\n[profile.production]\nfrom-registry = [\"//low/...\"]\n"
        ),
    );
    let low = format!(
        "[pull.base]\nimage = \"{address}/library/base:1\"\n[image.platform]\nbase = \":base\"\nlayers = [\":f\"]\n[files.f]\nsrcs = [\"conf\"]\ndest = \"/etc\"\n[image.unused]\n"
    );
    space.write("low/layers.toml", low);
    space.write("low/conf", "a\n");
    space.write(
        "high/layers.toml",
        "[image.app]\nbase = \"//low:platform\"\nlayers = [\":g\"]\n[files.g]\ncontent = { \"/opt/g\" = \"g\" }\n",
    );
    succeeds(&space.layerbuild("lock"));
    succeeds(&space.layerbuild("push //low:platform"));
    let built = digest(succeeds(&space.layerbuild("build //high:app")));

    let stale = space.layerbuild("--profile production build //high:app");
    assert_eq!(stale.code, 2);
    assert!(stale.stderr.contains("run `layerbuild lock --profile production //low:platform`"), "{}", stale.stderr);
    let locked = space.layerbuild("--profile production lock");
    assert!(succeeds(&locked).stdout.starts_with("//low:platform low/platform:latest sha256:"), "{}", locked.stdout);
    assert_eq!(locked.stdout.lines().count(), 1, "nothing needs the other images: {}", locked.stdout);
    let file = fs::read_to_string(space.path("layers.lock")).expect("a lock file");
    assert!(
        file.contains("[profile.production.\"//low:platform\"]") && file.contains("[pull.\"//low:base\"]"),
        "{file}"
    );

    fs::remove_file(space.path("low/conf")).expect("a source");
    forget(&space);
    assert_eq!(digest(succeeds(&space.layerbuild("--profile production build //high:app"))), built);
    fs::remove_dir_all(space.path("low")).expect("a package");
    forget(&space);
    assert_eq!(digest(succeeds(&space.layerbuild("--profile production build //..."))), built);
    succeeds(&space.layerbuild("--profile production lock"));
    assert_eq!(
        fs::read_to_string(space.path("layers.lock")).expect("a lock file"),
        file,
        "absent packages keep their entries"
    );
}
