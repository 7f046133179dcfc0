//! Why an action would run, or ran last: its own changes, and the inputs to blame, down to the root causes.
//!
//! Gives steps as values; how they are shown is `explain_steps`' matter.

use std::collections::HashSet;

use super::error::CliError;
use super::history::{History, Two};
use super::work::Work;
use crate::action::key::{self, Inputs};
use crate::action::record::Output;
use crate::action::{ActionGraph, ActionId};
use crate::build::probe::State;
use crate::digest::Digest;
use crate::plan::why::{self, Change};

/// Answers for one plan.
pub struct Explainer<'a> {
    work: &'a Work<'a>,
    states: &'a [State],
    history: History<'a>,
}

/// An action on the way from a target to the root causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub id: ActionId,
    /// Whether its result is known: then the rest tells of its last rebuild.
    pub hit: bool,
    /// What is known of why.
    pub cause: Cause,
    /// Its inputs that aren't built.
    pub waits: Vec<ActionId>,
    /// Whether something began here and not in an input.
    pub is_root: bool,
}

/// Why an action would run, or ran last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It never was built here.
    New,
    /// Components of its key differ from those of its last build, or of that from those of the one before.
    Changed(Vec<Change>),
    /// Its key is the last build's, but the result is gone.
    Gone,
    /// What the last build's key was made of is no longer known.
    Forgotten,
    /// Its key differs and none of its components does: keys are made in another way now.
    Rekeyed,
    /// Its inputs alone, as far as is known before they are built.
    Inputs,
    /// It is built, and no earlier result of it is known.
    First,
    /// It was built more than once since, perhaps with the same result.
    Several,
}

impl Cause {
    /// The cause as a phrase; `None` where changes or inputs say it.
    pub fn phrase(&self) -> Option<&'static str> {
        match self {
            Cause::New => Some("never built here"),
            Cause::Gone => Some("the result is no longer in the store"),
            Cause::Forgotten => Some("the record of the last build is gone"),
            Cause::Rekeyed => Some("nothing of it changed: another version of layerbuild built it last"),
            Cause::First => Some("no earlier result of it is known here"),
            Cause::Several => Some("was built several times since; which change made the difference is not known"),
            Cause::Changed(_) | Cause::Inputs => None,
        }
    }

    /// What changed.
    pub fn changes(&self) -> &[Change] {
        if let Cause::Changed(changes) = self { changes } else { &[] }
    }

    /// What changed on one line; `None` where no change is known.
    fn change(&self) -> Option<String> {
        match self.changes() {
            [] => None,
            [change] => Some(change.brief()),
            [change, rest @ ..] => Some(format!("{}, and {} more", change.brief(), rest.len())),
        }
    }

    /// The cause on one line; `None` where inputs alone say it.
    pub fn headline(&self) -> Option<String> {
        self.phrase().map(str::to_owned).or_else(|| self.change())
    }
}

/// What stands for the result of an input that isn't built, in the components of what waits for it.
const OPEN: &[u8] = b"the result of an input that is not built";

impl<'a> Explainer<'a> {
    /// For a plan and what is known of its actions.
    pub fn new(work: &'a Work<'a>, states: &'a [State]) -> Result<Explainer<'a>, CliError> {
        let history = History::open(work.store, work.project.root())?;
        Ok(Explainer { work, states, history })
    }

    fn graph(&self) -> &ActionGraph {
        &self.work.lowered.graph
    }

    /// Why an action that is no hit would run, on one line.
    pub fn headline(&self, id: ActionId) -> Result<String, CliError> {
        let step = self.pending(id)?;
        let says = step.is_root || step.waits.is_empty();
        let mut parts: Vec<String> = step.cause.phrase().filter(|_| says).map(str::to_owned).into_iter().collect();
        parts.extend(step.cause.change());
        if !step.waits.is_empty() {
            let labels: Vec<String> = step.waits.iter().map(|input| self.label(*input)).collect();
            parts.push(format!("waits for {}", labels.join(", ")));
        }
        Ok(parts.join("; "))
    }

    /// The steps from an action down to its root causes, each action once: it first, then what changed below it.
    pub fn chain(&self, id: ActionId) -> Result<Vec<Step>, CliError> {
        let (mut steps, mut seen) = (Vec::new(), HashSet::new());
        let mut stack: Vec<(ActionId, Option<Change>)> = vec![(id, None)];
        while let Some((id, change)) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            let step = match self.states[id.index()].output() {
                Some(_) => self.past(id, change.as_ref())?,
                None => self.pending(id)?,
            };
            let changed = step.cause.changes().iter().filter_map(|change| Some((self.input_of(id, change)?, change)));
            let changed = changed.map(|(input, change)| (input, Some(change.clone())));
            let below: Vec<_> = changed.chain(step.waits.iter().map(|input| (*input, None))).collect();
            stack.extend(below.into_iter().rev());
            steps.push(step);
        }
        Ok(steps)
    }

    /// Of what is built: what its last rebuild came from; of an input, the rebuild that a change of what stands on it tells of.
    fn past(&self, id: ActionId, change: Option<&Change>) -> Result<Step, CliError> {
        let cause = match (self.last_two(id)?, change) {
            (None, _) => Cause::First,
            (Some(two), Some(change)) if !two.gave(change) => Cause::Several,
            (Some(two), _) => match why::changes(&two.old.components, &two.new.components) {
                changes if changes.is_empty() => Cause::Rekeyed,
                changes => Cause::Changed(changes),
            },
        };
        let is_root = match &cause {
            Cause::Changed(changes) => changes.iter().any(|change| self.input_of(id, change).is_none()),
            _ => true,
        };
        Ok(Step { id, hit: true, cause, waits: Vec::new(), is_root })
    }

    /// The records of an action's result and of the one before it: by now the result may be another than the last
    /// build's, when a build elsewhere or an older one is known to have given it.
    fn last_two(&self, id: ActionId) -> Result<Option<Two>, CliError> {
        let name = self.graph().note_name(id);
        let last = self.history.last(&name);
        let new = self.states[id.index()].key().or(last.copied());
        let old = if new.as_ref() == last { self.history.before(&name) } else { last };
        let (Some(new), Some(old)) = (new, old) else { return Ok(None) };
        let two = self.history.record(old)?.zip(self.history.record(&new)?);
        Ok(two.map(|(old, new)| Two { old, new }))
    }

    fn pending(&self, id: ActionId) -> Result<Step, CliError> {
        let waits: Vec<ActionId> = self.open_inputs(id).collect();
        let is_new = |id: ActionId| self.history.last(&self.graph().note_name(id)).is_none();
        let cause = self.pending_cause(id, &waits)?;
        let is_root = match &cause {
            // Of a first build, all that it begins with is to blame, and not all that stands on it.
            Cause::New => waits.is_empty() || !waits.iter().all(|input| is_new(*input)),
            Cause::Changed(changes) => changes.iter().any(|change| self.input_of(id, change).is_none()),
            Cause::Inputs => false,
            _ => waits.is_empty(),
        };
        Ok(Step { id, hit: false, cause, waits, is_root })
    }

    fn pending_cause(&self, id: ActionId, waits: &[ActionId]) -> Result<Cause, CliError> {
        let Some(last) = self.history.last(&self.graph().note_name(id)) else { return Ok(Cause::New) };
        if self.states[id.index()].key() == Some(*last) {
            return Ok(Cause::Gone);
        }
        let Some(old) = self.history.record(last)? else { return Ok(Cause::Forgotten) };
        let now = key::components(self.graph().get(id), self).unwrap_or_default();
        let open = Digest::of(OPEN).to_string();
        let mut changes = why::changes(&old.components, &now);
        changes.retain(|change| change.was.is_some() || change.new.as_ref() != Some(&open));
        Ok(match (changes.is_empty(), waits.is_empty()) {
            (false, _) => Cause::Changed(changes),
            (true, false) => Cause::Inputs,
            (true, true) => Cause::Rekeyed,
        })
    }

    /// The inputs of an action that aren't built.
    fn open_inputs(&self, id: ActionId) -> impl Iterator<Item = ActionId> {
        let inputs = self.graph().get(id).operation.inputs();
        inputs.into_iter().filter(|input| self.states[input.index()].output().is_none())
    }

    /// The input whose result a change is about; `None` for a change of the action itself.
    fn input_of(&self, id: ActionId, change: &Change) -> Option<ActionId> {
        let origin = change.origin.as_deref().filter(|_| change.was.is_none() && change.new.is_some())?;
        self.graph().get(id).operation.inputs().into_iter().find(|input| self.label(*input) == origin)
    }
}

/// Every input has a digest here: what isn't built has `OPEN`'s.
impl Inputs for Explainer<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        Some(self.states[id.index()].output().map_or_else(|| Digest::of(OPEN), Output::digest))
    }

    fn label(&self, id: ActionId) -> String {
        self.graph().get(id).name()
    }
}
