//! Indexes in Debian's `docker-registry`, as skopeo finds them there: all images of an index, and each platform's own.

use layerbuild::digest::Digest;

use crate::readers::programs::skopeo;
use crate::space::{Ran, Space};
use crate::support::{DockerRegistry, has};

const TARGETS: &str = r#"
[files.app-files]
content = { "/app/run" = "runs anywhere\n" }
[image.app]
layers = [":app-files"]
[index.both]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

fn push(space: &Space, registry: &DockerRegistry) -> Ran {
    let ran = space.run(["--registry", &registry.address, "push", "//:both", "//:app"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

#[test]
fn an_index_is_pushed_whole_and_each_platform_gets_its_own_image() {
    let Some(registry) = DockerRegistry::start() else { return };
    if !has(&["skopeo"]) {
        return;
    }
    let space = Space::with(TARGETS);
    let said = push(&space, &registry).stdout;
    let source = format!("docker://{}/both:latest", registry.address);
    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &source]).expect("an index");
    assert!(said.contains(&format!("/both:latest@{}\n", Digest::of(&raw))), "{said}");
    for architecture in ["amd64", "arm64"] {
        let config = ["inspect", "--config", "--tls-verify=false", "--override-arch", architecture, &source];
        let config = String::from_utf8(skopeo(&config).expect("a config")).expect("text");
        assert!(config.contains(&format!(r#""architecture": "{architecture}""#)), "{config}");
    }
    let copy = format!("oci:{}:both", space.path("copy").display());
    skopeo(&["copy", "--all", "--preserve-digests", "--src-tls-verify=false", &source, &copy]).expect("a copy");
    let plain = format!("docker://{}/app:latest", registry.address);
    let plain = skopeo(&["inspect", "--raw", "--tls-verify=false", &plain]).expect("a manifest");
    assert!(!String::from_utf8_lossy(&plain).contains("manifests"), "an image of one platform stays a manifest");

    let again = push(&space, &registry);
    assert_eq!(again.stdout, said);
    assert!(again.stderr.contains("0 pushed, 2 cached"), "{}", again.stderr);
}
