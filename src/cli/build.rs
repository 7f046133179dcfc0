//! `build`: layers and images into the store. Touches nothing outside it.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::patterns::Patterns;
use super::work::Work;
use super::{dry_run, project};
use crate::event::Event;

/// Build layers and images into the store; prints one line `LABEL DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to build.
    #[command(flatten)]
    pub patterns: Patterns,
}

/// Builds what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(&args.patterns.patterns, cx)?;
    let selected = project.select()?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work { project: &project, selected: &selected, lowered: &lowered, store: &store };
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let listener = cx.listener();
    let (results, error) = work.build(cx, &*listener)?;
    listener.event(Event::Done(results.summary.clone()));
    drop(listener);
    for target in &selected.targets {
        if let Some(output) = results.of(*target, &lowered) {
            writeln!(cx.out, "{} {}", selected.graph.target(*target).label, output.digest())?;
        }
    }
    store.finish()?;
    error.map_or(Ok(()), Err)
}
