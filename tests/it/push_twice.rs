//! `layerbuild push` to Debian's `docker-registry`: what is said is what other programs find there, and a second push sends
//! only what changed. Counted in the registry's own data folder.

use std::collections::BTreeSet;
use std::path::Path;

use layerbuild::digest::Digest;

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

/// Pushes; the digest that is said, which skopeo must find under the tag, and what was told on stderr.
fn pushed(workspace: &Workspace, registry: &DockerRegistry) -> (String, String) {
    let output = workspace.layerbuild(&["--verbose", "--registry", &registry.address, "push", "//:app"]);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    let line = said.strip_suffix('\n').expect("a line");
    let reference = format!("{}/app:1.0", registry.address);
    let digest = line.strip_prefix(&format!("//:app {reference}@")).unwrap_or_else(|| panic!("{line}"));
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
