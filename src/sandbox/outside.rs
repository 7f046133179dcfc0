//! A command on the host itself, without a sandbox: what `build-base = "host"` asks for.
//!
//! The program starts itself in between, to become the command: so the command dies with this process. Its whole process
//! group is killed when its time is over, and when it ends.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::SandboxError;
use super::host::{Ended, Sandbox};
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
        command.current_dir(outside.folder).process_group(0).stdin(Stdio::null());
        let (status, last_lines) = output::caught(command, &[], told, |command| waited_for(command, limit))?;
        Ok(Ended { answer: status.map_or(Answer::TimedOut { command: 0 }, answer), last_lines })
    }
}

/// Starts a command and waits for its end; `None` where its time was over before.
fn waited_for(mut command: Command, limit: Option<Duration>) -> Result<Option<ExitStatus>, SandboxError> {
    let mut child = command.spawn().map_err(SandboxError::Start)?;
    drop(command);
    let group = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let status = child.wait();
            let _ = sender.send(());
            status
        });
        let over = limit.filter(|limit| receiver.recv_timeout(*limit) == Err(mpsc::RecvTimeoutError::Timeout));
        if limit.is_none() {
            let _ = receiver.recv();
        }
        // What it left running would go on writing, here or to its folder.
        let _ = kill_process_group(group, Signal::KILL);
        let status = waiting.join().map_err(|_| SandboxError::Killed)?.map_err(SandboxError::Start);
        Ok(if over.is_some() { None } else { Some(status?) })
    })
}

fn answer(status: ExitStatus) -> Answer {
    match (status.code(), status.signal()) {
        (Some(0), _) => Answer::Done,
        (_, Some(signal)) => Answer::Failed { command: 0, status: format!("signal: {signal}") },
        (code, None) => Answer::Failed { command: 0, status: format!("exit status: {}", code.unwrap_or_default()) },
    }
}
