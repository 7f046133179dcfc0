//! Small graphs for the tests of this module: targets by label, edges by label.

use super::graph::{Id, QueryGraph, ResolveError};

/// A graph held in lists.
#[derive(Debug)]
pub struct Toy {
    labels: Vec<String>,
    deps: Vec<Vec<Id>>,
    rdeps: Vec<Vec<Id>>,
}

impl Toy {
    /// From `label: dep dep; label: …`; each label has its own entry.
    pub fn new(text: &str) -> Toy {
        let entries: Vec<(&str, &str)> = text.split(';').map(|entry| entry.split_once(" ->").unwrap()).collect();
        let labels: Vec<String> = entries.iter().map(|(label, _)| label.trim().to_owned()).collect();
        let id = |label: &str| labels.iter().position(|known| known == label).unwrap() as Id;
        let deps = entries.iter().map(|(_, deps)| deps.split_whitespace().map(id).collect()).collect();
        Toy::linked(labels, deps)
    }

    /// Targets `//:0` … with their edges.
    pub fn numbered(deps: Vec<Vec<Id>>) -> Toy {
        Toy::linked((0..deps.len()).map(|id| format!("//:{id}")).collect(), deps)
    }

    fn linked(labels: Vec<String>, deps: Vec<Vec<Id>>) -> Toy {
        let mut rdeps = vec![Vec::new(); labels.len()];
        for (from, to) in deps.iter().zip(0..).flat_map(|(deps, from)| deps.iter().map(move |to| (from, *to))) {
            rdeps[to as usize].push(from);
        }
        Toy { labels, deps, rdeps }
    }
}

impl QueryGraph for Toy {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn resolve(&self, pattern: &str) -> Result<Vec<Id>, ResolveError> {
        if pattern == "//..." {
            return Ok((0..self.labels.len() as Id).collect());
        }
        let found = self.labels.iter().position(|label| label == pattern);
        let error = || ResolveError { message: format!("no such target '{pattern}'"), help: None };
        Ok(vec![found.ok_or_else(error)? as Id])
    }

    fn deps(&self, id: Id) -> &[Id] {
        &self.deps[id as usize]
    }

    fn rdeps(&self, id: Id) -> &[Id] {
        &self.rdeps[id as usize]
    }

    fn label(&self, id: Id) -> String {
        self.labels[id as usize].clone()
    }

    fn kind(&self, _: Id) -> String {
        "toy rule".to_owned()
    }

    fn written(&self, id: Id) -> String {
        format!("[toy.{}]\n", self.labels[id as usize])
    }
}
