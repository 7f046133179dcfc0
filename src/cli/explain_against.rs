//! `explain --against`: what differs from a build of another machine, down to where that began.

use std::collections::HashSet;
use std::io::Write;

use serde_json::{Value, json};

use super::build_record;
use super::context::Context;
use super::error::CliError;
use super::explain_steps::{self, Told, listed};
use super::global::Verbosity;
use super::record_place::RecordPlace;
use super::work::Work;
use crate::action::{ActionId, Operation};
use crate::build::probe::State;
use crate::plan::build_record::BuildRecord;
use crate::plan::compare::{Comparison, Standing, compare};

/// Compares this workspace's plan with a record. `named`: targets were, and each is told of; else all that began something.
pub fn run(
    place: &RecordPlace,
    named: bool,
    work: &Work<'_>,
    states: &[State],
    cx: &mut Context,
) -> Result<(), CliError> {
    let record = build_record::read(place, work.project, cx)?;
    let compared = compare(&work.lowered.graph, |id| states[id.index()].output(), &record);
    let all = cx.globals.verbosity == Verbosity::Verbose;
    let against = Against { place, record: &record, compared: &compared, work, all };
    if cx.globals.json {
        return Ok(writeln!(cx.out, "{}", against.json(named))?);
    }
    for line in if named { against.targets() } else { against.everything() } {
        writeln!(cx.out, "{line}")?;
    }
    Ok(())
}

struct Against<'a> {
    place: &'a RecordPlace,
    record: &'a BuildRecord,
    compared: &'a Comparison,
    work: &'a Work<'a>,
    /// Nothing is left out and no value cut.
    all: bool,
}

impl Against<'_> {
    /// A block for each target that was named.
    fn targets(&self) -> Vec<String> {
        let ids = self.work.selected.targets.iter().filter_map(|target| self.work.lowered.action(*target));
        let mut lines: Vec<String> = ids.flat_map(|id| self.target(id)).collect();
        lines.extend(self.versions());
        lines
    }

    fn target(&self, id: ActionId) -> Vec<String> {
        let (name, place) = (self.name(id), self.place);
        let steps = match self.compared.of(id) {
            Standing::Same => return vec![format!("{name} is as in {place}")],
            Standing::OnlyHere => {
                let mut lines = vec![format!("{name} is not in {place}")];
                lines.extend(self.near(&name).map(|near| format!("  it has {near}")));
                return lines;
            }
            _ => self.steps(id),
        };
        let mut lines = vec![format!("{name} differs from {place} (there → here)")];
        lines.extend(explain_steps::lines(&steps, self.all));
        lines.extend(explain_steps::root_causes(&steps, self.all));
        lines
    }

    /// What the record has under the same name in another package, or for another platform.
    fn near(&self, name: &str) -> Option<String> {
        let last = |name: &str| name.rsplit_once(':').map(|(_, last)| last.to_owned());
        let alike: Vec<&str> =
            self.record.actions.keys().map(String::as_str).filter(|other| last(other) == last(name)).collect();
        (!alike.is_empty()).then(|| listed(&alike, self.all))
    }

    /// What differs at all, and where each difference began.
    fn everything(&self) -> Vec<String> {
        let (graph, compared) = (&self.work.lowered.graph, self.compared);
        let both = || graph.ids().filter(|id| *compared.of(*id) != Standing::OnlyHere);
        let differ = both().filter(|id| *compared.of(*id) != Standing::Same).count();
        let (both, place) = (both().count(), self.place);
        let mut lines = vec![match differ {
            0 => format!("all {both} actions of both are as in {place}"),
            _ => format!("{differ} of {both} actions of both differ from {place} (there → here)"),
        }];
        let (new, roots): (Vec<_>, Vec<_>) =
            self.roots().into_iter().partition(|id| *compared.of(*id) == Standing::OnlyHere);
        lines.extend((!roots.is_empty()).then(|| "root causes:".to_owned()));
        let steps: Vec<Told> = roots.into_iter().map(|id| self.told(id)).collect();
        lines.extend(explain_steps::lines(&steps, self.all));
        let new: Vec<String> = new.into_iter().map(|id| self.name(id)).collect();
        lines.extend(self.only("here", &new));
        lines.extend(self.only("there", &compared.only_there));
        lines.extend(self.versions());
        lines
    }

    fn only(&self, side: &str, names: &[String]) -> Option<String> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("only {side}: {}", listed(&names, self.all)))
    }

    /// What may explain differences of keys, or that there is none.
    fn versions(&self) -> Option<String> {
        let here = env!("CARGO_PKG_VERSION");
        let there = &self.record.version;
        (there != here).then(|| format!("layerbuild was {there} there and is {here} here"))
    }

    fn roots(&self) -> Vec<ActionId> {
        let graph = &self.work.lowered.graph;
        let mut roots: Vec<ActionId> = graph.ids().filter(|id| self.compared.is_root(*id, graph)).collect();
        // Builds with wildcards pass over tests: that a record lacks one says nothing.
        let is_test = |id: ActionId| matches!(graph.get(id).operation, Operation::ImageTest(_));
        roots.retain(|id| *self.compared.of(*id) != Standing::OnlyHere || !is_test(*id));
        roots.sort_by_key(|id| graph.note_name(*id));
        roots
    }

    /// The steps from an action down to where its difference began, each once.
    fn steps(&self, id: ActionId) -> Vec<Told> {
        let (mut steps, mut seen, mut stack) = (Vec::new(), HashSet::new(), vec![id]);
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                steps.push(self.told(id));
                stack.extend(self.compared.behind(id, &self.work.lowered.graph).into_iter().rev());
            }
        }
        steps
    }

    fn told(&self, id: ActionId) -> Told {
        let (graph, standing) = (&self.work.lowered.graph, self.compared.of(id));
        let action = graph.get(id);
        let (verdict, note) = match standing {
            Standing::Same => ("SAME", None),
            Standing::Differs(_) => ("DIFF", None),
            Standing::OnlyHere => ("NEW", Some(format!("not in {}", self.place))),
            Standing::Rekeyed => {
                ("DIFF", Some("nothing of it differs but its key: keys are made otherwise there".into()))
            }
            Standing::Unstable { there, here } => {
                ("DIFF", Some(format!("the same key gave another result: {there} → {here}; it is not reproducible")))
            }
        };
        let changes = if let Standing::Differs(changes) = standing { changes.clone() } else { Vec::new() };
        let (notes, waits) = (note.into_iter().collect(), Vec::new());
        let is_root = self.compared.is_root(id, graph);
        Told { verdict, name: action.name(), kind: action.operation.name(), notes, changes, waits, is_root }
    }

    fn json(&self, named: bool) -> Value {
        let compared = self.compared;
        let targets = self.work.selected.targets.iter().filter_map(|target| self.work.lowered.action(*target));
        let targets = targets.filter(|id| named || *compared.of(*id) != Standing::Same);
        let target = |id: ActionId| {
            let same = *compared.of(id) == Standing::Same;
            let steps = if same { Vec::new() } else { self.steps(id) };
            let roots: Vec<&str> = steps.iter().filter(|step| step.is_root).map(|step| step.name.as_str()).collect();
            json!({
                "label": self.name(id), "same": same, "root-causes": roots, "steps": explain_steps::json(&steps),
            })
        };
        let roots: Vec<Told> = self.roots().into_iter().map(|id| self.told(id)).collect();
        json!({
            "against": self.place.to_string(), "version": {"there": self.record.version, "here": env!("CARGO_PKG_VERSION")},
            "targets": targets.map(target).collect::<Vec<_>>(), "root-causes": explain_steps::json(&roots),
            "only-there": if named { &[][..] } else { &compared.only_there },
        })
    }

    fn name(&self, id: ActionId) -> String {
        self.work.lowered.graph.get(id).name()
    }
}
