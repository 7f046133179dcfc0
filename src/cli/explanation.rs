//! Why an action would run, or ran last: its own changes, or the input to blame, down to the root cause.

use std::collections::HashMap;

use super::error::CliError;
use super::work::Work;
use crate::action::key::{self, Inputs};
use crate::action::record::{Output, Record};
use crate::action::{ActionGraph, ActionId};
use crate::build::probe::State;
use crate::digest::Digest;
use crate::plan::why::{self, Change};
use crate::store::Cache;

/// Answers for one plan.
pub struct Explainer<'a> {
    work: &'a Work<'a>,
    states: &'a [State],
    last: HashMap<String, Digest>,
}

/// Why an action would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It never was built here.
    New,
    /// Its key's components differ from the last build's.
    Changed(Vec<Change>),
    /// Its key is the last build's, but the result is gone.
    Gone,
    /// It waits for inputs, these by label.
    Waits(Vec<String>),
}

impl Reason {
    /// The reason on one line.
    pub fn headline(&self) -> String {
        match self {
            Reason::New => "never built here".into(),
            Reason::Changed(changes) => match changes.as_slice() {
                [] => "the record of the last build is gone".into(),
                [change] => change.sentence(),
                [change, rest @ ..] => format!("{}, and {} more", change.sentence(), rest.len()),
            },
            Reason::Gone => "the result is no longer in the store".into(),
            Reason::Waits(labels) => format!("waits for {}", labels.join(", ")),
        }
    }
}

impl<'a> Explainer<'a> {
    /// For a plan and what is known of its actions.
    pub fn new(work: &'a Work<'a>, states: &'a [State]) -> Result<Explainer<'a>, CliError> {
        let last = work.store.last_builds(work.project.root().as_std_path()).load()?;
        Ok(Explainer { work, states, last })
    }

    fn graph(&self) -> &ActionGraph {
        &self.work.lowered.graph
    }

    /// Why an action that is no hit would run.
    pub fn reason(&self, id: ActionId) -> Result<Reason, CliError> {
        let Some(now) = key::components(self.graph().get(id), self) else {
            return Ok(Reason::Waits(self.open_inputs(id).map(|input| self.label(input)).collect()));
        };
        let Some(last) = self.last.get(&self.graph().note_name(id)) else {
            return Ok(Reason::New);
        };
        if self.states[id.index()].key() == Some(*last) {
            return Ok(Reason::Gone);
        }
        Ok(Reason::Changed(self.record(last)?.map(|old| why::changes(&old.components, &now)).unwrap_or_default()))
    }

    /// What made the result of an action differ from the one before; `None` where none before is known.
    pub fn last_change(&self, id: ActionId) -> Result<Option<Vec<Change>>, CliError> {
        Ok(self.last_two(id)?.map(|(old, new)| why::changes(&old.components, &new.components)))
    }

    /// What made an input give another result, as a change of what stands on it tells. `None` where that is no longer
    /// known: the input was built more than once since, perhaps with the same result.
    pub fn behind(&self, input: ActionId, change: &Change) -> Result<Option<Vec<Change>>, CliError> {
        let gave = |record: &Record| Some(record.output.digest().to_string());
        let two = self.last_two(input)?.filter(|(old, new)| gave(old) == change.old && gave(new) == change.new);
        Ok(two.map(|(old, new)| why::changes(&old.components, &new.components)))
    }

    /// The records of an action's result and of the one before it: by now the result may be another than the last
    /// build's, when a build elsewhere or an older one is known to have given it.
    fn last_two(&self, id: ActionId) -> Result<Option<(Record, Record)>, CliError> {
        let name = self.graph().note_name(id);
        let last = self.last.get(&name);
        let new = self.states[id.index()].key().or(last.copied());
        let old = if new.as_ref() == last { self.last.get(&format!("{name} before")) } else { last };
        let (Some(new), Some(old)) = (new, old) else { return Ok(None) };
        Ok(self.record(old)?.zip(self.record(&new)?))
    }

    /// The inputs of an action that aren't built.
    pub fn open_inputs(&self, id: ActionId) -> impl Iterator<Item = ActionId> {
        let inputs = self.graph().get(id).operation.inputs();
        inputs.into_iter().filter(|input| self.states[input.index()].output().is_none())
    }

    /// The input that a change is about; `None` for a change of the action itself.
    pub fn input_of(&self, id: ActionId, change: &Change) -> Option<ActionId> {
        let origin = change.origin.as_deref()?;
        self.graph().get(id).operation.inputs().into_iter().find(|input| self.label(*input) == origin)
    }

    fn record(&self, key: &Digest) -> Result<Option<Record>, CliError> {
        let bytes = self.work.store.actions().get(key)?;
        Ok(bytes.and_then(|bytes| Record::decode(&bytes).ok()))
    }
}

impl Inputs for Explainer<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        self.states[id.index()].output().map(Output::digest)
    }

    fn label(&self, id: ActionId) -> String {
        self.graph().get(id).name()
    }
}
