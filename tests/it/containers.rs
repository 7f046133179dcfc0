//! Containers and volumes of the Docker engine for tests; each is removed when it is dropped.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::readers::programs::docker;

/// A volume, empty at first.
pub struct Volume {
    pub name: String,
}

impl Volume {
    pub fn new() -> Volume {
        Volume { name: docker(&["volume", "create"]).expect("a volume") }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = docker(&["volume", "rm", "--force", &self.name]);
    }
}

/// A container that runs beside the test.
pub struct Container {
    id: String,
}

impl Container {
    /// `docker run --detach OPTION… IMAGE ARGUMENT…`
    pub fn start(options: &[&str], image: &str, arguments: &[&str]) -> Container {
        let id = docker(&[&["run", "--detach"], options, &[image], arguments].concat()).expect("a container");
        Container { id }
    }

    /// A command in it: what it gave.
    pub fn exec(&self, arguments: &[&str]) -> Output {
        Command::new("docker").args(["exec", &self.id]).args(arguments).output().expect("docker runs")
    }

    /// As [`Container::exec`], which must succeed: what it printed.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.exec(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", self.logs());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What it printed so far, on both streams.
    pub fn logs(&self) -> String {
        let Output { stdout, stderr, .. } =
            Command::new("docker").args(["logs", &self.id]).output().expect("docker runs");
        String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
    }

    /// Waits until it has become so by `docker inspect`, and says when it has not within a minute.
    pub fn waits_for(&self, format: &str, wanted: &str) {
        let inspect = || docker(&["inspect", "--format", format, &self.id]).expect("a container");
        wait_until(
            &format!("{format} is {wanted}"),
            || inspect() == wanted,
            || format!("{}\n{}", inspect(), self.logs()),
        );
    }

    /// Asks it to stop, and waits until it has: its exit code.
    pub fn stop(&self) -> i32 {
        docker(&["stop", "--time", "20", &self.id]).expect("a container");
        docker(&["inspect", "--format", "{{.State.ExitCode}}", &self.id])
            .expect("a container")
            .parse()
            .expect("a number")
    }

    pub fn start_again(&self) {
        docker(&["start", &self.id]).expect("a container");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// `docker run --rm OPTION… IMAGE ARGUMENT…`, to its end.
pub fn run(options: &[&str], image: &str, arguments: &[&str]) -> Output {
    Command::new("docker").args(["run", "--rm"]).args(options).arg(image).args(arguments).output().expect("docker runs")
}

/// Asks again and again, for a minute.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool, tell: impl Fn() -> String) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited a minute until {what}: {}", tell());
        std::thread::sleep(Duration::from_millis(100));
    }
}
