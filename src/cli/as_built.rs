//! What verbs say of images that are taken as this machine built them last.

use super::error::CliError;
use super::project::Project;
use crate::action::record::Output;
use crate::action::{ActionGraph, LocalAction, Operation};
use crate::build::error::BuildError;
use crate::build::scheduler::Failure;
use crate::event::{Event, Listener};
use crate::oci::timestamp::rfc3339;
use crate::plan::local::{self, LastBuilt};
use crate::plan::lower::Lowered;
use crate::store::Store;
use crate::workspace::taken;
use crate::workspace::{Target, Workspace};

/// When it was built, as RFC 3339 has it.
pub fn moment(local: &LocalAction) -> String {
    at(local.built)
}

fn at(seconds: u64) -> String {
    rfc3339(seconds).unwrap_or_else(|| format!("second {seconds}"))
}

/// Of an image that is taken so: its digest and when it was built; `None` for any other target.
pub fn note(target: &Target, project: &Project, store: &Store) -> Result<Option<String>, CliError> {
    if !target.local {
        return Ok(None);
    }
    let built = LastBuilt::new(store, project.root().as_std_path()).image(&target.label)?;
    let known = built.map(|built| format!("taken as built here at {}: {}", at(built.time()), built.digest()));
    Ok(Some(known.unwrap_or_else(|| "taken as built here, which it never was".to_owned())))
}

/// What to do about a failure: where such an image, or a layer of it, has left the store, the command that builds it again.
pub fn advice(failure: &Failure, lowered: &Lowered, workspace: &Workspace) -> Option<String> {
    let BuildError::LocalGone { .. } = failure.error else { return None };
    let image = lowered.graph.ids().find(|id| match &lowered.graph.get(*id).operation {
        Operation::Local(local) => *id == failure.id || local.layers.contains(&failure.id),
        _ => false,
    })?;
    let label = &lowered.graph.get(image).label;
    let home = workspace.home(&label.package);
    let by = taken::deciding(&home.settings.taken, &home.local(label)).map(|list| &list.by);
    Some(local::advice(label, by))
}

/// Whether an action stands for a layer of an image that is taken so: nobody asked for it by name.
pub fn is_part(operation: &Operation) -> bool {
    matches!(operation, Operation::Local(local) if matches!(local.output, Output::Layer(_)))
}

/// Warns that what is pushed stands on what only this machine is known to have made.
pub fn warn(graph: &ActionGraph, listener: &dyn Listener) {
    for action in &graph.actions {
        let Operation::Local(local) = &action.operation else { continue };
        if !is_part(&action.operation) {
            let name = action.name();
            let text = format!(
                "{name} is taken as built here at {}: what stands on it is pushed with that, whatever its sources are now",
                moment(local)
            );
            listener.event(Event::Warning(text));
        }
    }
}
