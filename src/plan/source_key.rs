//! Source keys: what each target is made of, before anything is built.
//!
//! The action key's walk with the inputs' source keys in place of what they gave: resolved attributes, source contents
//! and those of everything below. Any revision has it without a build: what `affected` compares.

use crate::action::key::{self, Inputs};
use crate::action::record::Component;
use crate::action::{Action, ActionGraph, ActionId};
use crate::digest::Digest;

/// The source key of each action, by id. `None` only where actions need one another in a circle, which no graph has.
pub fn source_keys(graph: &ActionGraph) -> Vec<Option<Digest>> {
    SourceKeys::but(graph, &|_| false).keys
}

/// The source keys of a graph's actions.
#[derive(Debug)]
pub struct SourceKeys<'a> {
    /// The graph.
    pub graph: &'a ActionGraph,
    keys: Vec<Option<Digest>>,
}

impl<'a> SourceKeys<'a> {
    /// Those of all actions but the ones of which it isn't known what they are, and all that stands on these.
    pub fn but(graph: &'a ActionGraph, unknown: &dyn Fn(&Action) -> bool) -> SourceKeys<'a> {
        let mut known = SourceKeys { graph, keys: vec![None; graph.actions.len()] };
        for id in graph.inputs_first() {
            let action = graph.get(id);
            known.keys[id.index()] = if unknown(action) { None } else { key::source_key(action, &known) };
        }
        known
    }

    /// An action's; `None` where it isn't known.
    pub fn of(&self, id: ActionId) -> Option<Digest> {
        self.keys[id.index()]
    }

    /// What it is made of, as `explain` shows it; `None` where that isn't known.
    pub fn components(&self, id: ActionId) -> Option<Vec<Component>> {
        self.of(id).and_then(|_| key::components(self.graph.get(id), self))
    }
}

impl Inputs for SourceKeys<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        self.keys[id.index()]
    }

    fn label(&self, id: ActionId) -> String {
        self.graph.get(id).name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, FileEntry, FileKind, FilesLayer, ImageAction, Operation, Owner};
    use crate::label::{Label, PackagePath};
    use crate::layer_path::LayerPath;

    fn graph(text: &str) -> ActionGraph {
        let label = |name| Label::parse(name, &PackagePath::default()).unwrap();
        let kind = FileKind::Literal(text.as_bytes().into());
        let entry = FileEntry { mode: 0o644, owner: Owner::default(), kind };
        let entries = [(LayerPath::new("/a").unwrap(), entry)].into();
        let files = FilesLayer { entries, compression: Default::default(), mtime: 0 };
        // The image first: actions come in no particular order.
        let image = ImageAction { base: None, layers: vec![ActionId(1)], spec: Default::default() };
        let actions = vec![
            Action { label: label(":i"), variant: None, operation: Operation::Image(Box::new(image)) },
            Action { label: label(":f"), variant: None, operation: Operation::Files(files) },
        ];
        ActionGraph { actions }
    }

    #[test]
    fn a_changed_source_changes_the_source_key_of_all_that_stands_on_it() {
        let (one, other) = (source_keys(&graph("1")), source_keys(&graph("2")));
        assert_eq!(one, source_keys(&graph("1")));
        assert!(one.iter().zip(&other).all(|(one, other)| one.is_some() && one != other));
    }
}
