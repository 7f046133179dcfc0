//! `explain`: why a target would be built again, or was built last, with the component that changed and the root cause.

use std::io::Write;

use camino::Utf8Path;

use super::as_built;
use super::config_rows::Rows;
use super::context::Context;
use super::error::CliError;
use super::explanation::{Explainer, Reason};
use super::project::{self, Project, Selected};
use super::provenance;
use super::work::Work;
use crate::action::{ActionId, Operation};
use crate::build::probe::State;
use crate::exit::Exit;
use crate::graph::TargetId;
use crate::plan::lower::Lowered;
use crate::plan::source_key::source_keys;
use crate::plan::why::Change;
use crate::source_root::Elsewhere;
use crate::workspace::Workspace;
use crate::workspace::origin::line;
use crate::workspace::own_paths::OwnPath;

/// Say why a target is built again: what changed since the last build, old and new, and the target to blame
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The target.
    #[arg(value_name = "LABEL")]
    pub label: String,
}

/// Changes shown of one action before the rest is only counted.
const SHOWN: usize = 10;

/// Explains one target.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(std::slice::from_ref(&args.label), cx)?;
    let selected = project.select(cx)?;
    let target = selected.only(&args.label, "explain")?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::looking(&project, &selected, &lowered, &store, cx)?;
    let listener = cx.listener();
    let states = work.probe(&*listener)?;
    drop(listener);
    let explainer = Explainer::new(&work, &states)?;
    let id = lowered.action(target).ok_or_else(|| CliError::new(Exit::Bug, "the target has no action"))?;
    let lines = Lines { explainer: &explainer, states: &states, work: &work };
    let mut told: Vec<String> = lines.of(id)?.into_iter().chain(lines.not_portable(id)).collect();
    let made = provenance::lines(selected.graph.target(target), &project.workspace).into_iter();
    let made = made.skip(1).map(|line| format!("  {line}"));
    told.splice(1..1, made);
    told.extend(set(&selected, target, &project));
    for line in told.into_iter().chain(elsewhere(&selected, target, &lowered, &project)) {
        writeln!(cx.out, "{line}")?;
    }
    Ok(())
}

/// What profile and local file set of the target and of all that it needs.
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

struct Lines<'a> {
    explainer: &'a Explainer<'a>,
    states: &'a [State],
    work: &'a Work<'a>,
}

impl Lines<'_> {
    fn of(&self, id: ActionId) -> Result<Vec<String>, CliError> {
        if let Operation::Local(local) = &self.work.lowered.graph.get(id).operation {
            let mut lines = vec![format!("{} is taken as built here: {}", self.label(id), local.output.digest())];
            lines.push(format!("  built at {}; its sources are not looked at", as_built::moment(local)));
            return Ok(lines);
        }
        match &self.states[id.index()] {
            State::Hit { key, output } => {
                let mut lines = vec![format!("{} is up to date: {}", self.label(id), output.digest())];
                lines.push(format!("  action key {}", key.hex()));
                lines.extend(self.work.shared.origin(key).map(|cache| format!("  from the cache {cache}")));
                let sources = source_keys(&self.work.lowered.graph);
                lines.extend(sources[id.index()].map(|key| format!("  source key {}", key.hex())));
                lines.extend(self.last(id)?);
                Ok(lines)
            }
            _ => self.pending(id),
        }
    }

    /// Of what is up to date: what its last rebuild came from.
    fn last(&self, id: ActionId) -> Result<Vec<String>, CliError> {
        let Some(changes) = self.explainer.last_change(id)? else {
            return Ok(vec!["  no earlier result of it is known here".into()]);
        };
        let mut lines = vec!["its last rebuild:".to_owned(), format!("  {}", self.label(id))];
        lines.extend(self.down(id, changes)?);
        Ok(lines)
    }

    /// An action's changes, then those of the input that brought one of them, and so on down to the root cause.
    fn down(&self, mut at: ActionId, mut changes: Vec<Change>) -> Result<Vec<String>, CliError> {
        let mut lines = shown(&changes);
        while let Some((next, change)) =
            changes.iter().find_map(|change| Some((self.explainer.input_of(at, change)?, change)))
        {
            let below = self.explainer.behind(next, change)?;
            lines.push(format!("  {}", self.label(next)));
            at = next;
            let Some(below) = below else {
                lines.push("    was built several times since; which change made the difference is not known".into());
                break;
            };
            lines.extend(shown(&below));
            changes = below;
        }
        lines.push(format!("root cause: {}", self.label(at)));
        Ok(lines)
    }

    /// Of what would be built: the chain down to the first action whose own inputs are all known.
    fn pending(&self, id: ActionId) -> Result<Vec<String>, CliError> {
        let mut lines = vec![format!("{} would be built", self.label(id))];
        let mut at = id;
        loop {
            let reason = self.explainer.reason(at)?;
            lines.push(format!("  {}", self.label(at)));
            match reason {
                Reason::Changed(changes) if !changes.is_empty() => {
                    lines.extend(self.down(at, changes)?);
                    return Ok(lines);
                }
                other => lines.push(format!("    {}", other.headline())),
            }
            let Some(next) = self.explainer.open_inputs(at).next() else { break };
            at = next;
        }
        lines.push(format!("root cause: {}", self.label(at)));
        Ok(lines)
    }

    /// What is said of an action that another machine would do otherwise.
    fn not_portable(&self, id: ActionId) -> Option<String> {
        let portable = self.work.lowered.graph.get(id).operation.is_portable();
        (!portable).then(|| {
            "not portable: it runs on this host (`build-base = \"host\"`), whose programs are not in its key".into()
        })
    }

    fn label(&self, id: ActionId) -> String {
        self.work.lowered.graph.get(id).name()
    }
}

fn shown(changes: &[Change]) -> Vec<String> {
    let mut lines: Vec<String> =
        changes.iter().take(SHOWN).map(|change| format!("    {}", change.sentence())).collect();
    if changes.len() > SHOWN {
        lines.push(format!("    and {} more", changes.len() - SHOWN));
    }
    lines
}
