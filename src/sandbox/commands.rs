//! Runs a task's commands one after another as the process that all others of the sandbox descend from.
//!
//! Before the first: no privilege can be gained, and capabilities beyond Docker's default set are gone for whatever is
//! started. This process keeps its own, to unmount with, and lets nobody look into it.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, capability_is_in_bounding_set, remove_capability_from_bounding_set, set_no_new_privs,
};

use super::loopback;
use super::root_fs::{RootFs, Tried as _};
use super::task::{Answer, Run};
use super::users::{self, User};

/// What a container may do by default (Docker's documentation, "Runtime privilege and Linux capabilities").
const ALLOWED: CapabilitySet = CapabilitySet::AUDIT_WRITE
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

/// Runs them all, or up to the first that fails. `terminal`: what the last one reads; `begins` is told of each.
pub(super) fn run(run: &Run, terminal: Option<File>, begins: &dyn Fn(usize)) -> Result<Answer, Answer> {
    let mut fs = RootFs::enter(run)?;
    rustix::system::sethostname(b"layerbuild").tried("set the host name")?;
    if !run.network {
        loopback::up().tried("bring up the loopback device")?;
    }
    let answer = match user(run) {
        Err(why) => Answer::NotStarted { command: 0, why },
        Ok(user) => {
            fs.hand_over(run, &user)?;
            confine()?;
            for folder in run.folders.iter().chain([&run.workdir]) {
                fs::create_dir_all(folder).tried(format!("make {folder}"))?;
            }
            all(run, &user, terminal, begins)
        }
    };
    fs.leave();
    Ok(answer)
}

fn user(run: &Run) -> Result<User, String> {
    let read =
        |path: &str| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    users::find(&run.user, &read("/etc/passwd"), &read("/etc/group"))
}

fn confine() -> Result<(), Answer> {
    set_no_new_privs(true).tried("give up new privileges")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).tried("hide itself")?;
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(one) {
            Err(_) => break, // beyond the last that this kernel knows
            Ok(true) if !ALLOWED.contains(one) => {
                remove_capability_from_bounding_set(one).tried("give up capabilities")?;
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

fn all(run: &Run, user: &User, mut terminal: Option<File>, begins: &dyn Fn(usize)) -> Answer {
    for (number, words) in run.commands.iter().enumerate() {
        begins(number);
        let stdin = if number + 1 == run.commands.len() { terminal.take() } else { None };
        match one(run, user, words, stdin) {
            Ok(status) if status.success() => {}
            Ok(status) => return Answer::Failed { command: number, status: said(status) },
            Err(why) => return Answer::NotStarted { command: number, why },
        }
    }
    Answer::Done
}

fn one(run: &Run, user: &User, words: &[String], stdin: Option<File>) -> Result<ExitStatus, String> {
    let (program, arguments) = words.split_first().ok_or("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("HOME", &user.home);
    command.envs(run.env.iter().map(|(name, value)| (name, value))).current_dir(&run.workdir);
    command.stdin(stdin.map_or_else(Stdio::null, Stdio::from));
    if (user.uid, user.gid) != (0, 0) {
        command.uid(user.uid).gid(user.gid);
    }
    let started = command.spawn().and_then(|mut child| child.wait());
    started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("the base has no program `{program}` (or not what it is run by)"),
        _ => format!("`{program}` cannot be started: {error}"),
    })
}

/// `exit status: 3`, or the signal.
fn said(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal: {signal}"),
        None => format!("exit status: {}", status.code().unwrap_or_default()),
    }
}
