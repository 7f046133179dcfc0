//! Blobs that are in another registry only, streamed through from one of Debian's `docker-registry` to another: whole, in
//! bounded memory, and disturbed at every step of the reading.

use layerbuild::registry::Puller;

use crate::proxy::{Fault, Proxy};
use crate::push_scene::{Blobs, Scene, check_told, config, is_whole, push, repository};
use crate::space::{PROGRAM, Space};
use crate::support::{DockerRegistry, has};

#[test]
fn blobs_of_another_registry_arrive_whole_however_their_reading_is_disturbed() {
    let (Some(from), Some(to)) = (DockerRegistry::in_memory(), DockerRegistry::in_memory()) else { return };
    let proxy = Proxy::start(&from.address, usize::MAX);
    let scene = Scene::large();
    let there = scene.requests(&from.address, "base");
    assert!(push(0, &there, &scene.blobs).iter().all(Result::is_ok));
    let away = Blobs { away: Some(repository(&proxy.address, "base/large")), ..Blobs::default() };
    let puller = Puller::new(config(2)).expect("a puller");
    let run = |below: &str, fault: Option<(usize, Fault)>, retries: usize| {
        let requests = scene.requests(&to.address, below);
        proxy.arm(fault);
        let results = push(retries, &requests, &away);
        assert_eq!(is_whole(&puller, &to.address, &requests[0]), results[0].is_ok(), "{fault:?}: {results:?}");
        results.into_iter().next().expect("a result")
    };
    run("undisturbed", None, 0).expect("pushed");
    let steps = proxy.seen();
    assert_eq!(steps.len(), 3, "one question whether it is there, one request a blob: {steps:?}");
    for (step, line) in steps.iter().enumerate() {
        for (number, fault) in Fault::PASSING.into_iter().enumerate() {
            let below = format!("passing-{step}-{number}");
            run(&below, Some((step, fault)), 2).unwrap_or_else(|error| panic!("{fault:?} at `{line}`: {error}"));
        }
        for (number, fault) in Fault::LASTING.into_iter().enumerate() {
            let below = format!("lasting-{step}-{number}");
            if let Err(error) = run(&below, Some((step, fault)), 0) {
                check_told(&error, &proxy.address);
            }
            run(&below, None, 0).unwrap_or_else(|error| panic!("after {fault:?} at `{line}`: {error}"));
        }
    }
}

const LARGE: &str = r#"
[files.data]
srcs = ["data.bin"]
compression = "none"
[image.app]
layers = [":data"]
"#;

/// Runs a program and says its largest resident size in KiB.
const MEASURE: &str = "import resource, subprocess, sys\n\
    code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)\n\
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
    sys.exit(code)";

#[test]
fn a_large_blob_is_streamed_through_in_little_memory() {
    let (Some(from), Some(to)) = (DockerRegistry::start(), DockerRegistry::start()) else { return };
    if !has(&["python3"]) {
        return;
    }
    let profile = |name: &str, address: &str| format!("[profile.{name}]\nregistry = \"{address}\"\n");
    let profiles = profile("staging", &from.address) + &profile("production", &to.address);
    let space = Space::with(&format!("{LARGE}{profiles}"));
    space.write("data.bin", vec![7; 150_000_000]);
    let pushed = space.layerbuild("push //:app --profile staging");
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let mut command = space.command("python3");
    command.args(["-c", MEASURE, PROGRAM, "promote", "//:app", "--from", "staging", "--to", "production"]);
    let promoted = space.output(&mut command);
    assert_eq!(promoted.code, 0, "{}", promoted.stderr);
    let kilobytes: u64 = promoted.stdout.trim().parse().expect("a number");
    assert!(kilobytes < 100_000, "{kilobytes} KiB for a blob of 150 MB");
}
