//! This plan against another machine's build: which actions differ, and where that began.
//!
//! Builds nothing. Where an action is the same here and there, what it gave there stands for what it would give here, so
//! that what stands on it can be compared too.

use super::build_record::{BuildRecord, Entry, private};
use super::why::{self, Change};
use crate::action::key::{self, Inputs};
use crate::action::record::Output;
use crate::action::{ActionGraph, ActionId};
use crate::digest::Digest;

/// How an action stands to the other build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its key is the same, and so is its result as far as both are known.
    Same,
    /// Its key is the same and its result is not.
    Unstable {
        /// What it gave there.
        there: Digest,
        /// What it gave here.
        here: Digest,
    },
    /// What its key is made of differs.
    Differs(Vec<Change>),
    /// Its key differs and nothing that it is made of does: keys are made in another way there.
    Rekeyed,
    /// The other build had none of that name.
    OnlyHere,
}

/// A plan held against a record, by action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// By action.
    pub standings: Vec<Standing>,
    /// Names of actions that only the other build had, sorted.
    pub only_there: Vec<String>,
}

/// What stands for a result that nobody knows, since what it is made of differs.
const UNKNOWN: &[u8] = b"a result that is not known";
/// How that is told.
const NOT_BUILT: &str = "another, not built here";

/// Compares. `output`: what an action gave here, where that is known.
pub fn compare<'a>(
    graph: &ActionGraph,
    output: impl Fn(ActionId) -> Option<&'a Output>,
    record: &BuildRecord,
) -> Comparison {
    let unknown = Digest::of(UNKNOWN);
    let mut here = Here { graph, digests: vec![unknown; graph.actions.len()] };
    let mut standings = vec![Standing::OnlyHere; graph.actions.len()];
    for id in graph.inputs_first() {
        let entry = record.actions.get(&graph.note_name(id));
        let standing = entry.map_or(Standing::OnlyHere, |entry| here.standing(id, entry, output(id)));
        let there = entry.and_then(|entry| entry.output.as_ref()).filter(|_| standing == Standing::Same);
        here.digests[id.index()] = output(id).or(there).map_or(unknown, Output::digest);
        standings[id.index()] = standing;
    }
    let names: std::collections::HashSet<String> = graph.ids().map(|id| graph.note_name(id)).collect();
    let only_there = record.actions.keys().filter(|name| !names.contains(*name)).cloned().collect();
    Comparison { standings, only_there }
}

impl Comparison {
    /// How an action stands.
    pub fn of(&self, id: ActionId) -> &Standing {
        &self.standings[id.index()]
    }

    /// The inputs of an action that make it differ, as its components tell, each once.
    pub fn behind(&self, id: ActionId, graph: &ActionGraph) -> Vec<ActionId> {
        let inputs = graph.get(id).operation.inputs();
        match self.of(id) {
            Standing::Same => Vec::new(),
            Standing::OnlyHere => inputs.into_iter().filter(|input| *self.of(*input) != Standing::Same).collect(),
            Standing::Differs(changes) => {
                let blamed = |input: &ActionId| changes.iter().any(|change| is_of(change, *input, graph));
                inputs.into_iter().filter(blamed).collect()
            }
            Standing::Unstable { .. } | Standing::Rekeyed => Vec::new(),
        }
    }

    /// Whether something began in an action and not in one of its inputs.
    pub fn is_root(&self, id: ActionId, graph: &ActionGraph) -> bool {
        let inputs = graph.get(id).operation.inputs();
        match self.of(id) {
            Standing::Same => false,
            Standing::Unstable { .. } | Standing::Rekeyed | Standing::OnlyHere => true,
            Standing::Differs(changes) => {
                changes.iter().any(|change| !inputs.iter().any(|input| is_of(change, *input, graph)))
            }
        }
    }
}

/// Whether a change is of an input's result.
fn is_of(change: &Change, input: ActionId, graph: &ActionGraph) -> bool {
    let named = change.origin.as_deref() == Some(&*graph.get(input).name());
    named && change.was.is_none() && change.old.is_some() && change.new.is_some()
}

/// What is known of this side so far.
struct Here<'a> {
    graph: &'a ActionGraph,
    digests: Vec<Digest>,
}

impl Here<'_> {
    fn standing(&self, id: ActionId, there: &Entry, output: Option<&Output>) -> Standing {
        let action = self.graph.get(id);
        let now = key::components(action, self).unwrap_or_default().into_iter().map(private).collect::<Vec<_>>();
        let changes: Vec<Change> = why::changes(&there.components, &now).into_iter().map(told).collect();
        if !changes.is_empty() {
            return Standing::Differs(changes);
        }
        if key::key(action, self) != Some(there.key) {
            return Standing::Rekeyed;
        }
        match (there.output.as_ref().map(Output::digest), output.map(Output::digest)) {
            (Some(there), Some(here)) if there != here => Standing::Unstable { there, here },
            _ => Standing::Same,
        }
    }
}

/// A change in which what stands for an unknown result says so.
fn told(mut change: Change) -> Change {
    if change.new.as_deref() == Some(&*Digest::of(UNKNOWN).to_string()) {
        change.new = Some(NOT_BUILT.to_owned());
    }
    change
}

impl Inputs for Here<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        Some(self.digests[id.index()])
    }

    fn label(&self, id: ActionId) -> String {
        self.graph.get(id).name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::record::Blob;
    use crate::action::{Action, FileEntry, FileKind, FilesLayer, ImageAction, Operation, Owner};
    use crate::label::{Label, PackagePath};
    use crate::layer_path::LayerPath;
    use crate::plan::build_record::{Ended, Made};

    /// An image of two layers, each of one text.
    fn graph(texts: [&str; 2]) -> ActionGraph {
        let label = |name| Label::parse(name, &PackagePath::default()).unwrap();
        let layer = |text: &str| {
            let entry =
                FileEntry { mode: 0o644, owner: Owner::default(), kind: FileKind::Literal(text.as_bytes().into()) };
            let entries = [(LayerPath::new("/a").unwrap(), entry)].into();
            Operation::Files(FilesLayer { entries, compression: Default::default(), mtime: 0 })
        };
        let image = ImageAction { base: None, layers: vec![ActionId(0), ActionId(1)], spec: Default::default() };
        let action = |name, operation| Action { label: label(name), variant: None, operation };
        let image = action(":i", Operation::Image(Box::new(image)));
        ActionGraph { actions: vec![action(":a", layer(texts[0])), action(":b", layer(texts[1])), image] }
    }

    fn output(text: &str) -> Output {
        Output::File(Blob { digest: Digest::of(text.as_bytes()), size: 1 })
    }

    /// The record of a build of it, in which each layer gave a file of its text.
    fn record(texts: [&str; 2]) -> BuildRecord {
        let graph = graph(texts);
        let outputs = [output(texts[0]), output(texts[1]), output("image")];
        let here = Here { graph: &graph, digests: outputs.iter().map(Output::digest).collect() };
        let mut record = BuildRecord::new("1", "w", None);
        for id in graph.ids() {
            let action = graph.get(id);
            let made = Made {
                key: key::key(action, &here).unwrap(),
                components: key::components(action, &here).unwrap(),
                result: Ended::Ran,
                cache: None,
                output: Some(outputs[id.index()].clone()),
                elapsed: None,
            };
            record.add(graph.note_name(id), action, made);
        }
        record
    }

    #[test]
    fn the_same_is_the_same_without_building_anything() {
        let compared = compare(&graph(["1", "2"]), |_| None, &record(["1", "2"]));
        assert!(compared.standings.iter().all(|standing| *standing == Standing::Same), "{compared:?}");
        assert!(compared.only_there.is_empty());
    }

    #[test]
    fn what_differs_is_followed_to_where_it_began() {
        let graph = graph(["1", "changed"]);
        let compared = compare(&graph, |_| None, &record(["1", "2"]));
        let image = ActionId(2);
        assert_eq!(compared.of(ActionId(0)), &Standing::Same);
        assert_eq!(compared.behind(image, &graph), [ActionId(1)]);
        assert!(compared.is_root(ActionId(1), &graph) && !compared.is_root(image, &graph));
        let Standing::Differs(changes) = compared.of(image) else { unreachable!("{compared:?}") };
        assert_eq!((changes.len(), changes[0].new.as_deref()), (1, Some(NOT_BUILT)));
    }

    #[test]
    fn another_result_of_the_same_key_is_told() {
        let graph = graph(["1", "2"]);
        let other = output("other");
        let compared = compare(&graph, |id| (id == ActionId(0)).then_some(&other), &record(["1", "2"]));
        assert!(matches!(compared.of(ActionId(0)), Standing::Unstable { .. }), "{compared:?}");
        assert_eq!(compared.behind(ActionId(2), &graph), [ActionId(0)]);
    }

    #[test]
    fn what_one_side_alone_has_is_told() {
        let mut there = record(["1", "2"]);
        let b = there.actions.remove("//:b").unwrap();
        there.actions.insert("//:old".into(), b);
        let compared = compare(&graph(["1", "2"]), |_| None, &there);
        assert_eq!(compared.of(ActionId(1)), &Standing::OnlyHere);
        assert_eq!(compared.only_there, ["//:old"]);
    }
}
