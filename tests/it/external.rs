//! Workspaces in repositories of their own: one publishes and the other stands on what was published; or both are checked
//! out, and the upper one is built with the lower one's sources.

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
        "[workspace]\nname = \"high\"\nregistry = \"{address}/high\"\ncompatible = \"low >= 0.1, < 0.3\"\n\
         [external.low]\nregistry = \"{address}/low\"\ntag = \"0.1.0\"\n\
         [profile.next.external.low]\ntag = \"0.2.0\"\n[profile.dev.external.low]\npath = \"../low\"\n"
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

/// The lower workspace checked out beside the upper one, in which commands run.
fn beside(space: &Space, low: &str) {
    space.write("../low/layers.toml", format!("[workspace]\nname = \"low\"\npackages = \"images\"\n{low}"));
    space.write("../low/images/base/layers.toml", LOW.replace("TEXT", "one"));
}

/// A workspace that builds the lower one from its folder.
fn above(low: &str) -> Space {
    let space = Space::empty();
    beside(&space, low);
    space.write("layers.toml", "[workspace]\nname = \"high\"\n[external.low]\npath = \"../low\"\n");
    space.write("kit/layers.toml", HIGH.replace("BASE", "@low//base:platform"));
    space
}

#[test]
fn what_is_published_and_what_is_built_from_the_folder_have_one_digest() {
    let Some(registry) = DockerRegistry::start() else { return };
    let high = high(&registry);
    let root = format!("registry = \"{}/low\"\nversion = \"0.1.0\"\n", registry.address);
    beside(&high, &root);
    succeeds(&high.layerbuild("-C ../low push //base:platform"));
    succeeds(&high.layerbuild("lock"));
    let (published, lock) = (digest(succeeds(&high.layerbuild("build //kit:app"))), lock_of(&high));
    assert_eq!(digest(succeeds(&high.layerbuild("--profile dev build //kit:app"))), published);
    high.write("../low/images/base/layers.toml", LOW.replace("TEXT", "two"));
    assert_eq!(digest(succeeds(&high.layerbuild("build //kit:app"))), published, "what is locked is taken");
    let edited = digest(succeeds(&high.layerbuild("--profile dev build //kit:app")));
    assert_ne!(edited, published);
    succeeds(&high.layerbuild("--profile dev lock"));
    assert_eq!(lock_of(&high), lock, "what is locked for others stays");
    let pushed = high.layerbuild("--profile dev push //kit:app");
    assert!(succeeds(&pushed).stdout.contains(&edited), "{}", pushed.stdout);
    let ours = high.layerbuild("--profile dev push @low//base:platform");
    assert_eq!(ours.code, 2);
    assert!(ours.stderr.contains("layerbuild -C ../low"), "{}", ours.stderr);
}

#[test]
fn an_edit_in_the_lower_workspace_rebuilds_the_upper_and_nothing_else_does() {
    let space = above("");
    let by_itself = digest(succeeds(&space.layerbuild("-C ../low build //base:platform")));
    assert_eq!(digest(succeeds(&space.layerbuild("build @low//base:platform"))), by_itself);
    let first = digest(succeeds(&space.layerbuild("build //kit:app")));
    // Long enough for stats to be trusted: the next answers come without a look at any target.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    for _ in 0..2 {
        assert_eq!(digest(succeeds(&space.layerbuild("build //kit:app"))), first);
    }
    space.write("../low/images/base/layers.toml", LOW.replace("TEXT", "two"));
    let second = space.layerbuild("build //kit:app");
    assert_ne!(digest(succeeds(&second)), first);
    let explained = space.layerbuild("explain //kit:app");
    assert!(succeeds(&explained).stdout.contains("@low//base:conf"), "{}", explained.stdout);
}

#[test]
fn files_are_read_where_they_are_and_none_from_outside_their_own_workspace() {
    let space = above("");
    let low = "[files.conf]\nsrcs = [\"*.conf\"]\ndest = \"/etc\"\n[image.platform]\nlayers = [\":conf\"]\nenv = { LOW = \"yes\" }\n";
    space.write("../low/images/base/layers.toml", low);
    space.write("../low/images/base/a.conf", "low");
    space.write("kit/a.conf", "high");
    let by_itself = digest(succeeds(&space.layerbuild("-C ../low build //base:platform")));
    assert_eq!(digest(succeeds(&space.layerbuild("build @low//base:platform"))), by_itself);
    let first = digest(succeeds(&space.layerbuild("build //kit:app")));
    space.write("../low/images/base/b.conf", "more");
    let second = digest(succeeds(&space.layerbuild("build //kit:app")));
    assert_ne!(second, first);
    // In the upper workspace, but not in the lower one, whose link it is.
    let (link, to) = (space.path("../low/images/base/c.conf"), "../../../ws/kit");
    std::os::unix::fs::symlink(to, link).expect("a link");
    space.write("../low/images/base/layers.toml", low.replace("*.conf", "c.conf/a.conf"));
    let refused = space.layerbuild("build //kit:app");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("leads out of the workspace"), "{}", refused.stderr);
    assert!(refused.stderr.contains("../low/images/base/layers.toml:2:"), "{}", refused.stderr);
}

#[test]
fn folders_that_the_lower_workspace_has_elsewhere_are_read_from_there() {
    let space = above("");
    space.write("../low/layers.local.toml", "[paths]\n\"images/base/src\" = \"../map\"\n");
    let conf = "[files.conf]\nsrcs = [\"src/a\"]\n[image.platform]\nlayers = [\":conf\"]\n";
    space.write("../low/images/base/layers.toml", conf);
    space.write("../low/images/base/src/a", "not this");
    space.write("../map/a", "this");
    let above = digest(succeeds(&space.layerbuild("build @low//base:platform")));
    assert_eq!(digest(succeeds(&space.layerbuild("-C ../low build //base:platform"))), above);
    space.write("../map/a", "that");
    assert_ne!(digest(succeeds(&space.layerbuild("build @low//base:platform"))), above);
}

#[test]
fn every_kind_of_target_stands_on_another_workspaces_and_has_that_ones_settings() {
    let space = above("source-date-epoch = 86400\ncompression = \"zstd\"\nplatform = \"linux/arm64\"\n");
    let kit = "[image.app]\nbase = \"@low//base:platform\"\nplatform = \"linux/arm64\"\nlayers = [\"@low//base:conf\", \":code\"]\n\
               [files.code]\ncontent = { \"/opt/code\" = \"code\" }\n\
               [index.all]\nimages = [\"@low//base:platform\"]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n\
               [image_test.test]\nimage = \"@low//base:platform\"\npaths = { \"/etc/low\" = { type = \"file\" } }\n";
    space.write("kit/layers.toml", kit);
    let built = space.layerbuild("build @low//... //kit/...");
    let alone = space.layerbuild("-C ../low build //...");
    for line in succeeds(&alone).stdout.lines() {
        assert!(succeeds(&built).stdout.contains(&format!("@low{line}")), "{line}\n{}", built.stdout);
    }
    succeeds(&space.layerbuild("check //kit:test"));
    let test = "[image_test.own]\nimage = \"//base:platform\"\nenv = { LOW = \"yes\" }\n";
    space.write("../low/images/test/layers.toml", test);
    succeeds(&space.layerbuild("check @low//..."));
    let index = space.layerbuild("build //kit:all");
    assert!(succeeds(&index).stdout.starts_with("//kit:all sha256:"), "{}", index.stdout);
    let app = space.layerbuild("ls //kit:app");
    assert!(succeeds(&app).stdout.contains("etc/low"), "{}", app.stdout);
    let env = space.layerbuild("env //kit:app");
    assert!(env.stdout.contains("KRB_REALM") && env.stdout.contains("@low//base:platform"), "{}", env.stdout);
}

#[test]
fn three_workspaces_in_a_chain_build_as_each_by_itself() {
    let space = above("[external.ground]\npath = \"../ground\"\n");
    space.write("../ground/layers.toml", "[workspace]\nname = \"ground\"\n");
    space.write(
        "../ground/os/layers.toml",
        "[files.f]\ncontent = { \"/ground\" = \"1\" }\n[image.os]\nlayers = [\":f\"]\n",
    );
    space.write(
        "../low/images/base/layers.toml",
        LOW.replace("[image.platform]\n", "[image.platform]\nbase = \"@ground//os\"\n"),
    );
    let low = digest(succeeds(&space.layerbuild("-C ../low build //base:platform")));
    assert_eq!(digest(succeeds(&space.layerbuild("build @low//base:platform"))), low);
    let first = digest(succeeds(&space.layerbuild("build //kit:app")));
    let query = space.layerbuild("query deps(//kit:app)");
    assert!(succeeds(&query).stdout.contains("@low/ground//os:os\n"), "{}", query.stdout);
    space.write(
        "../ground/os/layers.toml",
        "[files.f]\ncontent = { \"/ground\" = \"2\" }\n[image.os]\nlayers = [\":f\"]\n",
    );
    assert_ne!(digest(succeeds(&space.layerbuild("build //kit:app"))), first);
}

/// A command of one workspace that sees files of its own and a layer of the other.
const STEP: &str =
    "[exec.step]\ncommand = \"cat src/a.txt LAYER > out/file\"\noutputs = { \"/file\" = \"/out/file\" }\n";

#[test]
fn commands_see_files_of_their_own_workspace_and_layers_of_another() {
    let host = "build-base = \"host\"\n";
    let space = above(host);
    let root = format!("[workspace]\nname = \"high\"\n{host}[external.low]\npath = \"../low\"\n");
    space.write("layers.toml", root);
    space.write(
        "../low/images/step/layers.toml",
        format!("{}inputs = {{ \"/src\" = [\"a.txt\"] }}\n", STEP.replace("LAYER", "")),
    );
    let inputs = "inputs = { \"/src\" = [\"a.txt\"], \"/low\" = \"@low//step\" }\n";
    space.write("step/layers.toml", format!("{}{inputs}", STEP.replace("LAYER", "low/file")));
    space.write("../low/images/step/a.txt", "low ");
    space.write("step/a.txt", "high ");
    let by_itself = digest(succeeds(&space.layerbuild("-C ../low build //step")));
    assert_eq!(digest(succeeds(&space.layerbuild("build @low//step"))), by_itself);
    let first = digest(succeeds(&space.layerbuild("build //step")));
    space.write("../low/images/step/a.txt", "lower ");
    assert_ne!(digest(succeeds(&space.layerbuild("build //step"))), first);
}
