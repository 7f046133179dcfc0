//! The target graph as queries see it.

use super::provenance;
use crate::graph::{TargetGraph, TargetId};
use crate::label::PackagePath;
use crate::pattern::TargetPattern;
use crate::query::graph::ResolveError;
use crate::query::{Id, QueryGraph};
use crate::workspace::{Target, Workspace, print};

/// A target graph behind the trait of queries; a query's ids are positions in `ids`.
pub struct Targets<'a> {
    graph: &'a TargetGraph<'a>,
    here: &'a PackagePath,
    ids: Vec<TargetId>,
    deps: Vec<Vec<Id>>,
    rdeps: Vec<Vec<Id>>,
}

impl<'a> Targets<'a> {
    /// Relative patterns are relative to the package `here`.
    pub fn new(graph: &'a TargetGraph<'a>, here: &'a PackagePath) -> Targets<'a> {
        let ids: Vec<TargetId> = graph.ids().collect();
        let number = |dependency: crate::graph::Dependency| dependency.target.index() as Id;
        let deps = ids.iter().map(|id| graph.deps(*id).map(number).collect()).collect();
        let rdeps = ids.iter().map(|id| graph.rdeps(*id).map(number).collect()).collect();
        Targets { graph, here, ids, deps, rdeps }
    }
}

/// What stands for a target of a workspace that is taken as published: where it is taken from.
fn external(target: &Target, workspace: &Workspace) -> Option<String> {
    let home = workspace.home(&target.label.package);
    let label = home.local(&target.label);
    let name = label.package.external()?;
    Some(print::external(name, home.settings.externals.get(name)?))
}

impl QueryGraph for Targets<'_> {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn resolve(&self, pattern: &str) -> Result<Vec<Id>, ResolveError> {
        let parsed = TargetPattern::parse(pattern, self.here);
        let parsed =
            parsed.map_err(|error| ResolveError { message: error.to_string(), help: Some(error.hint.clone()) })?;
        let selected = self.graph.select(&[parsed]).map_err(|errors| {
            let diagnostic = errors[0].diagnostic();
            ResolveError { message: diagnostic.message, help: diagnostic.help.into_iter().next() }
        })?;
        Ok(selected.targets.into_iter().map(|target| target.index() as Id).collect())
    }

    fn deps(&self, id: Id) -> &[Id] {
        &self.deps[id as usize]
    }

    fn rdeps(&self, id: Id) -> &[Id] {
        &self.rdeps[id as usize]
    }

    fn label(&self, id: Id) -> String {
        self.graph.target(self.ids[id as usize]).label.to_string()
    }

    fn kind(&self, id: Id) -> String {
        format!("{} rule", self.graph.target(self.ids[id as usize]).rule.name)
    }

    fn written(&self, id: Id) -> String {
        let target = self.graph.target(self.ids[id as usize]);
        let workspace = self.graph.workspace();
        let lines = provenance::lines(target, workspace);
        let text = external(target, workspace).unwrap_or_else(|| print::target(target));
        format!("# {}\n# {}\n{text}", target.label, lines.join("\n# "))
    }
}
