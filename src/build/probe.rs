//! Which actions need not run: asks the cache for each whose inputs are known, in waves from the sources up.
//!
//! Runs nothing and reads no blob: a record counts when the blobs that it names are there by stat.

use rayon::prelude::*;

use crate::action::key::{self, Inputs};
use crate::action::record::{Output, Record};
use crate::action::{ActionGraph, ActionId};
use crate::digest::Digest;
use crate::store::{Cache, Presence, Store, StoreError};

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

/// What is known of each action, by id.
pub fn probe(graph: &ActionGraph, store: &Store) -> Result<Probed, StoreError> {
    let mut known = Known { graph, states: vec![State::Waits; graph.actions.len()] };
    let mut warnings = Vec::new();
    for wave in waves(graph) {
        let found: Result<Vec<_>, StoreError> = wave.par_iter().map(|id| one(*id, &known, store)).collect();
        for (id, (state, warning)) in wave.into_iter().zip(found?) {
            known.states[id.index()] = state;
            warnings.extend(warning);
        }
    }
    Ok(Probed { states: known.states, warnings })
}

fn one(id: ActionId, known: &Known<'_>, store: &Store) -> Result<(State, Option<String>), StoreError> {
    let Some(key) = key::key(known.graph.get(id), known) else {
        return Ok((State::Waits, None));
    };
    Ok(match recall(&key, store)? {
        Recalled::Known(output) => (State::Hit { key, output }, None),
        Recalled::Unknown => (State::Run { key }, None),
        Recalled::Damaged(why) => {
            (State::Run { key }, Some(format!("{}: {why}; it is built again", known.graph.get(id).name())))
        }
    })
}

/// What the cache says of a key.
#[derive(Debug)]
pub enum Recalled {
    /// The result, all of its blobs in the store.
    Known(Output),
    /// Nothing.
    Unknown,
    /// Something unusable, as a phrase.
    Damaged(String),
}

/// The recorded result of an action's key.
pub fn recall(key: &Digest, store: &Store) -> Result<Recalled, StoreError> {
    let Some(bytes) = store.actions().get(key)? else {
        return Ok(Recalled::Unknown);
    };
    let output = match Record::decode_output(&bytes) {
        Ok(output) => output,
        Err(error) => return Ok(Recalled::Damaged(format!("its record is damaged ({error})"))),
    };
    for blob in output.blobs() {
        match store.blobs().contains(&blob.digest, blob.size)? {
            Presence::Present => {}
            Presence::Missing => return Ok(Recalled::Damaged(format!("blob {} is gone", blob.digest))),
            Presence::WrongSize => {
                return Ok(Recalled::Damaged(format!("blob {} has the wrong size", blob.digest)));
            }
        }
    }
    Ok(Recalled::Known(output))
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
