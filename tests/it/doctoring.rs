//! `doctor`, on the machine that the tests run on: what it says of what a workspace needs, and of what it doesn't.

use serde_json::Value;

use crate::space::Space;
use crate::support::DockerRegistry;

const IMAGE: &str = "[files.f]\ncontent = { \"/a\" = \"a\" }\n[image.a]\nlayers = [\":f\"]\n";

/// Exit code, and the checks with their states and findings.
fn doctor(space: &Space, more: &[&str]) -> (i32, Vec<(String, String, String)>) {
    let ran = space.run(["doctor", "--json"].iter().chain(more));
    let Ok(Value::Array(found)) = serde_json::from_str(&ran.stdout) else { panic!("{ran:?}") };
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let found = found.iter().map(|it| (text(it, "check"), text(it, "state"), text(it, "found") + &text(it, "fix")));
    (ran.code, found.collect())
}

fn check<'a>(found: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let found = found.iter().find(|(check, ..)| check == name).unwrap_or_else(|| panic!("no {name}: {found:?}"));
    (&found.1, &found.2)
}

#[test]
fn outside_of_a_workspace_it_looks_at_the_machine_alone() {
    let (code, found) = doctor(&Space::empty(), &[]);
    assert_eq!(code, 0, "{found:?}");
    assert_eq!(check(&found, "registry").0, "not needed");
    assert!(check(&found, "store").1.contains("GiB free"), "{found:?}");
}

#[test]
fn what_the_targets_use_is_missed_and_nothing_else() {
    let space = Space::with(IMAGE);
    let (code, found) = doctor(&space, &["--registry", "127.0.0.1:1"]);
    assert_eq!(code, 3);
    let (state, said) = check(&found, "registry");
    assert!(state == "missing" && said.contains("127.0.0.1:1"), "{said}");
    let unused = ["archives", "rust", "git"].map(|name| check(&found, name).0);
    assert_eq!(unused, ["not needed"; 3]);
    space.write("p/layers.toml", "[image.b]\nlabels = { revision = \"${git.revision}\" }\n");
    let (code, found) = doctor(&space, &["--offline"]);
    assert_eq!((code, check(&found, "registry").0, check(&found, "git").0), (3, "unknown", "missing"));
    let shown = space.layerbuild("doctor --offline");
    assert!(
        shown.stdout.contains("\ngit           missing     the workspace lies in no git repository → "),
        "{shown:?}"
    );
    assert!(shown.stderr.contains("not all there: git"), "{}", shown.stderr);
}

#[test]
fn a_registry_that_answers_tells_the_time() {
    let Some(registry) = DockerRegistry::in_memory() else { return };
    let (code, found) = doctor(&Space::with(IMAGE), &["--registry", &registry.address]);
    assert_eq!(code, 0, "{found:?}");
    assert_eq!((check(&found, "registry").0, check(&found, "clock").0), ("ok", "ok"), "{found:?}");
}
