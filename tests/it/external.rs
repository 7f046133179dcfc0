//! Two workspaces that share nothing but a registry: one publishes, the other stands on what was published.

use std::fs;

use crate::space::{Ran, Space, digest};
use crate::support::DockerRegistry;

const LOW: &str = "[files.conf]\ncontent = { \"/etc/low\" = \"TEXT\" }\n[image.platform]\nlayers = [\":conf\"]\n\
                   env = { LOW = \"yes\" }\nrequires = { KRB_REALM = \"the realm\" }\n";
const HIGH: &str = "[image.app]\nbase = \"BASE\"\nlayers = [\":code\"]\nenv = { PATH = \"/opt:$LOW\" }\n\
                    [files.code]\ncontent = { \"/opt/code\" = \"code\" }\n";

fn succeeds(ran: &Ran) -> &Ran {
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// The lower workspace, which publishes to `PREFIX/low`.
fn low(registry: &DockerRegistry, text: &str) -> Space {
    let space = Space::empty();
    let root = format!("[workspace]\nname = \"low\"\nregistry = \"{}/low\"\ntag = \"0.1.0\"\n", registry.address);
    space.write("layers.toml", root);
    space.write("base/layers.toml", LOW.replace("TEXT", text));
    space
}

/// The upper one, which publishes to `PREFIX/high`.
fn high(registry: &DockerRegistry) -> Space {
    let space = Space::empty();
    let address = &registry.address;
    let root = format!(
        "[workspace]\nname = \"high\"\nregistry = \"{address}/high\"\n\
         [external.low]\nregistry = \"{address}/low\"\ntag = \"0.1.0\"\ncompatible = \">=0.1, <0.2\"\n\
         [profile.next.external.low]\ntag = \"0.2.0\"\ncompatible = \">=0.2\"\n"
    );
    space.write("layers.toml", root);
    space.write("kit/layers.toml", HIGH.replace("BASE", "@low//base:platform"));
    space
}

fn lock_of(space: &Space) -> String {
    fs::read_to_string(space.path("layers.lock")).expect("a lock file")
}

#[test]
fn an_image_stands_on_one_that_another_workspace_published_and_is_the_same_as_if_both_were_one() {
    let Some(registry) = DockerRegistry::start() else { return };
    let below = low(&registry, "one");
    succeeds(&below.layerbuild("push //base:platform"));
    below.write("kit/layers.toml", HIGH.replace("BASE", "//base:platform"));
    let as_one = digest(succeeds(&below.layerbuild("build //kit:app")));

    let above = high(&registry);
    let refused = above.layerbuild("build //kit:app");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("run `layerbuild lock @low//base:platform`"), "{}", refused.stderr);
    let locked = above.layerbuild("lock");
    assert!(
        succeeds(&locked).stdout.starts_with("@low//base:platform base/platform:0.1.0 sha256:"),
        "{}",
        locked.stdout
    );
    assert!(lock_of(&above).contains("[external.\"@low//base:platform\"]"), "{}", lock_of(&above));
    assert_eq!(digest(succeeds(&above.layerbuild("build //kit:app"))), as_one);
    succeeds(&above.layerbuild("lock --check"));
    succeeds(&above.layerbuild("push //..."));
    let env = above.layerbuild("env //kit:app");
    assert!(env.stdout.contains("KRB_REALM"), "{}\n{}", env.stdout, env.stderr);
    let query = above.layerbuild("query deps(//kit:app)");
    assert!(succeeds(&query).stdout.contains("@low//base:platform\n"), "{}", query.stdout);
}

#[test]
fn what_the_other_workspace_publishes_later_is_told_and_taken_by_update_alone() {
    let Some(registry) = DockerRegistry::start() else { return };
    succeeds(&low(&registry, "one").layerbuild("push //base:platform"));
    let above = high(&registry);
    succeeds(&above.layerbuild("lock"));
    let first = digest(succeeds(&above.layerbuild("build //kit:app")));
    let (before, other) = (lock_of(&above), low(&registry, "two"));
    succeeds(&other.layerbuild("push //base:platform"));

    let again = above.layerbuild("lock");
    assert!(succeeds(&again).stderr.contains("`layerbuild lock --update @low//base:platform`"), "{}", again.stderr);
    assert_eq!(lock_of(&above), before);
    let status = above.layerbuild("status //kit:app");
    assert!(status.stdout.contains("base has moved") || status.stdout.contains("moved"), "{}", status.stdout);
    assert_eq!(digest(succeeds(&above.layerbuild("build //kit:app"))), first);
    succeeds(&above.layerbuild("lock --update @low//base:platform"));
    assert_ne!(digest(succeeds(&above.layerbuild("build //kit:app"))), first);
}

#[test]
fn a_profile_that_takes_another_version_locks_it_beside_the_first() {
    let Some(registry) = DockerRegistry::start() else { return };
    succeeds(&low(&registry, "one").layerbuild("push //base:platform"));
    succeeds(&low(&registry, "two").layerbuild("push //base:platform --tag 0.2.0"));
    let above = high(&registry);
    succeeds(&above.layerbuild("lock"));
    let refused = above.layerbuild("--profile next build //kit:app");
    assert!(refused.stderr.contains("`layerbuild lock --profile next @low//base:platform`"), "{}", refused.stderr);
    succeeds(&above.layerbuild("lock --profile next"));
    let config = above.layerbuild("--profile next config");
    assert!(config.stdout.contains("tag = \"0.2.0\""), "what the profile says is shown: {}", config.stdout);
    let lock = lock_of(&above);
    let sections = ["[external.\"@low//base:platform\"]", "[profile.next.\"@low//base:platform\"]"];
    assert!(sections.iter().all(|section| lock.contains(section)), "{lock}");
    let now = digest(succeeds(&above.layerbuild("build //kit:app")));
    assert_ne!(digest(succeeds(&above.layerbuild("--profile next build //kit:app"))), now);
    succeeds(&above.layerbuild("lock"));
    assert_eq!(lock_of(&above), lock, "neither drops the other's");
}

#[test]
fn an_index_stands_on_another_workspaces_for_each_of_its_platforms() {
    let Some(registry) = DockerRegistry::start() else { return };
    let below = low(&registry, "one");
    let platforms = "platforms = [\"linux/amd64\", \"linux/arm64\"]\n";
    below.write("both/layers.toml", format!("[index.platform]\nimages = [\"//base:platform\"]\n{platforms}"));
    succeeds(&below.layerbuild("push //both:platform"));
    let above = high(&registry);
    let all = format!("{}[index.all]\nimages = [\":app\"]\n{platforms}", HIGH.replace("BASE", "@low//both:platform"));
    above.write("kit/layers.toml", all);
    succeeds(&above.layerbuild("lock"));
    let refused = above.layerbuild("build //kit:all");
    assert!(refused.stderr.contains("add \"linux/arm64\" to `platforms` of `[external.low]`"), "{}", refused.stderr);
    let root = fs::read_to_string(above.path("layers.toml")).expect("a root");
    above.write("layers.toml", root.replace("[external.low]\n", &format!("[external.low]\n{platforms}")));
    succeeds(&above.layerbuild("lock"));
    succeeds(&above.layerbuild("build //kit:all"));
}
