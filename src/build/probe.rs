//! Which actions need not run: asks the caches for each whose inputs are known, in waves from the sources up.
//!
//! Runs nothing and reads no blob: a record of this store counts when the blobs that it names are there by stat.

use rayon::prelude::*;

use super::recall::{Recalled, elsewhere, recall};
use crate::action::key::{self, Inputs};
use crate::action::record::Output;
use crate::action::{ActionGraph, ActionId};
use crate::digest::Digest;
use crate::shared::cache::SharedCache;
use crate::store::{Store, StoreError};

/// What is known of an action before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its result is known.
    Hit {
        /// Its key.
        key: Digest,
        /// What it gave.
        output: Output,
    },
    /// All its inputs are known and no usable record is.
    Run {
        /// Its key.
        key: Digest,
    },
    /// An input has to be built first.
    Waits,
}

impl State {
    /// The output of a hit.
    pub fn output(&self) -> Option<&Output> {
        match self {
            State::Hit { output, .. } => Some(output),
            _ => None,
        }
    }

    /// The key, where it is known.
    pub fn key(&self) -> Option<Digest> {
        match self {
            State::Hit { key, .. } | State::Run { key } => Some(*key),
            State::Waits => None,
        }
    }
}

/// What was found, and what was found damaged.
#[derive(Debug, Default)]
pub struct Probed {
    /// By action.
    pub states: Vec<State>,
    /// Records that could not be used, as sentences for the user.
    pub warnings: Vec<String>,
}

/// What is known of each action, by id. Of a wave, this store is asked first, and shared caches for all that it lacks.
pub fn probe(graph: &ActionGraph, store: &Store, shared: &SharedCache<'_>) -> Result<Probed, StoreError> {
    let mut known = Known { graph, states: vec![State::Waits; graph.actions.len()] };
    let mut warnings = Vec::new();
    for wave in waves(graph) {
        let local: Result<Vec<_>, StoreError> = wave.par_iter().map(|id| locally(*id, &known, store)).collect();
        let local = local?;
        let open = local.iter().flatten().filter(|(_, found)| !matches!(found, Recalled::Known(_)));
        shared.look_up(&open.map(|(key, _)| *key).collect::<Vec<_>>())?;
        for (id, found) in wave.into_iter().zip(local) {
            let Some((key, found)) = found else { continue };
            let (output, warning) = elsewhere(found, &key, graph.get(id), &known, (store, shared))?;
            known.states[id.index()] = output.map_or(State::Run { key }, |output| State::Hit { key, output });
            warnings.extend(warning.map(|why| format!("{}: {why}", graph.get(id).name())));
        }
    }
    warnings.extend(shared.take_warnings());
    Ok(Probed { states: known.states, warnings })
}

/// An action's key and what this store knows of it; `None` where an input isn't known.
fn locally(id: ActionId, known: &Known<'_>, store: &Store) -> Result<Option<(Digest, Recalled)>, StoreError> {
    let key = key::key(known.graph.get(id), known);
    key.map(|key| Ok((key, recall(&key, store)?))).transpose()
}

/// The states found so far, as the key's walk asks for them.
struct Known<'a> {
    graph: &'a ActionGraph,
    states: Vec<State>,
}

impl Inputs for Known<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        self.states[id.index()].output().map(Output::digest)
    }

    fn label(&self, id: ActionId) -> String {
        self.graph.get(id).name()
    }
}

/// Actions by the length of the longest chain below them: a wave needs only what came in earlier ones.
fn waves(graph: &ActionGraph) -> Vec<Vec<ActionId>> {
    let mut depths = vec![0; graph.actions.len()];
    let mut waves: Vec<Vec<ActionId>> = Vec::new();
    for id in graph.inputs_first() {
        let inputs = graph.get(id).operation.inputs();
        let depth = inputs.iter().map(|input| depths[input.index()] + 1).max().unwrap_or(0);
        depths[id.index()] = depth;
        if waves.len() <= depth {
            waves.resize_with(depth + 1, Vec::new);
        }
        waves[depth].push(id);
    }
    waves
}
