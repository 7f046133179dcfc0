//! Verbs that talk to registries, killed (SIGKILL) while any one of their requests is under way: nothing that was there is
//! lost, no tag points at something incomplete, and the same call completes it.

use std::process::{Child, Stdio};
use std::sync::mpsc::channel;

use rustix::process::{Pid, Signal, kill_process};

use crate::proxy::{Fault, Proxy};
use crate::readers::programs::skopeo;
use crate::space::{PROGRAM, Space};
use crate::support::{DockerRegistry, has};

const BASE: &str = r#"
[files.base-files]
content = { "/etc/base" = "below\n" }
[image.base]
layers = [":base-files"]
"#;

const TARGETS: &str = r#"
[files.app-files]
content = { "/opt/app" = "above\n" }
[image.app]
layers = [":app-files"]
[index.both]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

/// A registry, and a proxy before it.
fn stage() -> Option<(DockerRegistry, Proxy)> {
    let registry = DockerRegistry::in_memory()?;
    let proxy = Proxy::start(&registry.address, usize::MAX);
    has(&["skopeo"]).then_some((registry, proxy))
}

/// Runs layerbuild and kills it while its request of this number waits for an answer. False where it makes no so many.
fn kill_at(step: usize, fault: Fault, proxy: &Proxy, space: &Space, line: &str) -> bool {
    let (sender, events) = channel();
    let held = sender.clone();
    proxy.arm_and_tell((step, fault), move || _ = held.send(true));
    let mut command = space.command(PROGRAM);
    command.args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child: Child = command.spawn().expect("layerbuild runs");
    let pid = Pid::from_child(&child);
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        let _ = sender.send(false);
        status
    });
    let reached = events.recv().expect("one of both");
    if reached {
        kill_process(pid, Signal::KILL).expect("it is there");
    }
    let status = waiter.join().expect("the thread").expect("it ended");
    assert_eq!(status.success(), !reached, "{line} at {step}");
    proxy.arm(None);
    reached
}

/// Kills a call at each of its requests, before and after the registry did what it asks; `then` looks at what is left.
fn kill_everywhere(proxy: &Proxy, space: &Space, line: impl Fn(&str) -> String, then: impl Fn(&str)) {
    for fault in [Fault::Silence, Fault::SilentAnswer] {
        let reached = (0..).take_while(|step| {
            let name = format!("{fault:?}-{step}").to_ascii_lowercase();
            let reached = kill_at(*step, fault, proxy, space, &line(&name));
            then(&name);
            reached
        });
        assert!(reached.count() >= 3, "it made no requests");
    }
}

fn well(space: &Space, line: &str) -> String {
    let ran = space.layerbuild(line);
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran.stdout
}

/// Whether a tag is there; then all that it leads to must be.
fn is_whole(registry: &DockerRegistry, repository: &str) -> bool {
    let list = registry.get(&format!("/v2/{repository}/tags/list"));
    if !list.contains("\"latest\"") {
        return false;
    }
    let copy = tempfile::tempdir().expect("a folder");
    let (from, to) =
        (format!("docker://{}/{repository}:latest", registry.address), format!("dir:{}", copy.path().display()));
    skopeo(&["copy", "--quiet", "--all", "--src-tls-verify=false", &from, &to]).expect("all that the tag leads to");
    true
}

#[test]
fn a_push_killed_at_any_request_leaves_no_broken_tag_and_the_next_completes_it() {
    let Some((registry, proxy)) = stage() else { return };
    let space = Space::with(TARGETS);
    well(&space, "build //...");
    let line = |name: &str| format!("--registry {}/{name} push //...", proxy.address);
    kill_everywhere(&proxy, &space, line, |name| {
        let images = ["app", "both"].map(|image| format!("{name}/{image}"));
        images.iter().for_each(|image| _ = is_whole(&registry, image));
        well(&space, &line(name));
        assert!(images.iter().all(|image| is_whole(&registry, image)), "{name}");
    });
}

#[test]
fn a_promotion_killed_at_any_request_leaves_no_broken_tag_and_the_next_completes_it() {
    let (Some(staging), Some((registry, proxy))) = (DockerRegistry::in_memory(), stage()) else { return };
    let space = Space::with(&format!("{TARGETS}\n[profile.staging]\nregistry = \"{}\"\n", staging.address));
    well(&space, "--profile staging push //...");
    let line = |name: &str| format!("--registry {}/{name} promote //:both --from staging", proxy.address);
    kill_everywhere(&proxy, &space, line, |name| {
        let image = format!("{name}/both");
        is_whole(&registry, &image);
        well(&space, &line(name));
        assert!(is_whole(&registry, &image), "{name}");
    });
}

#[test]
fn a_lock_killed_at_any_request_leaves_the_file_as_it_was_and_an_export_the_store() {
    let Some((registry, proxy)) = stage() else { return };
    let base = Space::with(BASE);
    well(&base, &format!("--registry {} push //:base", registry.address));
    let space = Space::with(&format!(
        "[pull.base]\nimage = \"{}/base:latest\"\n[image.app]\nbase = \":base\"\nuser = \"1\"\n",
        proxy.address
    ));
    let forget = || std::fs::remove_dir_all(space.cache()).unwrap_or_default();
    let file = space.path("layers.lock");
    well(&space, "lock");
    let locked = std::fs::read(&file).expect("a lock file");
    let built = well(&space, "build //:app");
    forget();
    kill_everywhere(
        &proxy,
        &space,
        |_| "lock --update".to_owned(),
        |name| {
            assert_eq!(std::fs::read(&file).expect("a lock file"), locked, "{name}");
            forget();
        },
    );
    kill_everywhere(
        &proxy,
        &space,
        |_| "export //:app --format oci --to exported".to_owned(),
        |name| {
            assert_eq!(well(&space, "build //:app"), built, "{name}");
            well(&space, "export //:app --format docker-archive --to archive.tar");
            let _ = std::fs::remove_dir_all(space.path("exported"));
            forget();
        },
    );
}
