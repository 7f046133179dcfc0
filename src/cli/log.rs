//! `log`: what earlier commands did, from the logs that they left. Also the end of a command's own log, and its trace.
//!
//! `recorder` writes logs, `log_select` finds one, `event_log` reads it, `log_last` and `log_views` show it.

use std::num::NonZeroUsize;

use camino::Utf8Path;

use super::context::Context;
use super::error::CliError;
use super::log_table::Output;
use super::recorder::Recorder;
use super::{log_last, log_message, log_select, log_views, trace_file};
use crate::event_log::Log;
use crate::exit::Exit;

/// Show what earlier commands of the workspace did: when, how long, what ran and why, what failed
///
/// Every command that builds, publishes or locks leaves a log in the store, also one that is killed or refused; the last 50
/// that did something are kept. All times are UTC.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to show
    #[arg(value_name = "WHAT", value_enum, default_value_t = View::Last)]
    pub view: View,
    /// Of the command with this name, as `list` has it. Default: of the last one; but for `last`, of the last one that had
    /// something to do
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Of the N-th last command
    #[arg(long, value_name = "N", conflicts_with = "id")]
    pub recent: Option<NonZeroUsize>,
    /// How many of the slowest steps
    #[arg(long, value_name = "N", default_value = "10")]
    pub top: usize,
    /// How to show it; --json is short for json
    #[arg(long, value_enum)]
    pub output: Option<Output>,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    /// The command, how it ended, and its figures.
    Last,
    /// All commands that have a log.
    List,
    /// Steps that ran, and why.
    WhatRan,
    /// Steps that failed, why, and what could not be tried.
    WhatFailed,
    /// The chain of actions that took longest.
    CriticalPath,
    /// The steps that took longest.
    Slowest,
}

/// Shows it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let output = args.output.unwrap_or(if cx.globals.json { Output::Json } else { Output::Text });
    if args.view == View::List {
        let all = log_select::all(cx)?;
        return log_views::list(&all, output, cx);
    }
    let selected = match (&args.id, args.recent) {
        (Some(id), _) => log_select::named(id, cx)?,
        (None, Some(recent)) => log_select::recent(recent, cx)?,
        (None, None) if args.view == View::Last => log_select::recent(NonZeroUsize::MIN, cx)?,
        (None, None) => log_select::last_with_work(args.view == View::WhatFailed, cx)?,
    };
    if let Some(path) = &cx.globals.profile_out {
        trace_file::check(path)?;
        trace_file::write(&selected.log, path)?;
    }
    match args.view {
        View::Last | View::List => log_last::last(&selected, output, cx),
        View::WhatRan => log_views::what_ran(&selected, output, cx),
        View::WhatFailed => log_views::what_failed(&selected, output, cx),
        View::CriticalPath => log_views::critical_path(&selected, output, cx),
        View::Slowest => log_views::slowest(&selected, args.top, output, cx),
    }
}

/// Ends the log of a command, and writes its trace where one is asked for. What the command gave comes first.
pub fn close(result: Result<(), CliError>, cx: &Context) -> Result<(), CliError> {
    let Some(recorder) = &cx.recorder else { return result };
    let (exit, message) =
        result.as_ref().err().map_or((Exit::Done, String::new()), |error| (error.exit, log_message::told(error, cx)));
    if let Some(warning) = recorder.end(exit, &message) {
        cx.warn(&warning);
    }
    let traced = cx.globals.profile_out.as_deref().map_or(Ok(()), |path| profile(recorder, path, cx));
    result.and(traced)
}

fn profile(recorder: &Recorder, path: &Utf8Path, cx: &Context) -> Result<(), CliError> {
    match recorder.text().and_then(|text| Log::parse(&text)) {
        Some(log) => trace_file::write(&log, path),
        None => {
            cx.warn(&format!("{path} is not written: the command left no log to make it of"));
            Ok(())
        }
    }
}
