//! Both sides of `affected`: what is planned now against what would have been planned of a commit's files.
//!
//! Never too small: whatever can't be known of the commit counts as changed, and is told.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use super::project::{Project, Selected};
use super::work::Work;
use crate::action::record::Output;
use crate::checkout::Checkout as _;
use crate::digest::Digest;
use crate::graph::{TargetGraph, TargetId};
use crate::pattern::TargetPattern;
use crate::plan::affected::{self, Then};
use crate::plan::lower::Lowered;
use crate::plan::source_key::SourceKeys;
use crate::root_cause::RootCause;
use crate::store::Store;
use crate::ui::affected_report::Row;
use crate::workspace::revision::{Revision, Unheld};
use crate::workspace::schema::Purpose;
use crate::workspace::{Beside, Target};

/// The kinds of targets, in one word each.
pub const IMAGE: &str = "image";
pub const LAYER: &str = "layer";
pub const BASE: &str = "base";
pub const CHECK: &str = "check";

/// What became of a target, in one word each.
pub const CHANGED: &str = "changed";
pub const NEW: &str = "new";
pub const DELETED: &str = "deleted";

/// What is compared.
pub struct Sides<'a> {
    /// The workspace.
    pub now: &'a Project,
    /// Its targets.
    pub selected: &'a Selected<'a>,
    /// Their actions.
    pub lowered: &'a Lowered,
    /// The workspace as the commit has it.
    pub then: &'a Project,
    /// The commit's files.
    pub revision: &'a Revision,
    /// Where files are known, and results.
    pub store: &'a Store,
}

/// The commit's targets as actions.
struct Before<'a> {
    selected: &'a Selected<'a>,
    lowered: &'a Lowered,
}

type Warn<'a> = &'a dyn Fn(String);

impl Sides<'_> {
    /// The targets that are affected, and those that are deleted, by label. `prune`: those that the caches know to be the same are left out.
    pub fn compare(&self, commit: &str, prune: bool, warn: Warn<'_>, cx: &Context) -> Result<Vec<Row>, CliError> {
        let graph = match self.then.graph_or_mistake() {
            Ok(graph) => graph,
            Err(mistake) => return Ok(self.all(&mistake, warn)),
        };
        let (lowered, failed) = match self.then.survey(&graph, self.store, cx) {
            Ok(surveyed) => surveyed,
            Err(error) => return Ok(self.all(&error.message, warn)),
        };
        let known = graph.ids().filter(|id| !failed.contains_key(&graph.target(*id).label)).collect();
        let selected = Selected { graph, targets: known, warnings: 0 };
        let graph = &selected.graph;
        let before = Before { selected: &selected, lowered: &lowered };
        let (keys, then) = (SourceKeys::but(&self.lowered.graph, &|_| false), Then::new(&lowered.graph, &failed));
        let comparison = affected::compare(&keys, &then);
        let same = if prune { self.same(&before, &then, cx)? } else { BTreeSet::new() };
        let published = self.published_elsewhere(cx);
        let mut rows = self.deleted(graph);
        for id in &self.selected.targets {
            let target = self.selected.graph.target(*id);
            let made = self.lowered.action(*id).and_then(|action| comparison.causes[action.index()].clone());
            let made = made.filter(|_| !same.contains(id)).map(|cause| stamped(cause, commit));
            let placed = published.as_ref().filter(|_| target.rule.purpose.is_published());
            let cause = made.or_else(|| placed.map(|text| said(target, text.clone())));
            let status = if graph.id(&target.label).is_some() { CHANGED } else { NEW };
            rows.extend(cause.map(|cause| row(target, status, Some(cause))));
        }
        rows.sort_by(|a, b| a.label.cmp(&b.label));
        self.tell_unheld(&comparison.files, warn);
        Ok(rows)
    }

    /// Everything, because nothing is known of the commit's workspace.
    fn all(&self, mistake: &str, warn: Warn<'_>) -> Vec<Row> {
        let text = format!("the workspace at the revision could not be read: {mistake}");
        warn(format!("{text}; every target counts as affected"));
        let targets = self.selected.targets.iter().map(|id| self.selected.graph.target(*id));
        targets.map(|target| row(target, CHANGED, Some(said(target, text.clone())))).collect()
    }

    /// The targets that the patterns name and that only the commit has.
    fn deleted(&self, graph: &TargetGraph<'_>) -> Vec<Row> {
        let patterns: &[TargetPattern] = &self.then.patterns;
        let gone = graph.ids().map(|id| graph.target(id)).filter(|target| {
            let is_here = target.label.package.external().is_none() && !target.published;
            is_here && TargetPattern::pick(patterns, &target.label) && self.selected.graph.id(&target.label).is_none()
        });
        gone.map(|target| row(target, DELETED, None)).collect()
    }

    /// What is another of where images are published: each has to be pushed anew.
    fn published_elsewhere(&self, cx: &Context) -> Option<String> {
        let pairs = self.then.places(cx).into_iter().zip(self.now.places(cx));
        let differs = pairs.into_iter().find(|((_, old), (_, new))| old != new);
        differs.map(|((key, old), (_, new))| format!("`{key}` changed: {old} → {new}"))
    }

    /// The targets whose outputs the caches know on both sides, and that are the same.
    fn same(&self, before: &Before<'_>, then: &Then<'_>, cx: &Context) -> Result<BTreeSet<TargetId>, CliError> {
        let old = self.outputs(self.then, before.selected, before.lowered, cx)?;
        let new = self.outputs(self.now, self.selected, self.lowered, cx)?;
        let is_same = |id: &TargetId| {
            let action = self.lowered.action(*id)?;
            let known = then.known(&self.lowered.graph.note_name(action))?;
            let (was, is) = (old[known.index()]?, new[action.index()]?);
            (was == is).then_some(*id)
        };
        Ok(self.selected.targets.iter().filter_map(is_same).collect())
    }

    /// What is known of each action's output, by id, with nothing built.
    fn outputs(
        &self,
        project: &Project,
        selected: &Selected<'_>,
        lowered: &Lowered,
        cx: &Context,
    ) -> Result<Vec<Option<Digest>>, CliError> {
        let work = Work::looking(project, selected, lowered, self.store, cx)?;
        let states = work.probe(&*cx.listener())?;
        Ok(states.iter().map(|state| state.output().map(Output::digest)).collect())
    }

    /// The workspaces beside this one that the commit's repository doesn't hold, each with whether any of the targets stands on it.
    fn strangers(&self) -> Vec<(&Beside, bool)> {
        let (workspace, Selected { graph, targets, .. }) = (&self.now.workspace, self.selected);
        let place = |id: TargetId| workspace.home(&graph.target(id).label.package).beside;
        let needed: BTreeSet<_> = graph.closure(targets.iter().copied()).into_iter().filter_map(place).collect();
        let beside = workspace.beside.iter().enumerate();
        let strangers = beside.filter(|(_, it)| !self.revision.holds(&it.root));
        strangers.map(|(at, it)| (it, needed.contains(&at))).collect()
    }

    /// Names what git doesn't hold, and how it counts. `files`: the sources of what is affected.
    fn tell_unheld(&self, files: &BTreeSet<String>, warn: Warn<'_>) {
        let (mut unheld, strangers) = (self.revision.unheld(), self.strangers());
        let is_strange = |path: &Utf8PathBuf| strangers.iter().any(|(it, _)| path.starts_with(&it.root));
        unheld.retain(|it| !matches!(it, Unheld::Outside(path) if is_strange(path)));
        let all = |path: fn(&Unheld) -> Option<&Utf8PathBuf>| -> Vec<String> {
            unheld.iter().filter_map(path).map(ToString::to_string).collect()
        };
        let new = files.iter().map(String::as_str).filter(|path| !self.revision.has(Utf8Path::new(path)));
        // Where git can't say, that is no reason to fail: it is about a hint.
        let ignored = self.now.git.ignores(new).unwrap_or_default();
        let told = [
            (
                strangers.iter().filter(|(_, is_needed)| *is_needed).map(|(it, _)| format!("@{}", it.name)).collect(),
                "this git repository doesn't hold the files of",
                "what they were is not known: what stands on them counts as changed",
            ),
            (ignored, "git ignores and so doesn't keep", "what they were is not known: they count as changed"),
            (
                all(|it| if let Unheld::Submodule(path) = it { Some(path) } else { None }),
                "submodules hold files of other repositories:",
                "these are not read, and count as new",
            ),
            (
                all(|it| if let Unheld::Lfs(path) = it { Some(path) } else { None }),
                "LFS keeps the content of",
                "compared by the digests that git has of it",
            ),
            (
                all(|it| if let Unheld::Outside(path) = it { Some(path) } else { None }),
                "outside of the git repository lies",
                "what was there is not known: it counts as it is now",
            ),
        ];
        told.into_iter().filter(|(paths, ..)| !paths.is_empty()).for_each(|(paths, what, so)| {
            warn(format!("{what} {}: {so}", some(&paths)));
        });
    }
}

/// The first few, and how many more.
fn some(paths: &[String]) -> String {
    const FEW: usize = 5;
    let shown: Vec<String> = paths.iter().take(FEW).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(FEW) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Says of a value with the commit's name in it why it is another each time.
fn stamped(mut cause: RootCause, commit: &str) -> RootCause {
    let short = commit.get(..12).unwrap_or(commit);
    if cause.old.as_ref().is_some_and(|old| old.contains(short)) {
        cause.text = format!("{} (`${{git.…}}`: another with every commit)", cause.text);
    }
    cause
}

fn said(target: &Target, text: String) -> RootCause {
    RootCause::said(target.label.to_string(), text)
}

fn row(target: &Target, status: &'static str, cause: Option<RootCause>) -> Row {
    let kind = match target.rule.purpose {
        Purpose::Image | Purpose::Index => IMAGE,
        Purpose::Layer => LAYER,
        Purpose::Base => BASE,
        Purpose::Test => CHECK,
    };
    Row { label: target.label.to_string(), rule: target.rule.name, kind, status, cause }
}
