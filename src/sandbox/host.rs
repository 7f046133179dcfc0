//! The host's side of a sandbox: starts it, maps its users, hands it its task, hears its answer, kills it when its time is over.
//!
//! Whatever happens, nothing of it is left running when a call returns, or when this process ends.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::error::{SandboxError, advice};
use super::id_map::IdMap;
use super::inside::{MARK, NETWORK, READY};
use super::output;
use super::task::{Answer, Task};
use crate::reason::reason;

/// Starts sandboxes.
#[derive(Debug)]
pub struct Sandbox {
    pub(super) program: PathBuf,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What the sandbox said.
    pub answer: Answer,
    /// The last lines that commands printed, secrets blotted out.
    pub last_lines: Vec<String>,
}

impl Default for Sandbox {
    /// By this very program, whose `main` calls [`inside::enter`](super::inside::enter) first.
    fn default() -> Sandbox {
        Sandbox { program: "/proc/self/exe".into() }
    }
}

/// A started sandbox; dropped, it and all in it are killed.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sandbox {
    /// By a program at a path.
    pub fn at(program: PathBuf) -> Sandbox {
        Sandbox { program }
    }

    /// Does a task. `limit`: how long it may take; `told` gets each line that its commands print.
    pub fn perform(
        &self,
        task: &Task,
        limit: Option<Duration>,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Ended, SandboxError> {
        let run = |command| start(command, None, task, limit);
        let (answer, last_lines) = output::caught(Command::new(&self.program), &secrets(task), told, run)?;
        Ok(Ended { answer, last_lines })
    }

    /// Does a task whose last command a person talks to: it has this process's own streams.
    pub fn converse(&self, task: &Task) -> Result<Answer, SandboxError> {
        // Not closed on exec, unlike all else: one thread starts one program here.
        let terminal = rustix::io::dup(io::stdin()).map_err(|error| SandboxError::Start(error.into()))?;
        start(Command::new(&self.program), Some(&terminal), task, None)
    }
}

fn start(
    mut command: Command,
    terminal: Option<&OwnedFd>,
    task: &Task,
    limit: Option<Duration>,
) -> Result<Answer, SandboxError> {
    let (ours, theirs) = UnixStream::pair().map_err(SandboxError::Start)?;
    let network = matches!(task, Task::Run(run) if run.network);
    command.args([MARK, if network { NETWORK } else { "outer" }]).env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
    command.args(terminal.map(|terminal| terminal.as_raw_fd().to_string()));
    let child = command.spawn().map_err(SandboxError::Start)?;
    drop(command);
    let started = Started(child);
    let talk = Talk { stream: ours, end: limit.map(|limit| Instant::now() + limit) };
    let answer = talk.with(started.0.id(), task)?;
    match answer {
        Answer::Refused { what, why, errno } => Err(refused(what, why, errno)),
        answer => Ok(answer),
    }
}

fn refused(what: String, why: String, errno: Option<i32>) -> SandboxError {
    let read = |path: &str| fs::read_to_string(path).ok();
    let hint = errno.and_then(|errno| advice(&what, Errno::from_raw_os_error(errno), read));
    SandboxError::Refused { what, why: reason(&why), hint }
}

fn secrets(task: &Task) -> Vec<Vec<u8>> {
    match task {
        Task::Run(run) => output::lines(run.secrets.iter().map(|secret| secret.content.0.as_slice())),
        _ => Vec::new(),
    }
}

/// The conversation with one sandbox.
pub(super) struct Talk {
    pub(super) stream: UnixStream,
    /// When it must be over.
    pub(super) end: Option<Instant>,
}

impl Talk {
    fn with(self, pid: u32, task: &Task) -> Result<Answer, SandboxError> {
        let mut from = BufReader::new(&self.stream);
        let mut line = String::new();
        from.read_line(&mut line).map_err(SandboxError::Start)?;
        if line.trim_end() != READY {
            return parsed(&line);
        }
        IdMap::find()?.give_to(pid)?;
        let text = serde_json::to_vec(task).map_err(|error| SandboxError::Start(error.into()))?;
        let mut to = &self.stream;
        // One byte to go on, for the outer process; the task, to its end, for the inner one.
        let sent = to.write_all(b"g").and_then(|()| to.write_all(&text)).and_then(|()| to.shutdown(Shutdown::Write));
        sent.map_err(|_| SandboxError::Killed)?;
        let (text, in_time) = self.rest()?;
        match (parsed(text.lines().next_back().unwrap_or_default()), in_time) {
            (Ok(Answer::Begun { command }), false) => Ok(Answer::TimedOut { command }),
            (Err(_), false) => Ok(Answer::TimedOut { command: 0 }),
            // It began something, and was heard of no more.
            (Ok(Answer::Begun { .. }), true) => Err(SandboxError::Killed),
            (answer, _) => answer,
        }
    }

    /// All that it says, and whether it ended in time.
    pub(super) fn rest(&self) -> Result<(String, bool), SandboxError> {
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        let said = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        loop {
            if let Some(end) = self.end {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok((said(&text), false));
                }
                self.stream.set_read_timeout(Some(left)).map_err(SandboxError::Start)?;
            }
            match (&self.stream).read(&mut piece) {
                Ok(0) => return Ok((said(&text), true)),
                Ok(count) => text.extend_from_slice(&piece[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(SandboxError::Start(error)),
            }
        }
    }
}

pub(super) fn parsed(line: &str) -> Result<Answer, SandboxError> {
    serde_json::from_str(line.trim_end()).map_err(|_| SandboxError::Killed)
}
