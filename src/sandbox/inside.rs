//! The program as its own sandbox: what `main` calls first of all.
//!
//! Two processes. The outer one leaves the host's namespaces, has its users mapped, and starts the inner one, which is the
//! first of the new pid namespace: it reads the task from its standard input, does it, and answers there. Each dies with
//! the process above it; with the inner one die all that its commands started. For a command of the host itself there are
//! two as well: its `keeper`, and what becomes the command.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::Mode;
use rustix::process::{Signal, set_parent_process_death_signal, umask};

use super::changes::{ChangesError, changes};
use super::error::FIRST;
use super::outputs::outputs;
use super::root_fs::{Tried as _, keep_to_ourselves, overlay};
use super::task::{Answer, Collect, Gather, Task};
use super::{commands, keeper, lay_out, namespaces};
use crate::oci::chunk_memory::NoMemory;
use crate::oci::compress::{Compression, Format};
use crate::oci::layer::{LayerError, write_layer};

/// The first argument of a program that is a sandbox. No verb and no label can be written so.
pub(super) const MARK: &str = "--inside-the-sandbox";
/// The outer process's second argument where the host's network is used.
pub(super) const NETWORK: &str = "network";
/// The second argument of a program that is no sandbox after all, and keeps a command of the host: what follows.
pub(super) const OUTSIDE: &str = "outside";
/// The second argument of a program that becomes such a command.
const COMMAND: &str = "command";
/// What the outer process says once it has left the host's namespaces.
pub(super) const READY: &str = "ready";

/// Does the sandbox's work where the arguments say that this process is one; `None` where they don't.
pub fn enter(args: &[OsString]) -> Option<ExitCode> {
    let [_, mark, role, rest @ ..] = args else { return None };
    if mark != MARK {
        return None;
    }
    let ended = match role.to_str() {
        Some("inner") => inner(rest.first().map(OsString::as_os_str)),
        Some(OUTSIDE) => {
            let kept = keeper::keep(itself_as(COMMAND, rest));
            answer(&kept.unwrap_or_else(|error| refused("watch over the command", &error)))
        }
        Some(COMMAND) => become_command(rest),
        _ => outer(role == NETWORK, rest.first().map(OsString::as_os_str)),
    };
    Some(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// This program once more.
fn itself_as(role: &str, words: &[OsString]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([MARK, role]).args(words);
    command
}

/// Becomes a command; returns only where that fails, and then says so as a shell would.
fn become_command(words: &[OsString]) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let error = Command::new(program).args(arguments).exec();
    let text = format!("`{}` cannot be started: {error}\n", program.to_string_lossy());
    io::stderr().write_all(text.as_bytes())?;
    Err(error)
}

fn outer(network: bool, terminal: Option<&OsStr>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    umask(Mode::from_raw_mode(0o022));
    if let Err(refused) = namespaces::leave(network).tried(FIRST) {
        return answer(&refused);
    }
    set_parent_process_death_signal(Some(Signal::KILL))?; // forgotten where privileges change
    tell(READY)?;
    let mut go = [0];
    if rustix::io::read(io::stdin().as_fd(), &mut go)? == 0 {
        return Ok(()); // nobody mapped its users
    }
    // The groups of whoever called are none of the sandbox's. Where a namespace around us forbids it, they lead nowhere.
    if fs::read("/proc/self/setgroups").is_ok_and(|text| text.starts_with(b"allow")) {
        rustix::thread::set_thread_groups(&[])?;
    }
    let terminal: Vec<OsString> = terminal.map(OsStr::to_owned).into_iter().collect();
    itself_as("inner", &terminal).env_clear().stdin(Stdio::inherit()).status().map(drop)
}

fn inner(terminal: Option<&OsStr>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text)?;
    drop(text);
    let terminal = terminal.map(|number| File::open(Path::new("/proc/self/fd").join(number))).transpose()?;
    let answered = match &task {
        Task::Run(run) => commands::run(run, terminal, &|command| {
            // Where nobody listens any more, this process has been killed.
            let _ = answer(&Answer::Begun { command });
        }),
        Task::LayOut { archive, into } => lay_out::lay_out(archive, into).map(|()| Answer::Done),
        Task::Collect(task) => collect(task).map(|()| Answer::Done),
        Task::Gather(task) => gather(task).map(|()| Answer::Done),
        Task::Remove(paths) => paths.iter().try_for_each(|path| remove(path)).map(|()| Answer::Done),
    };
    answer(&answered.unwrap_or_else(|refused| refused))
}

fn answer(answer: &Answer) -> io::Result<()> {
    tell(&serde_json::to_string(answer)?)
}

/// A line to the process that asked: standard input is a socket.
fn tell(line: &str) -> io::Result<()> {
    let mut rest = [line.as_bytes(), b"\n"].concat();
    while !rest.is_empty() {
        let count = rustix::io::write(io::stdin().as_fd(), &rest)?;
        rest.drain(..count);
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Answer> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.tried(format!("remove {}", path.display())),
    }
}

fn collect(task: &Collect) -> Result<(), Answer> {
    keep_to_ourselves()?;
    let root = task.scratch.join("root");
    overlay(&task.lowers, None, &root)?;
    let ignore = ignored(&task.ignore).map_err(|error| Answer::Unfit(vec![error.to_string()]))?;
    let tree = changes(&task.scratch.join("upper"), &root, &ignore, task.mtime).map_err(|error| match error {
        ChangesError::Unfit(all) => Answer::Unfit(all),
        ChangesError::Read { path, source } => refused(format!("read {path}"), &source),
    })?;
    write(&tree, &mut opened(&task.archive)?)
}

/// From within the root file system: a link in it leads nowhere but into it.
fn gather(task: &Gather) -> Result<(), Answer> {
    keep_to_ourselves()?;
    let (mut archive, root) = (opened(&task.archive)?, task.scratch.join("root"));
    let layers: Vec<_> = task.lowers.iter().cloned().chain([task.scratch.join("upper")]).collect();
    overlay(&layers, None, &root)?;
    rustix::process::chroot(&root).tried("enter the root file system")?;
    rustix::process::chdir("/").tried("enter the root file system")?;
    let tree = outputs(Path::new("/"), &task.places, task.mtime).map_err(Answer::Unfit)?;
    write(&tree, &mut archive)
}

fn opened(archive: &Path) -> Result<File, Answer> {
    File::options().write(true).open(archive).tried(format!("write {}", archive.display()))
}

/// `*` stops at `/`, as everywhere.
fn ignored(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build()
}

fn write(tree: &crate::oci::tree::Tree, file: &mut File) -> Result<(), Answer> {
    const WHAT: &str = "write down what changed";
    let other = |error: &dyn std::error::Error| refused(WHAT, &io::Error::other(error.to_string()));
    let plain = Compression::new(Format::None, false).map_err(|error| other(&error))?;
    let workers = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| other(&error))?;
    match write_layer(tree, &plain, &NoMemory, &workers, file) {
        Err(LayerError::Write(error)) => Err(refused(WHAT, &error)),
        written => written.map(drop).map_err(|error| other(&error)),
    }
}

fn refused(what: impl Into<String>, error: &io::Error) -> Answer {
    Answer::Refused { what: what.into(), why: error.to_string(), errno: error.raw_os_error() }
}
