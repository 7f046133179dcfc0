//! `--dry-run`: for each action what would be done and why, from the caches as they are. Runs nothing.

use std::io::Write;

use super::as_built;
use super::context::Context;
use super::error::CliError;
use super::explanation::Explainer;
use super::work::Work;
use crate::action::Operation;
use crate::build::probe::State;
use crate::digest::Digest;

/// Prints one line an action: `HIT`, `RUN` with the reason, or `WAIT` with what it waits for.
pub fn run(work: &Work<'_>, cx: &mut Context) -> Result<(), CliError> {
    let listener = cx.listener();
    let states = work.probe(&*listener)?;
    drop(listener);
    let explainer = Explainer::new(work, &states)?;
    let graph = &work.lowered.graph;
    let mut ids: Vec<_> = graph.ids().collect();
    ids.retain(|id| !as_built::is_part(&graph.get(*id).operation));
    ids.sort_by_key(|id| (&graph.get(*id).label, *id));
    for id in ids {
        let action = graph.get(id);
        let (verdict, reason) = match &states[id.index()] {
            State::Hit { output, key } => ("HIT", hit(&action.operation, &output.digest(), key, work)),
            State::Run { .. } => ("RUN", explainer.headline(id)?),
            State::Waits => ("WAIT", explainer.headline(id)?),
        };
        writeln!(cx.out, "{verdict:<4} {} {}  {reason}", action.name(), action.operation.name())?;
    }
    Ok(())
}

fn hit(operation: &Operation, output: &Digest, key: &Digest, work: &Work<'_>) -> String {
    if let Operation::Local(local) = operation {
        return format!("{output} (built here at {})", as_built::moment(local));
    }
    match work.shared.origin(key) {
        Some(cache) => format!("{output} (cache {cache})"),
        None => output.to_string(),
    }
}
