//! Steps on a second machine: their results come from a shared cache, and what a step has to run over comes from there too.

use crate::running::workspace;
use crate::support::DockerRegistry;

const TARGETS: &str = r#"
    [run.one]
    base = ":base"
    commands = ["echo one > /one"]
    [run.two]
    base = [":root", ":one"]
    commands = ["cat /one > /two"]
    [image.app]
    base = ":base"
    layers = [":one", ":two"]
"#;

#[test]
fn a_second_machine_runs_only_what_changed_over_layers_that_the_shared_cache_has() {
    let (Some(first), Some(second), Some(registry)) = (workspace(TARGETS), workspace(TARGETS), DockerRegistry::start())
    else {
        return;
    };
    let cache = format!("{}/cache", registry.address);
    let built = first.run(&["push", "--registry", &registry.address, "--cache-to", &cache, "//p:app"]);
    assert!(built.err.contains("1 pushed"), "{}", built.err);
    let same = second.run(&["build", "--cache-from", &cache, "//p:app"]);
    assert_eq!(same.counts().0, 0, "{}", same.err);
    second.replace("p/layers.toml", "cat /one > /two", "cat /one /one > /two");
    let changed = second.run(&["build", "--cache-from", &cache, "//p:two"]);
    assert_eq!(changed.counts().0, 1, "{}", changed.err);
    assert!(second.run(&["ls", "//p:two"]).out.contains(" 8  /two"));
}
