//! Every step of a push failed in every way that `proxy` knows, before a real registry: whatever happens, no tag points at
//! something incomplete, and a clean second push completes it.

use layerbuild::digest::Digest;
use layerbuild::registry::{Puller, PushRequest};

use crate::proxy::{Fault, Proxy};
use crate::push_scene::{Scene, check_told, config, is_whole, push};
use crate::readers::programs::skopeo;
use crate::support::{DockerRegistry, has};

/// Which points the suite takes of all: every so many. It shares no factor with the number of faults, so that each comes
/// up at some step.
const SOME: usize = 37;

/// Where a run is disturbed.
struct Stage {
    registry: DockerRegistry,
    proxy: Proxy,
    /// Reads past the proxy.
    puller: Puller,
    scene: Scene,
    /// How many requests an undisturbed push makes.
    steps: Vec<String>,
}

impl Stage {
    fn new(scene: Scene, limit: usize) -> Option<Stage> {
        let registry = DockerRegistry::in_memory()?;
        let proxy = Proxy::start(&registry.address, limit);
        let results = push(0, &scene.requests(&proxy.address, "undisturbed"), &scene.blobs);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let steps = proxy.seen();
        let puller = Puller::new(config(2)).expect("a puller");
        Some(Stage { registry, proxy, puller, scene, steps })
    }

    fn is_whole(&self, request: &PushRequest) -> bool {
        is_whole(&self.puller, &self.registry.address, request)
    }

    /// One push that is disturbed at one step, and a clean one after it.
    fn disturb(&self, step: usize, fault: Fault, retries: usize) {
        let below = format!("{}-{step}", format!("{fault:?}-{retries}").to_ascii_lowercase().replace(['(', ')'], ""));
        let requests = self.scene.requests(&self.proxy.address, &below);
        self.proxy.arm(Some((step, fault)));
        let results = push(retries, &requests, &self.scene.blobs);
        let what = format!("{fault:?} at {step}, `{}`", self.steps[step]);
        for (request, result) in requests.iter().zip(&results) {
            let whole = self.is_whole(request);
            assert!(whole || result.is_err(), "{what}: said to be pushed");
            result.as_ref().err().iter().for_each(|error| check_told(error, &self.proxy.address));
        }
        if retries > 0 {
            assert!(results.iter().all(Result::is_ok), "{what}: passes, but {results:?}");
        }
        self.proxy.arm(None);
        let results = push(0, &requests, &self.scene.blobs);
        assert!(results.iter().all(Result::is_ok), "{what}, then a clean push: {results:?}");
        assert!(requests.iter().all(|request| self.is_whole(request)), "{what}");
    }

    /// Every n-th point of all steps and faults, with none and with two retries; how many that were.
    fn run(&self, every: usize) -> usize {
        let passing = Fault::PASSING.into_iter().flat_map(|fault| [(fault, 0), (fault, 2)]);
        let lasting = Fault::LASTING.into_iter().map(|fault| (fault, 0));
        let faults: Vec<(Fault, usize)> = passing.chain(lasting).collect();
        let points = (0..self.steps.len()).flat_map(|step| faults.iter().map(move |fault| (step, *fault)));
        let chosen: Vec<_> = points.step_by(every).collect();
        chosen.iter().for_each(|(step, (fault, retries))| self.disturb(*step, *fault, *retries));
        chosen.len()
    }

    /// Whether skopeo reads everything in the registry, whatever went before.
    fn is_read_by_skopeo(&self) {
        if !has(&["skopeo"]) {
            return;
        }
        let copies = tempfile::tempdir().expect("a folder");
        let address = &self.registry.address;
        let (from, to) = (format!("{address}/"), copies.path().display().to_string());
        for request in self.scene.requests(address, "undisturbed") {
            let path = request.repository.path;
            let target = format!("dir:{to}/{}", Digest::of(path.as_str().as_bytes()).hex());
            let source = format!("docker://{from}{path}:t");
            skopeo(&["copy", "--all", "--preserve-digests", "--src-tls-verify=false", &source, &target])
                .expect("whole");
        }
    }
}

#[test]
fn a_push_disturbed_at_any_step_leaves_no_tag_that_points_at_something_incomplete() {
    let Some(stage) = Stage::new(Scene::new(), usize::MAX) else { return };
    assert!(stage.run(SOME) >= 20);
    stage.is_read_by_skopeo();
}

#[test]
#[ignore = "more than a thousand points: minutes"]
fn a_push_disturbed_at_any_step_in_any_way_is_completed_by_the_next() {
    let mut points = 0;
    for (scene, limit) in [(Scene::new(), usize::MAX), (Scene::large(), 300_000)] {
        let Some(stage) = Stage::new(scene, limit) else { return };
        points += stage.run(1);
        stage.is_read_by_skopeo();
    }
    assert!(points >= 200, "{points} points");
}

#[test]
fn an_upload_in_chunks_disturbed_at_any_step_is_completed() {
    let Some(stage) = Stage::new(Scene::large(), 300_000) else { return };
    assert!(stage.steps.iter().any(|line| line.starts_with("PATCH ")), "{:?}", stage.steps);
    assert!(stage.run(SOME) >= 10);
    stage.is_read_by_skopeo();
}
