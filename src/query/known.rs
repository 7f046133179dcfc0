//! A packed graph behind the trait that queries ask; what is not packed is asked of whoever has the workspace.

use std::ops::Range;

use super::graph::{Id, QueryGraph, ResolveError, Role, Value};
use super::packed::{Packed, Tie};
use super::resolve::resolve;
use crate::label::PackagePath;
use crate::pattern::TargetPattern;

/// What is too dear to be packed. Ids are those of the packed graph.
pub trait Details {
    /// As [`QueryGraph::attribute`].
    fn attribute(&self, id: Id, name: &str) -> Option<Value>;

    /// As [`QueryGraph::attributes`].
    fn attributes(&self, id: Id) -> Vec<(String, Value)>;

    /// As [`QueryGraph::location`].
    fn location(&self, id: Id) -> String;

    /// As [`QueryGraph::written`].
    fn written(&self, id: Id) -> String;

    /// Why a pattern means nothing, and what may have been meant; `None` where nothing more can be said.
    fn missing(&self, pattern: &TargetPattern) -> Option<ResolveError>;
}

/// A packed graph that can be asked.
pub struct Known<'a> {
    packed: &'a Packed<'a>,
    here: &'a PackagePath,
    details: Option<&'a dyn Details>,
}

impl<'a> Known<'a> {
    /// Relative patterns are taken from the package `here`. Without details, a graph must not be asked for any.
    pub fn new(packed: &'a Packed<'a>, here: &'a PackagePath, details: Option<&'a dyn Details>) -> Known<'a> {
        Known { packed, here, details }
    }
}

impl QueryGraph for Known<'_> {
    fn len(&self) -> usize {
        self.packed.len()
    }

    fn resolve(&self, pattern: &str) -> Result<Vec<Id>, ResolveError> {
        resolve(self.packed, self.here, pattern).map_err(|unresolved| {
            let (error, pattern) = *unresolved;
            pattern.and_then(|pattern| self.details?.missing(&pattern)).unwrap_or(error)
        })
    }

    fn deps(&self, id: Id) -> &[Id] {
        self.packed.deps(id)
    }

    fn rdeps(&self, id: Id) -> &[Id] {
        self.packed.rdeps(id)
    }

    fn label(&self, id: Id) -> String {
        let (external, path) = self.packed.package(self.packed.package_of(id));
        let at = if external.is_empty() { "" } else { "@" };
        [at, external, "//", path, ":", self.packed.name(id)].concat()
    }

    fn kind(&self, id: Id) -> &str {
        self.packed.kind(id)
    }

    fn role(&self, id: Id) -> Role {
        self.packed.role(id)
    }

    fn package(&self, id: Id) -> Range<Id> {
        self.packed.members(self.packed.package_of(id))
    }

    fn package_name(&self, id: Id) -> String {
        match self.packed.package(self.packed.package_of(id)) {
            ("", path) => path.to_owned(),
            (external, path) => format!("@{external}//{path}"),
        }
    }

    fn labels(&self, id: Id, attribute: &str) -> Vec<Id> {
        let needed = self.packed.edges(id).map(|(to, by, _)| (to, by));
        let named = needed.chain(self.packed.mentions(id));
        named.filter(|(_, by)| *by == attribute).map(|(to, _)| to).collect()
    }

    fn base(&self, id: Id) -> Option<Id> {
        self.packed.edges(id).find(|(_, _, tie)| *tie == Tie::Base).map(|(to, _, _)| to)
    }

    fn parts(&self, id: Id) -> Vec<Id> {
        self.packed.edges(id).filter(|(_, _, tie)| *tie == Tie::Part).map(|(to, _, _)| to).collect()
    }

    fn is_published(&self, id: Id) -> bool {
        self.packed.is_published(id)
    }

    fn requires(&self, id: Id) -> Vec<&str> {
        self.packed.requires(id).collect()
    }

    fn attribute(&self, id: Id, name: &str) -> Option<Value> {
        self.details?.attribute(id, name)
    }

    fn attributes(&self, id: Id) -> Vec<(String, Value)> {
        self.details.map_or_else(Vec::new, |details| details.attributes(id))
    }

    fn location(&self, id: Id) -> String {
        self.details.map_or_else(String::new, |details| details.location(id))
    }

    fn written(&self, id: Id) -> String {
        self.details.map_or_else(String::new, |details| details.written(id))
    }
}
