//! The images among the targets of a verb that publishes or exports: built, whole, and with their names.

use super::context::Context;
use super::error::CliError;
use super::project::{Project, Selected};
use super::work::{Results, Work};
use crate::action::record::{ImageOutput, Output};
use crate::action::{ActionId, Operation};
use crate::effect::blobs::audit;
use crate::event::{Event, Listener};
use crate::graph::TargetId;
use crate::label::Label;
use crate::reference::{RegistryBase, Repository, RepositoryPath, Tag};
use crate::workspace::schema::Purpose;

/// An image that was built.
pub struct BuiltImage<'a> {
    /// Its label.
    pub label: &'a Label,
    /// What was built.
    pub output: &'a ImageOutput,
    /// Its action.
    pub action: ActionId,
}

/// Narrows a selection to images: wildcards pass over other targets, a label that names one is an error.
pub fn only_images(project: &Project, selected: &mut Selected<'_>, verb: &str) -> Result<(), CliError> {
    let is_image = |target: TargetId| selected.graph.target(target).rule.purpose == Purpose::Image;
    let named = project.patterns.iter().all(|pattern| !pattern.is_wildcard());
    let other = selected.targets.iter().find(|target| !is_image(**target));
    if let (true, Some(other)) = (named, other) {
        let label = &selected.graph.target(*other).label;
        return Err(CliError::usage(format!("{label} is a layer: only images can be {verb}")));
    }
    let images = selected.targets.iter().copied().filter(|target| is_image(*target)).collect();
    selected.targets = images;
    Ok(())
}

/// The images among a build's results, in the order of their labels.
pub fn built<'a>(work: &'a Work<'_>, results: &'a Results) -> Vec<BuiltImage<'a>> {
    let one = |target: &TargetId| {
        let action = work.lowered.action(*target)?;
        let Some(Output::Image(output)) = results.output(action) else { return None };
        Some(BuiltImage { label: &work.selected.graph.target(*target).label, output, action })
    };
    work.selected.targets.iter().filter_map(one).collect()
}

/// Whether any blob of the images was damaged. Those are removed, so that building again makes them anew.
pub fn was_damaged(images: &[BuiltImage<'_>], work: &Work<'_>, listener: &dyn Listener) -> Result<bool, CliError> {
    let mut found = false;
    for image in images {
        for digest in audit(image.output, work.store)? {
            found = true;
            let text = format!("{}: blob {digest} in the store was damaged; it is built again", image.label);
            listener.event(Event::Warning(text));
        }
    }
    Ok(found)
}

/// Where images are published.
pub fn registry(project: &Project, cx: &Context) -> Result<RegistryBase, CliError> {
    let text = cx.globals.registry.as_deref().unwrap_or(&project.workspace.settings.registry);
    text.parse().map_err(|error| CliError::usage(format!("registry: {error}")))
}

/// The tags of a call, else the workspace's.
pub fn tags(written: &[String], project: &Project) -> Result<Vec<Tag>, CliError> {
    let default = [project.workspace.settings.tag.clone()];
    let texts = if written.is_empty() { &default[..] } else { written };
    texts.iter().map(|text| text.parse().map_err(|error| CliError::usage(format!("tag: {error}")))).collect()
}

/// Where an image is published.
pub fn repository(label: &Label, registry: &RegistryBase) -> Result<Repository, CliError> {
    registry.repository(label).map_err(|error| CliError::usage(format!("{label}: {error}")))
}

/// Where the images that an image stands on are published.
pub fn below(image: ActionId, work: &Work<'_>, registry: &RegistryBase) -> Vec<RepositoryPath> {
    let graph = &work.lowered.graph;
    let base = |id: &ActionId| match &graph.get(*id).operation {
        Operation::Image(action) => action.base,
        _ => None,
    };
    let bases = std::iter::successors(base(&image), base);
    bases.filter_map(|id| Some(registry.repository(&graph.get(id).label).ok()?.path)).collect()
}
