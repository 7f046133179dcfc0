//! `build`: layers and images into the store. Touches nothing outside it.

use std::fmt::Write as _;
use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::patterns::{self, ListedPatterns};
use super::project::{Project, Selected};
use super::unchanged::Call;
use super::work::{Results, Work};
use super::{check, checks, dry_run, images, project};
use crate::event::Event;
use crate::plan::lower::Lowered;
use crate::plan::snapshot::Answer;
use crate::store::Store;

/// Build layers and images into the store; prints one line `LABEL DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to build.
    #[command(flatten)]
    pub patterns: ListedPatterns,
    /// Whether the verb was not written.
    #[arg(skip)]
    pub bare: bool,
}

/// Builds what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let Some((patterns, listed)) = args.patterns.all(cx)? else { return Ok(()) };
    let call = if listed { None } else { Call::new(&patterns, cx) };
    let store = call.is_some().then(|| project::open_store(cx)).transpose()?;
    if let (Some(call), Some(store)) = (&call, &store)
        && let Some((answer, summary)) = call.recall(store)?
    {
        cx.listener().event(Event::Done(summary));
        return Ok(cx.out.write_all(answer.text.as_bytes())?);
    }
    let mut project = project::open(&patterns, cx)?;
    project.listed = listed;
    let store = store.map_or_else(|| project::open_store(cx), Ok)?;
    build(project, call, args.bare, &store, cx)?;
    Ok(store.finish()?)
}

fn build(project: Project, call: Option<Call>, bare: bool, store: &Store, cx: &mut Context) -> Result<(), CliError> {
    let mut selected = project.select(cx)?;
    images::only_with_sources(&project, &mut selected)?;
    checks::leave_out(&project, &mut selected);
    if project.listed && selected.targets.is_empty() {
        patterns::nothing_to_do(cx);
        return Ok(());
    }
    let (some_check, all_checks) = checks::any_and_all(&selected);
    if bare && all_checks {
        return check::check(&project, &selected, store, None, cx);
    }
    let lowered = project.lower(&selected, store, cx)?;
    let work = Work::new(&project, &selected, &lowered, store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let listener = cx.listener();
    let (results, error) = work.build(cx, &*listener)?;
    listener.event(Event::Done(results.summary.clone()));
    drop(listener);
    // What has to be written to a cache, or told, is so each time; and a check that is named says more without a verb.
    let quiet = selected.warnings == 0 && work.cache_to.is_none() && !some_check;
    let text = lines(&selected, &lowered, &results);
    cx.out.write_all(text.as_bytes())?;
    if let (Some(call), true) = (call, error.is_none() && results.summary.ran == 0 && quiet) {
        let answer = Answer { actions: results.summary.cached as u64, text };
        drop(selected);
        call.keep(project, results.outputs(), &answer, store)?;
    }
    error.map_or(Ok(()), Err)
}

fn lines(selected: &Selected<'_>, lowered: &Lowered, results: &Results) -> String {
    let mut text = String::new();
    for target in &selected.targets {
        if let Some(output) = results.of(*target, lowered) {
            let label = &selected.graph.target(*target).label;
            writeln!(text, "{label} {}", output.digest()).expect("writing to a string succeeds");
        }
    }
    text
}
