//! Why an action would run, or ran last: its own changes, or the input to blame, down to the root cause.

use std::collections::HashMap;

use super::error::CliError;
use super::work::Work;
use crate::action::key::{self, Inputs};
use crate::action::record::{Component, Output, Record};
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
        Ok(Reason::Changed(self.components(last)?.map(|old| why::changes(&old, &now)).unwrap_or_default()))
    }

    /// What made the last build of an action differ from the one before; `None` where there was none before.
    pub fn last_change(&self, id: ActionId) -> Result<Option<Vec<Change>>, CliError> {
        let name = self.graph().note_name(id);
        let (Some(last), Some(before)) = (self.last.get(&name), self.last.get(&format!("{name} before"))) else {
            return Ok(None);
        };
        let (old, new) = (self.components(before)?, self.components(last)?);
        Ok(old.zip(new).map(|(old, new)| why::changes(&old, &new)))
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

    fn components(&self, key: &Digest) -> Result<Option<Vec<Component>>, CliError> {
        let bytes = self.work.store.actions().get(key)?;
        Ok(bytes.and_then(|bytes| Record::decode(&bytes).ok()).map(|record| record.components))
    }
}

impl Inputs for Explainer<'_> {
    fn output(&self, id: ActionId) -> Option<&Output> {
        self.states[id.index()].output()
    }

    fn label(&self, id: ActionId) -> String {
        self.graph().get(id).label.to_string()
    }
}
