//! `layerbuild push` to Debian's `docker-registry`: what is said is what other programs find there, and a second push sends
//! only what changed. Counted in the registry's own data folder.

use std::collections::BTreeSet;
use std::path::Path;

use layerbuild::digest::Digest;

use crate::proxy::Proxy;
use crate::readers::programs::skopeo;
use crate::readers::sample::Workspace;
use crate::support::{DockerRegistry, has};

const LAYERS: &str = r#"
[workspace]
name = "push"
tag = "1.0"
[files.base-files]
srcs = ["base/**"]
[files.app-files]
srcs = ["app/**"]
dest = "/opt"
[image.app]
layers = [":base-files", ":app-files"]
"#;

#[test]
fn what_push_says_is_what_skopeo_finds_and_an_edit_sends_one_layer_config_and_manifest() {
    let Some(registry) = DockerRegistry::start() else { return };
    let workspace = Workspace::new(LAYERS);
    workspace.write("base/file", b"base\n");
    workspace.write("app/file", b"first\n");
    let push = || pushed(&workspace, &registry);
    let (first, _) = push();
    let before = blobs(&registry.data());
    assert_eq!(before.len(), 4, "two layers, a config and a manifest");

    let (again, told) = push();
    assert_eq!((&again, &before), (&first, &blobs(&registry.data())));
    assert!(told.contains("cached") && told.contains("push"), "{told}");

    workspace.write("app/file", b"second\n");
    let (edited, _) = push();
    assert_ne!(edited, first);
    let added: BTreeSet<String> = blobs(&registry.data()).difference(&before).cloned().collect();
    assert_eq!(added.len(), 3, "one layer, the config and the manifest: {added:?}");

    workspace.write("app/file", b"first\n");
    let (back, _) = push();
    assert_eq!(back, first);
    assert_eq!(blobs(&registry.data()).len(), 7, "nothing new");
}

#[test]
fn an_unchanged_push_of_six_images_asks_once_a_tag_and_sends_nothing() {
    let Some(registry) = DockerRegistry::start() else { return };
    let proxy = Proxy::start(&registry.address, usize::MAX);
    let image = |number| format!("[image.app-{number}]\nlayers = [\":base-files\"]\nenv = {{ N = \"{number}\" }}\n");
    let images: String = (0..6).map(image).collect();
    let workspace = Workspace::new(
        &format!("{LAYERS}{images}").replace("[image.app]\nlayers = [\":base-files\", \":app-files\"]\n", ""),
    );
    workspace.write("base/file", b"base\n");
    workspace.write("app/file", b"first\n");
    let push = || workspace.layerbuild(&["--registry", &proxy.address, "push", "//:all"]);
    assert!(push().status.success());
    proxy.arm(None);
    let again = push();
    assert!(String::from_utf8_lossy(&again.stderr).contains("0 pushed, 6 cached"), "{again:?}");
    let seen = proxy.seen();
    let heads = seen.iter().filter(|line| line.starts_with("HEAD ") && line.ends_with("/manifests/1.0")).count();
    assert_eq!((heads, seen.len(), proxy.bytes()), (6, 7, 0), "one GET of /v2/ beside them: {seen:?}");
}

/// Pushes; the digest that is said, which skopeo must find under the tag, and what was told on stderr.
fn pushed(workspace: &Workspace, registry: &DockerRegistry) -> (String, String) {
    let output = workspace.layerbuild(&["--verbose", "--registry", &registry.address, "push", "//:app"]);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    let line = said.strip_suffix('\n').expect("a line");
    let reference = format!("{}/app:1.0", registry.address);
    let digest = line.strip_prefix(&format!("//:app {reference}@")).expect("the label and the reference");
    if has(&["skopeo"]) {
        let manifest = skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{reference}")]);
        assert_eq!(Digest::of(&manifest.expect("a manifest")).to_string(), digest);
    }
    (digest.to_owned(), told.into_owned())
}

/// Names of the blobs that a registry keeps.
fn blobs(data: &Path) -> BTreeSet<String> {
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let shards = list(&data.join("docker/registry/v2/blobs/sha256"));
    shards.iter().flat_map(|shard| list(shard)).map(|blob| blob.display().to_string()).collect()
}
