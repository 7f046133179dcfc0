//! `explain`: why targets would be built again, or were built last, with the components that changed and the root causes;
//! against another machine's record; and what builds cost.

use std::io::Write;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::as_built;
use super::config_rows::Rows;
use super::context::Context;
use super::error::CliError;
use super::explain_steps::{self, Told};
use super::explanation::{Explainer, Step};
use super::global::Verbosity;
use super::project::{self, Project, Selected};
use super::record_place::RecordPlace;
use super::work::Work;
use super::{explain_against, explain_cost, patterns, provenance};
use crate::action::{ActionId, Operation};
use crate::build::probe::State;
use crate::digest::Digest;
use crate::exit::Exit;
use crate::graph::TargetId;
use crate::plan::lower::Lowered;
use crate::plan::source_key::source_keys;
use crate::source_root::Elsewhere;
use crate::workspace::Workspace;
use crate::workspace::origin::line;
use crate::workspace::own_paths::OwnPath;

/// Say why targets are built again: what changed since the last build, old and new, and the target to blame
///
/// Builds nothing. HIT and MISS say whether the result of a step is known, here or in a cache. With --against, what differs
/// from a build of another machine, by the record that it wrote with --record.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Which targets: labels and patterns. With --against or --cost, default: //...
    #[arg(value_name = "PATTERN", value_parser = patterns::read, required_unless_present_any = ["against", "cost"])]
    pub patterns: Vec<String>,
    /// Compare with another build's record: a file, or where in a registry it is, `HOST[:PORT]/PATH:TAG`
    #[arg(long, value_name = "FILE|REFERENCE", conflicts_with = "cost")]
    pub against: Option<RecordPlace>,
    /// What builds cost: time and bytes by target, slowest first, and what the cache saves
    #[arg(long)]
    pub cost: bool,
}

/// Explains.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let all = ["//...".to_owned()];
    let project = project::open(if args.patterns.is_empty() { &all } else { &args.patterns }, cx)?;
    let selected = project.select(cx)?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::looking(&project, &selected, &lowered, &store, cx)?;
    let listener = cx.listener();
    let states = work.probe(&*listener)?;
    drop(listener);
    match (&args.against, args.cost) {
        (Some(place), _) => explain_against::run(place, !args.patterns.is_empty(), &work, &states, cx),
        (None, true) => explain_cost::run(&work, &states, cx),
        (None, false) => changes(&work, &states, cx),
    }
}

fn changes(work: &Work<'_>, states: &[State], cx: &mut Context) -> Result<(), CliError> {
    let explainer = Explainer::new(work, states)?;
    let told = Explained { explainer: &explainer, states, work, sources: source_keys(&work.lowered.graph) };
    if cx.globals.json {
        let all = work.selected.targets.iter().map(|target| told.json(*target)).collect::<Result<Vec<_>, _>>()?;
        return Ok(writeln!(cx.out, "{}", Value::from(all))?);
    }
    let all = cx.globals.verbosity == Verbosity::Verbose;
    for (number, target) in work.selected.targets.iter().enumerate() {
        if number > 0 {
            writeln!(cx.out)?;
        }
        for line in told.lines(*target, all)? {
            writeln!(cx.out, "{line}")?;
        }
    }
    Ok(())
}

/// What profile and local file set of a target and of all that it needs.
fn set(selected: &Selected<'_>, target: TargetId, project: &Project) -> Vec<String> {
    let rows = Rows::new(project);
    let mut lines = Vec::new();
    for id in selected.graph.closure([target]) {
        let target = selected.graph.target(id);
        let set = rows.set(target).into_iter();
        lines.extend(set.map(|row| format!("  {}: {} is set by {}", target.label, row.key, row.from)));
    }
    lines.extend(rows.set_vars().into_iter().map(|row| format!("  ${{vars.{}}} is set by {}", row.key, row.from)));
    if !lines.is_empty() {
        lines.insert(0, "not as the packages and `[vars]` have it:".to_owned());
    }
    lines
}

/// From where sources of the target and of all that it needs are taken, other than from the workspace's folder.
fn elsewhere(selected: &Selected<'_>, target: TargetId, lowered: &Lowered, project: &Project) -> Vec<String> {
    let Workspace { settings, sources, .. } = &project.workspace;
    let actions = selected.graph.closure([target]).into_iter().filter_map(|id| lowered.action(id));
    let read: Vec<&Utf8Path> =
        actions.flat_map(|id| lowered.graph.get(id).operation.sources()).map(|it| &*it.path).collect();
    let used = settings.paths.iter().filter(|path| read.iter().any(|read| read.starts_with(&path.place.folder)));
    let say = |path: &OwnPath| {
        let Elsewhere { folder, from } = &path.place;
        format!("{folder} is read from {from}: {}", line(sources, path.span))
    };
    used.map(say).collect()
}

struct Explained<'a> {
    explainer: &'a Explainer<'a>,
    states: &'a [State],
    work: &'a Work<'a>,
    sources: Vec<Option<Digest>>,
}

impl Explained<'_> {
    fn lines(&self, target: TargetId, all: bool) -> Result<Vec<String>, CliError> {
        let id = self.action(target)?;
        let (selected, project) = (self.work.selected, self.work.project);
        let mut lines = self.head(id);
        let made = provenance::lines(selected.graph.target(target), &project.workspace).into_iter();
        let made = made.skip(1).map(|line| format!("  {line}"));
        lines.splice(1..1, made);
        if let Operation::Local(local) = &self.work.lowered.graph.get(id).operation {
            lines.push(format!("  built at {}; its sources are not looked at", as_built::moment(local)));
            return Ok(lines);
        }
        let steps = self.steps(id)?;
        match (self.states[id.index()].output(), steps.as_slice()) {
            (Some(_), [only]) if only.changes.is_empty() => {
                lines.extend(only.notes.iter().map(|note| format!("  {note}")));
            }
            (known, steps) => {
                lines.extend(known.map(|_| "its last rebuild:".to_owned()));
                lines.extend(explain_steps::lines(steps, all));
                lines.extend(explain_steps::root_causes(steps, all));
            }
        }
        lines.extend(self.not_portable(id));
        lines.extend(set(selected, target, project));
        lines.extend(elsewhere(selected, target, self.work.lowered, project));
        Ok(lines)
    }

    fn json(&self, target: TargetId) -> Result<Value, CliError> {
        let id = self.action(target)?;
        let (state, steps) = (&self.states[id.index()], self.steps(id)?);
        let roots: Vec<&str> = steps.iter().filter(|step| step.is_root).map(|step| step.name.as_str()).collect();
        let from = state.key().and_then(|key| self.work.shared.origin(&key).map(ToString::to_string));
        Ok(json!({
            "label": self.name(id), "verdict": verdict(state), "digest": state.output().map(|output| output.digest()),
            "action-key": state.key(), "source-key": self.sources[id.index()], "cache": from,
            "portable": self.work.lowered.graph.get(id).operation.is_portable(),
            "root-causes": roots, "steps": explain_steps::json(&steps),
        }))
    }

    /// How the target itself stands.
    fn head(&self, id: ActionId) -> Vec<String> {
        if let Operation::Local(local) = &self.work.lowered.graph.get(id).operation {
            return vec![format!("{} is taken as built here: {}", self.name(id), local.output.digest())];
        }
        let State::Hit { key, output } = &self.states[id.index()] else {
            return vec![format!("{} would be built", self.name(id))];
        };
        let mut lines = vec![format!("{} is up to date: {}", self.name(id), output.digest())];
        lines.push(format!("  action key {}", key.hex()));
        lines.extend(self.work.shared.origin(key).map(|cache| format!("  from the cache {cache}")));
        lines.extend(self.sources[id.index()].map(|key| format!("  source key {}", key.hex())));
        lines
    }

    fn steps(&self, id: ActionId) -> Result<Vec<Told>, CliError> {
        Ok(self.explainer.chain(id)?.into_iter().map(|step| self.told(step)).collect())
    }

    fn told(&self, step: Step) -> Told {
        let action = self.work.lowered.graph.get(step.id);
        let notes = step.cause.phrase().map(str::to_owned).into_iter().chain(self.asked(step.id)).collect();
        Told {
            verdict: verdict(&self.states[step.id.index()]),
            name: action.name(),
            kind: action.operation.name(),
            notes,
            changes: step.cause.changes().to_vec(),
            waits: step.waits.iter().map(|input| self.name(*input)).collect(),
            is_root: step.is_root,
        }
    }

    /// The caches that were asked for what is not known here, and their answers.
    fn asked(&self, id: ActionId) -> Vec<String> {
        let State::Run { key } = &self.states[id.index()] else { return Vec::new() };
        let missed = self.work.shared.missed(key).into_iter();
        missed.map(|(cache, why)| format!("asked the cache {cache} for {}: {why}", key.hex())).collect()
    }

    /// What is said of an action that another machine would do otherwise.
    fn not_portable(&self, id: ActionId) -> Option<String> {
        let portable = self.work.lowered.graph.get(id).operation.is_portable();
        (!portable).then(|| {
            "not portable: it runs on this host (`build-base = \"host\"`), whose programs are not in its key".into()
        })
    }

    fn action(&self, target: TargetId) -> Result<ActionId, CliError> {
        self.work.lowered.action(target).ok_or_else(|| CliError::new(Exit::Bug, "the target has no action"))
    }

    fn name(&self, id: ActionId) -> String {
        self.work.lowered.graph.get(id).name()
    }
}

fn verdict(state: &State) -> &'static str {
    if state.output().is_some() { "HIT" } else { "MISS" }
}
