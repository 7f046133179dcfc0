//! Which log is meant, and how its command ended.

use std::num::NonZeroUsize;

use super::context::Context;
use super::error::CliError;
use crate::diagnostic::nearest;
use crate::event_log::Log;
use crate::exit::Exit;
use crate::store::{LogEntry, LogKind, Logs};
use crate::workspace::root::find_root;

/// A log that was found.
pub struct Selected {
    /// Its name.
    pub id: String,
    /// What it says.
    pub log: Log,
    /// How the command ended.
    pub end: End,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Done,
    /// Well, and nothing was to be done.
    Idle,
    /// With this exit code.
    Failed(u8),
    /// With this exit code, before anything was begun: call or workspace were wrong.
    Refused(u8),
    /// By Ctrl-C or a termination signal.
    Interrupted,
    /// Without saying so: by a kill, a crash or a power cut.
    Killed,
    /// It has not.
    Running,
}

impl End {
    fn of(entry: &LogEntry, log: &Log) -> End {
        match &log.ended {
            None if entry.is_running() => End::Running,
            None => End::Killed,
            Some(ended) if ended.exit == Exit::Interrupted.code() => End::Interrupted,
            Some(ended) if ended.exit == Exit::Done.code() && entry.kind == LogKind::Idle => End::Idle,
            Some(ended) if ended.exit == Exit::Done.code() => End::Done,
            Some(ended) if entry.kind == LogKind::Idle => End::Refused(ended.exit),
            Some(ended) => End::Failed(ended.exit),
        }
    }

    /// In a word or two, for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            End::Done => "done",
            End::Idle => "nothing to do",
            End::Failed(_) => "failed",
            End::Refused(_) => "refused",
            End::Interrupted => "interrupted",
            End::Killed => "killed",
            End::Running => "running",
        }
    }
}

fn entries(cx: &Context) -> Result<Vec<LogEntry>, CliError> {
    let root = find_root(cx.directory()).map_err(|error| CliError::usage(error.to_string()).hint(error.hint()))?;
    let logs = Logs::of(cx.globals.cache_dir.as_std_path(), root.as_std_path());
    logs.list().map_err(|error| CliError::io("cannot list the logs", &error))
}

/// All logs, the latest first. What is removed meanwhile, or says nothing, is passed over.
pub fn all(cx: &Context) -> Result<Vec<Selected>, CliError> {
    Ok(entries(cx)?.into_iter().filter_map(read).collect())
}

fn read(entry: LogEntry) -> Option<Selected> {
    let log = Log::parse(&entry.read().ok()?)?;
    Some(Selected { end: End::of(&entry, &log), id: entry.id, log })
}

/// The log of this name.
pub fn named(id: &str, cx: &Context) -> Result<Selected, CliError> {
    let entries = some(cx)?;
    let near = nearest(id, entries.iter().map(|entry| entry.id.as_str())).map(|near| format!("did you mean `{near}`?"));
    let found = entries.into_iter().find(|entry| entry.id == id).and_then(read);
    found.ok_or_else(|| CliError::usage(format!("there is no log `{id}`")).hint(near.unwrap_or_else(|| LIST.into())))
}

/// The N-th last; 1 is the last.
pub fn recent(number: NonZeroUsize, cx: &Context) -> Result<Selected, CliError> {
    let entries = some(cx)?;
    let count = entries.len();
    let none = || CliError::new(Exit::NothingMatched, format!("there are only {count} logs")).hint(LIST);
    entries.into_iter().filter_map(read).nth(number.get() - 1).ok_or_else(none)
}

/// The last of a command that did something, which is told where others came since; else the last. `refused`: whether one
/// that was refused counts.
pub fn last_with_work(refused: bool, cx: &Context) -> Result<Selected, CliError> {
    let counts = |selected: &Selected| match selected.end {
        End::Idle => false,
        End::Refused(_) => refused,
        _ => true,
    };
    let mut all = some(cx)?.into_iter().filter_map(read).enumerate();
    let Some((since, selected)) = all.find(|(_, selected)| counts(selected)) else {
        return recent(NonZeroUsize::MIN, cx);
    };
    tell_of(&selected, since, cx);
    Ok(selected)
}

fn tell_of(selected: &Selected, since: usize, cx: &Context) {
    if since > 0 {
        let command = selected.log.begun.command.join(" ");
        cx.err.line(&format!("of {}, `layerbuild {command}`: since then nothing was done", selected.id));
    }
}

fn some(cx: &Context) -> Result<Vec<LogEntry>, CliError> {
    let entries = entries(cx)?;
    if entries.is_empty() {
        let error = CliError::new(Exit::NothingMatched, "no command of this workspace has left a log yet");
        return Err(error.hint("`layerbuild build PATTERN` leaves one"));
    }
    Ok(entries)
}

const LIST: &str = "`layerbuild log list` lists them";
