//! Real programs for tests: Debian's `docker-registry` on a free loopback port.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Whether the programs are there. Outside CI their lack is shouted about; in CI (`CI=true`) it is a failure.
pub fn has(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&&str> = programs.iter().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("{missing:?} not installed, run `make setup`"))
}

/// Whether there is a Docker engine for tests, as `tools/with-docker` gives one. Its lack is treated as in [`has`].
pub fn docker_engine() -> bool {
    std::env::var_os("DOCKER_HOST").is_some() || skip("no Docker engine in DOCKER_HOST, run `make test`")
}

/// Whether owners can be given to files. Treated as in [`has`].
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root() || skip("only root can unpack images with their owners")
}

/// Says aloud that a test can't be done; in CI that is a failure. Always false.
pub fn skip(why: &str) -> bool {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "in CI: {why}");
    shout(&format!("SKIPPED: {why}"));
    false
}

/// Says something past the test harness, which would show the output of failed tests only.
pub fn shout(what: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** {what} ***\n");
}

/// A `docker-registry` with an empty root of its own; it is stopped when dropped.
pub struct DockerRegistry {
    child: Child,
    root: tempfile::TempDir,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl DockerRegistry {
    /// Starts one and waits until it answers. `None` where the program is missing (see [`has`]).
    pub fn start() -> Option<DockerRegistry> {
        DockerRegistry::with("")
    }

    /// As [`DockerRegistry::start`], with more lines for its configuration.
    pub fn with(more: &str) -> Option<DockerRegistry> {
        DockerRegistry::storing("filesystem: {rootdirectory: DATA}", "", more)
    }

    /// As [`DockerRegistry::start`]; it keeps its data in memory, so that it never waits for the disk.
    pub fn in_memory() -> Option<DockerRegistry> {
        DockerRegistry::storing("inmemory: {}", "", "")
    }

    /// As [`DockerRegistry::with`], with more entries for `http`, each with a comma before it.
    pub fn with_http(http: &str, more: &str) -> Option<DockerRegistry> {
        DockerRegistry::storing("filesystem: {rootdirectory: DATA}", http, more)
    }

    fn storing(storage: &str, http: &str, more: &str) -> Option<DockerRegistry> {
        if !has(&["docker-registry"]) {
            return None;
        }
        // Between finding a free port and listening on it another process may take it: then we try another.
        let started = (0..5).find_map(|_| DockerRegistry::attempt(storage, http, more));
        assert!(started.is_some(), "docker-registry did not start");
        started
    }

    fn attempt(storage: &str, http: &str, more: &str) -> Option<DockerRegistry> {
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").to_string();
        let root = tempfile::tempdir().expect("a folder");
        let config = root.path().join("config.yml");
        let storage = storage.replace("DATA", &root.path().join("data").display().to_string());
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{{storage}}}\nhttp: {{addr: \"{address}\"{http}}}\n{more}\n"
        );
        std::fs::write(&config, text).expect("a configuration");
        let child = Command::new("docker-registry")
            .args(["serve".into(), config])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry runs");
        let mut registry = DockerRegistry { child, root, address };
        registry.answers().then_some(registry)
    }

    /// Whether it comes up: polled a bounded number of times, and no longer once it has ended.
    fn answers(&mut self) -> bool {
        for _ in 0..500 {
            if self.get("/v2/").starts_with("HTTP/1.") {
                return true;
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        false
    }

    /// The raw answer to a GET; empty where nobody answers.
    pub fn get(&self, path: &str) -> String {
        let mut answer = Vec::new();
        if let Ok(mut stream) = TcpStream::connect(&self.address) {
            let request = format!(
                "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n",
                self.address
            );
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut answer);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Where it keeps its data.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
