//! The checks among the targets of a verb, and the tests that stand before the publishing of an image.

use std::collections::BTreeSet;

use super::error::CliError;
use super::project::{Project, Selected};
use super::work::{Results, Work};
use crate::exit::Exit;
use crate::graph::{TargetGraph, TargetId};
use crate::label::Label;
use crate::pattern::TargetPattern;
use crate::workspace::Target;

/// The attribute of images and indexes that names tests.
const TESTS: &str = "tests";

fn is_check(target: &Target) -> bool {
    target.rule.purpose.is_check()
}

/// Narrows a selection to what is built: wildcards pass over checks, a label that names one takes it.
pub fn leave_out(project: &Project, selected: &mut Selected<'_>) {
    let graph = &selected.graph;
    let named = |label: &Label| {
        let names = |pattern: &&TargetPattern| !pattern.is_wildcard() && pattern.names(label);
        !project.listed && project.patterns.iter().any(|pattern| !pattern.negative && names(&pattern))
    };
    selected.targets.retain(|id| !is_check(graph.target(*id)) || named(&graph.target(*id).label));
}

/// Whether there is any check among the targets, and whether they are checks alone.
pub fn any_and_all(selected: &Selected<'_>) -> (bool, bool) {
    let mut targets = selected.targets.iter().map(|id| is_check(selected.graph.target(*id)));
    let any = targets.clone().any(|is| is);
    (any, any && targets.all(|is| is))
}

/// Narrows a selection to checks: wildcards pass over other targets, a label that names one is an error that says which
/// tests look at it.
pub fn only(project: &Project, selected: &mut Selected<'_>) -> Result<(), CliError> {
    let other = selected.targets.iter().copied().find(|id| !is_check(selected.graph.target(*id)));
    let named = |id: TargetId| {
        let label = &selected.graph.target(id).label;
        let names = |pattern: &TargetPattern| !pattern.negative && !pattern.is_wildcard() && pattern.names(label);
        !project.listed && project.patterns.iter().any(names)
    };
    let named =
        selected.targets.iter().copied().filter(|id| !is_check(selected.graph.target(*id))).find(|id| named(*id));
    if let Some(id) = named {
        return Err(no_check(id, &selected.graph));
    }
    let some = !selected.targets.is_empty();
    selected.targets.retain(|id| is_check(selected.graph.target(*id)));
    if some && other.is_some() && !project.listed && selected.targets.is_empty() {
        let patterns: Vec<String> = project.patterns.iter().map(|pattern| format!("`{}`", pattern.text)).collect();
        return Err(CliError::new(Exit::NothingMatched, format!("no checks among {}", patterns.join(" "))));
    }
    Ok(())
}

fn no_check(id: TargetId, graph: &TargetGraph<'_>) -> CliError {
    let target = graph.target(id);
    let looking = graph.rdeps(id).map(|dependency| dependency.target).filter(|from| is_check(graph.target(*from)));
    let tests: BTreeSet<TargetId> = looking.chain(mentioned(id, graph)).collect();
    let tests: Vec<String> = tests.into_iter().map(|test| graph.target(test).label.to_string()).collect();
    let error = CliError::usage(format!("{} is {}, not a check", target.label, target.rule.purpose.describe()));
    match tests.is_empty() {
        true => error.hint("no test of its package looks at it: declare one with `[image_test.NAME]`"),
        false => error.hint(format!("tests that look at it: {}", tests.join(" "))),
    }
}

/// The tests that a target names.
fn mentioned<'g>(id: TargetId, graph: &'g TargetGraph<'_>) -> impl Iterator<Item = TargetId> + use<'g> {
    let labels = graph.target(id).labels.iter().filter(|used| used.attribute == TESTS);
    labels.filter_map(|used| graph.id(&used.label))
}

/// The tests that must pass before a target is published: its own, and of an index those of its images.
pub fn before(id: TargetId, graph: &TargetGraph<'_>) -> BTreeSet<TargetId> {
    let images = graph.deps(id).filter(|dependency| dependency.attribute == "images");
    let all = images.map(|dependency| dependency.target).chain([id]);
    all.flat_map(|id| mentioned(id, graph).collect::<Vec<_>>()).collect()
}

/// Adds to a selection the tests that must pass before its images are published.
pub fn add(selected: &mut Selected<'_>) {
    let graph = &selected.graph;
    let tests = selected.targets.iter().flat_map(|id| before(*id, graph));
    let all: BTreeSet<TargetId> = selected.targets.iter().copied().chain(tests).collect();
    selected.targets = all.into_iter().collect();
}

/// Whether all tests before an image's publishing have passed.
pub fn is_free(image: &Label, work: &Work<'_>, results: &Results) -> bool {
    let graph = &work.selected.graph;
    let tests = graph.id(image).map(|id| before(id, graph)).unwrap_or_default();
    tests.iter().all(|test| results.of(*test, work.lowered).is_some())
}

/// The images that are not published because a test failed, with those tests. Also those that were not built for it: the
/// first failure stops what has not begun.
pub fn stopped(work: &Work<'_>, results: &Results) -> Vec<(Label, Vec<Label>)> {
    let graph = &work.selected.graph;
    let failed = |test: &TargetId| work.lowered.action(*test).and_then(|id| results.failure(id)).is_some();
    let label = |id: TargetId| graph.target(id).label.clone();
    let stopped = work.selected.targets.iter().map(|id| {
        let tests: Vec<Label> = before(*id, graph).into_iter().filter(failed).map(label).collect();
        (label(*id), tests)
    });
    stopped.filter(|(_, tests)| !tests.is_empty()).collect()
}

/// The error of a verb that publishes: a test that failed stops it, with each image that was not sent for it.
pub fn stopping(error: CliError, stopped: &[(Label, Vec<Label>)], verb: &str) -> CliError {
    let exit = if error.exit == Exit::Partial { Exit::Failed } else { error.exit };
    let hint = |(image, tests): &(Label, Vec<Label>)| {
        let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
        format!("{image} was not {verb}: {} did not pass", tests.join(", "))
    };
    stopped.iter().map(hint).fold(CliError { exit, ..error }, CliError::hint)
}
