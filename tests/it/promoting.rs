//! `promote` between two of Debian's `docker-registry`: the same bytes, nothing built, nothing in the store; and blobs
//! that are in another registry only, streamed through.

use layerbuild::digest::Digest;

use crate::readers::programs::skopeo;
use crate::space::{PROGRAM, Ran, Space};
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

/// Two registries and a workspace with a profile for each.
struct Chain {
    staging: DockerRegistry,
    production: DockerRegistry,
    space: Space,
}

impl Chain {
    fn new() -> Option<Chain> {
        let (staging, production) = (DockerRegistry::start()?, DockerRegistry::start()?);
        let profile =
            |name: &str, registry: &str, tag: &str| format!("[profile.{name}]\nregistry = \"{registry}\"\n{tag}\n");
        let targets = [
            TARGETS.to_owned(),
            profile("staging", &format!("{}/team", staging.address), "tag = \"1.0-rc1\"\ntags = [\"edge\"]"),
            profile("production", &production.address, "tag = \"1.0\""),
        ];
        Some(Chain { staging, production, space: Space::with(&targets.concat()) })
    }

    /// Runs layerbuild, which must do well.
    fn well(&self, line: &str) -> String {
        let ran = self.space.layerbuild(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        ran.stdout
    }

    /// Runs layerbuild with a store that is not there.
    fn elsewhere(&self, line: &str) -> Ran {
        let mut command = self.space.command(PROGRAM);
        command.args(line.split(' ')).env("LAYERBUILD_CACHE_DIR", self.space.path("no-store"));
        let ran = self.space.output(&mut command);
        assert!(!self.space.path("no-store").exists(), "nothing of it touches the disk");
        ran
    }

    /// What skopeo finds under a tag, an index's images included.
    fn found(&self, reference: &str) -> Option<String> {
        let source = format!("docker://{reference}");
        let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &source]).ok()?;
        let copy =
            format!("dir:{}", self.space.path(&format!("copy-{}", Digest::of(reference.as_bytes()).hex())).display());
        skopeo(&["copy", "--all", "--preserve-digests", "--src-tls-verify=false", &source, &copy])
            .expect("a whole image");
        Some(Digest::of(&raw).to_string())
    }
}

fn digests(lines: &str) -> Vec<String> {
    lines.lines().map(|line| line.rsplit_once('@').expect("a digest").1.to_owned()).collect()
}

#[test]
fn the_same_bytes_go_to_another_registry_and_back_by_the_same_command_without_a_store() {
    let Some(chain) = Chain::new() else { return };
    if !has(&["skopeo"]) {
        return;
    }
    let pushed = chain.well("push //:all --profile staging");
    let there = chain.elsewhere("promote //:all --from staging --to production");
    assert_eq!(there.code, 0, "{}", there.stderr);
    assert!(there.stderr.contains("2 promoted, 0 cached"), "{}", there.stderr);
    let production = &chain.production.address;
    for (line, target) in there.stdout.lines().zip(["app", "both"]) {
        assert!(line.starts_with(&format!("//:{target} {production}/{target}:1.0@sha256:")), "{line}");
    }
    assert_eq!(digests(&there.stdout), digests(&pushed));
    let found = ["app", "both"].map(|name| chain.found(&format!("{production}/{name}:1.0")).expect("promoted"));
    assert_eq!(found.to_vec(), digests(&pushed));

    let back = chain.elsewhere("promote //:all --from production --to staging");
    assert!(back.stderr.contains("0 promoted, 2 cached"), "{}", back.stderr);
    assert_eq!(digests(&back.stdout), digests(&pushed));
}

#[test]
fn a_tag_of_the_same_registry_is_moved_without_sending_a_blob_and_all_tags_are_set() {
    let Some(chain) = Chain::new() else { return };
    if !has(&["skopeo"]) {
        return;
    }
    let pushed = digests(&chain.well("push //:app --profile staging"));
    let staging = format!("{}/team/app", chain.staging.address);
    assert_eq!(chain.found(&format!("{staging}:edge")).as_ref(), pushed.first(), "`tags` stand beside `tag`");
    let moved = chain.elsewhere("promote //:app --from staging --to staging --tag stable --tag 1");
    assert_eq!(moved.stdout, format!("//:app {staging}:stable@{}\n", pushed[0]));
    for tag in ["stable", "1"] {
        assert_eq!(chain.found(&format!("{staging}:{tag}")).as_ref(), pushed.first());
    }
}

#[test]
fn what_is_not_there_or_goes_nowhere_is_the_callers_mistake() {
    let Some(chain) = Chain::new() else { return };
    let missing = chain.elsewhere("promote //:app --from staging --to production");
    let reference = format!("{}/team/app:1.0-rc1", chain.staging.address);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert!(
        missing.stderr.contains(&format!("//:app was not promoted: `{reference}` is not there: push it")),
        "{}",
        missing.stderr
    );
    for (line, told) in [
        ("promote //:app --from production --to production", "would be promoted to where it is"),
        ("promote //:app --from staging --to prodction", "did you mean `production`?"),
        ("promote //:app", "--from"),
        ("promote //:app-files --to staging", "only images can be promoted"),
        ("promote //:app --from staging --to production --registry h.io", "both --from and --to"),
        ("promote //:app --from staging --to production --tag a/b", "--tag: `a/b` is not a tag"),
        ("promote //:app --from staging --registry -h", "--registry"),
    ] {
        let ran = chain.elsewhere(line);
        assert!(ran.code == 2 && ran.stderr.contains(told), "{line}: {}", ran.stderr);
    }
    let plan = chain.elsewhere("promote //:app --from staging --to production --dry-run");
    assert_eq!(plan.stdout, format!("PROMOTE //:app {reference} to {}/app:1.0\n", chain.production.address));
}
