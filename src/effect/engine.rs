//! Container engines on this machine by their programs, `docker` and `podman`: which one answers, and what it has.
//!
//! Runs programs with the environment that it is given. Knows nothing of images' content.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::digest::DiffId;
use crate::platform::Platform;
use crate::reason::reason;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// An engine that answered.
#[derive(Debug)]
pub struct Engine {
    /// Which.
    pub kind: Kind,
    /// What it runs.
    pub platform: Platform,
    environment: Vec<(OsString, OsString)>,
}

/// What an engine can't do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// None answers; for each that was tried, why, as a phrase.
    #[error("no container engine answers: {}", .0.iter().map(|(kind, why)| format!("{kind}: {why}")).collect::<Vec<_>>().join("; "))]
    None(Vec<(Kind, String)>),
    /// A command of an engine's failed.
    #[error("`{command}` failed: {why}")]
    Command {
        /// What was run.
        command: String,
        /// What it said, or why it could not be run.
        why: String,
    },
    /// What it was to read could not be given to it.
    #[error(transparent)]
    Feed(Box<dyn std::error::Error + Send + Sync>),
}

impl Engine {
    /// The first engine of these that answers.
    pub fn find(kinds: &[Kind], environment: &[(OsString, OsString)]) -> Result<Engine, EngineError> {
        let mut tried = Vec::new();
        for kind in kinds {
            // Nothing is known yet of what it runs.
            let mut engine = Engine { kind: *kind, platform: Platform::default(), environment: environment.to_vec() };
            match engine.ask_platform() {
                Ok(platform) => {
                    engine.platform = platform;
                    return Ok(engine);
                }
                Err(EngineError::Command { why, .. }) => tried.push((*kind, why)),
                Err(other) => return Err(other),
            }
        }
        Err(EngineError::None(tried))
    }

    fn ask_platform(&self) -> Result<Platform, EngineError> {
        let words: &[&str] = match self.kind {
            Kind::Docker => &["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"],
            Kind::Podman => &["info", "--format", "{{.Host.OS}}/{{.Host.Arch}}"],
        };
        let said = self.run(words)?;
        let unknown = |error: crate::platform::PlatformError| self.failed(words, error.to_string());
        said.trim().parse().map_err(unknown)
    }

    /// The layers of every image that the engine has, lowest first. What it can't tell counts as not there.
    pub fn layers(&self) -> Vec<Vec<DiffId>> {
        let Ok(ids) = self.run(&["image", "ls", "--all", "--quiet", "--no-trunc"]) else { return Vec::new() };
        let mut ids: Vec<&str> = ids.split_whitespace().collect();
        ids.sort_unstable();
        ids.dedup();
        // Few at a time: a command line is not endless, and one image removed meanwhile spoils only its own group.
        let groups = ids.chunks(100).map(|ids| {
            let words = [&["image", "inspect", "--format", "{{json .RootFS.Layers}}"], ids].concat();
            self.run(&words).unwrap_or_default()
        });
        let parse = |line: &str| serde_json::from_str::<Vec<DiffId>>(line).ok();
        groups.flat_map(|said| said.lines().filter_map(parse).collect::<Vec<_>>()).collect()
    }

    /// Runs a command to its end; what it said on stdout.
    pub fn run(&self, words: &[&str]) -> Result<String, EngineError> {
        self.finished(words, self.command(words))
    }

    /// As [`Engine::run`], in a folder.
    pub fn run_in(&self, folder: &Path, words: &[&str]) -> Result<String, EngineError> {
        let mut command = self.command(words);
        command.current_dir(folder);
        self.finished(words, command)
    }

    fn finished(&self, words: &[&str], mut command: Command) -> Result<String, EngineError> {
        let output = command.stdin(Stdio::null()).output();
        let output = output.map_err(|error| self.failed(words, self.not_run(&error)))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(words, said(&output.stderr)))
    }

    /// Runs a command that reads what `feed` writes.
    pub fn feed<E: std::error::Error + Send + Sync + 'static>(
        &self,
        words: &[&str],
        feed: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), EngineError> {
        let mut command = self.command(words);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| self.failed(words, self.not_run(&error)))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let (fed, told) = std::thread::scope(|scope| {
            // Read meanwhile: a full pipe would stop it.
            let told = scope.spawn(|| read(stderr));
            let fed = stdin.map_or(Ok(()), |stdin| feed(&mut io::BufWriter::with_capacity(1 << 20, stdin)));
            (fed, told.join().unwrap_or_default())
        });
        let status = child.wait().map_err(|error| self.failed(words, reason(&error)))?;
        match fed {
            // A command that ends early breaks the pipe: what it said is the reason.
            _ if !status.success() => Err(self.failed(words, said(&told))),
            Err(error) => Err(EngineError::Feed(error.into())),
            Ok(()) => Ok(()),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.kind.program());
        command.args(words).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn not_run(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::NotFound => "it is not installed".to_owned(),
            _ => reason(error),
        }
    }

    fn failed(&self, words: &[&str], why: String) -> EngineError {
        // The command's name is enough: what follows is long.
        let command = format!("{} {}", self.kind, words.first().copied().unwrap_or_default());
        EngineError::Command { command, why }
    }
}

fn read(stderr: Option<impl Read>) -> Vec<u8> {
    let mut told = Vec::new();
    // What can't be read of an error's text is left out.
    let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut told));
    told
}

/// The last line that a program wrote, where it says what is wrong.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => line.to_owned(),
        None => "it did not say why".to_owned(),
    }
}
