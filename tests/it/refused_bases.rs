//! Images of a real registry that nothing can stand on: each is refused when it is to be locked, with its reason, and
//! what was locked stays.

use serde_json::{Value, json};

use layerbuild::digest::Digest;

use crate::readers::programs::skopeo;
use crate::space::Space;
use crate::support::{DockerRegistry, has};

/// Takes schema 1, and layers that lie elsewhere.
const LENIENT: &str =
    "compatibility: {schema1: {enabled: true}}\nvalidation: {manifests: {urls: {allow: [\"^https://\"]}}}";

/// A sound image of Docker's schema 2 as skopeo's folder: manifest and blobs by hex.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let space = Space::with("[files.f]\ncontent = { \"/etc/a\" = \"a\\n\" }\n[image.a]\nlayers = [\":f\"]\n");
        assert_eq!(space.layerbuild("export //:a --format oci --to layout").code, 0);
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        let from = format!("oci:{}", space.path("layout").display());
        skopeo(&["copy", "--quiet", "--format=v2s2", &from, &folder.name()]).expect("a copy");
        folder
    }

    fn name(&self) -> String {
        format!("dir:{}", self.0.path().display())
    }

    /// Changes manifest and config, which stay consistent.
    fn edit(self, edit: impl FnOnce(&mut Value, &mut Value)) -> Folder {
        let path = |name: &str| self.0.path().join(name);
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(path(name)).expect("a file")).expect("JSON")
        };
        let mut manifest = read("manifest.json");
        let hex = manifest["config"]["digest"].as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
        let mut config = read(&hex);
        edit(&mut manifest, &mut config);
        let config = config.to_string();
        let digest = Digest::of(config.as_bytes());
        manifest["config"]["digest"] = json!(digest);
        manifest["config"]["size"] = json!(config.len());
        std::fs::write(path(digest.hex().as_str()), config).expect("a file");
        std::fs::write(path("manifest.json"), manifest.to_string()).expect("a file");
        self
    }

    fn push(&self, registry: &DockerRegistry, name: &str, more: &[&str]) {
        let to = format!("docker://{}/{name}:1", registry.address);
        skopeo(&[&["copy", "--quiet", "--dest-tls-verify=false"], more, &[&self.name(), &to]].concat())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_nothing_can_stand_on_is_refused_at_lock_with_its_reason() {
    let Some(registry) = DockerRegistry::with(LENIENT) else { return };
    if !has(&["skopeo"]) {
        return;
    }
    Folder::new().push(&registry, "sound", &[]);
    Folder::new().push(&registry, "schema1", &["--format=v2s1"]);
    Folder::new().edit(|_, config| config["config"]["OnBuild"] = json!(["RUN make"])).push(&registry, "onbuild", &[]);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let elsewhere = |manifest: &mut Value, _: &mut Value| {
        manifest["layers"][0]["mediaType"] = foreign.into();
        manifest["layers"][0]["urls"] = json!(["https://elsewhere.example/layer"]);
    };
    Folder::new().edit(elsewhere).push(&registry, "foreign", &[]);
    let arm = |_: &mut Value, config: &mut Value| config["architecture"] = "arm64".into();
    Folder::new().edit(arm).push(&registry, "arm", &[]);
    let liar = |manifest: &mut Value, config: &mut Value| {
        config["rootfs"]["diff_ids"][0] = json!(Digest::of(b"another layer"));
        manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip".into();
    };
    Folder::new().edit(liar).push(&registry, "liar", &[]);
    let pulls = ["sound", "schema1", "onbuild", "foreign", "arm", "liar"];
    let pulls = pulls.map(|name| format!("[pull.{name}]\nimage = \"{}/{name}:1\"\n", registry.address));
    let space = Space::with(&pulls.concat());
    assert_eq!(space.layerbuild("lock //:sound").code, 0);
    let before = std::fs::read(space.path("layers.lock")).expect("a lock file");
    for (name, reason) in [
        ("schema1", "schema 1"),
        ("onbuild", "ONBUILD instructions (RUN make)"),
        ("foreign", "is foreign"),
        ("arm", "not there for linux/amd64, but for linux/arm64"),
        ("liar", "but the config says"),
    ] {
        let refused = space.layerbuild(&format!("lock //:{name}"));
        assert_eq!(refused.code, 2, "{name}: {}", refused.stderr);
        let told = &refused.stderr;
        assert!(told.contains(&format!("//:{name} can't be locked: ")) && told.contains(reason), "{name}: {told}");
        assert_eq!(std::fs::read(space.path("layers.lock")).expect("a lock file"), before, "{name}");
    }
}
