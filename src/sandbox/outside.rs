//! A command on the host itself, without a sandbox: what `build-base = "host"` asks for.
//!
//! The program starts itself in between, as the command's `keeper`: all that the command started ends with it, when its time
//! is over, and when this process ends, killed or not.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::error::SandboxError;
use super::host::{Ended, Sandbox, Talk, parsed};
use super::inside::{MARK, OUTSIDE};
use super::output;
use super::task::Answer;

/// A command and all that it is given.
#[derive(Debug)]
pub struct Outside<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// The whole environment.
    pub env: &'a [(String, String)],
    /// Where it starts.
    pub folder: &'a Path,
}

impl Sandbox {
    /// Runs a command on the host itself. `limit`: how long it may take; `told` gets each line that it prints.
    pub fn outside(
        &self,
        outside: &Outside<'_>,
        limit: Option<Duration>,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Ended, SandboxError> {
        let mut command = Command::new(&self.program);
        command.args([MARK, OUTSIDE]).args(outside.command).env_clear().envs(outside.env.iter().cloned());
        // What a terminal tells this process's group, the keeper learns by this process's end.
        command.current_dir(outside.folder).process_group(0);
        let (answer, last_lines) = output::caught(command, &[], told, |command| kept(command, limit))?;
        Ok(Ended { answer, last_lines })
    }
}

/// Starts a command's keeper, and waits until nothing of the command is left. When the time is over the keeper is told.
fn kept(mut command: Command, limit: Option<Duration>) -> Result<Answer, SandboxError> {
    let (stream, theirs) = UnixStream::pair().map_err(SandboxError::Start)?;
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let mut keeper = command.spawn().map_err(SandboxError::Start)?;
    drop(command);
    let talk = Talk { stream, end: limit.map(|limit| Instant::now() + limit) };
    let said = talk.rest();
    drop(talk);
    keeper.wait().map_err(SandboxError::Start)?;
    match said? {
        (text, true) => Ok(parsed(&text).unwrap_or_else(|_| killed())),
        (_, false) => Ok(Answer::TimedOut { command: 0 }),
    }
}

/// The keeper said nothing. The command died with it.
fn killed() -> Answer {
    Answer::Failed { command: 0, status: "no word: it was killed from outside".to_owned() }
}
