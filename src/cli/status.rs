//! `status`: for each image what is built, what is published, whether they are in step, and how its base stands.

use std::io::Write;

use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::project::{self, Project};
use super::work::Work;
use super::{images, patterns, registries};
use crate::action::ActionId;
use crate::build::probe::State;
use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::exit::Exit;
use crate::graph::TargetId;
use crate::plan::lower::pulled;
use crate::reference::{Reference, RegistryBase, Tag};
use crate::registry::Puller;
use crate::rules::Defaults;
use crate::status::{Base, BaseState, Local, Row, Status, Step, Tagged, status};
use crate::ui::table::{Align, Table};
use crate::workspace::{Home, Target};

/// Say for each image what is built, what is published, whether they are in step, and how its base stands
///
/// Builds nothing: `not built` is what a build would have to make first. What the profile takes as published is held by
/// what is locked; what it takes as built here, by that build. The tag is the workspace's, or the profile's.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Which images: labels and patterns. Default: //...
    #[arg(value_name = "PATTERN", value_parser = patterns::read)]
    pub patterns: Vec<String>,
    /// End with 3 unless all images are in step and their bases up to date, with 36 where a registry can't be asked
    #[arg(long)]
    pub strict: bool,
}

/// How many registries' answers are waited for at once.
const AT_ONCE: usize = 8;

/// Shows the table.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let all = ["//...".to_owned()];
    let texts = if args.patterns.is_empty() { &all[..] } else { &args.patterns };
    let project = project::open(texts, cx)?;
    let store = project::open_store(cx)?;
    let mut selected = project.select_with_taken(&store, cx)?;
    images::only_images(&project, &mut selected, "published")?;
    images::only_ours(&project, &mut selected)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::looking(&project, &selected, &lowered, &store, cx)?;
    let listener = cx.listener();
    let found = of(&work, &work.probe(&*listener)?, &selected.targets, cx)?;
    tell_failures(&found, &*listener);
    drop(listener);
    if cx.globals.json {
        writeln!(cx.out, "{}", Value::from(found.rows.iter().map(json).collect::<Vec<_>>()))?;
    } else {
        table(&found).write(&mut cx.out)?;
    }
    if args.strict { judge(&found) } else { Ok(()) }
}

/// How images stand, each asked of its registry.
pub fn of(work: &Work<'_>, states: &[State], images: &[TargetId], cx: &Context) -> Result<Status, CliError> {
    let client = registries::client(cx, &work.project.workspace.settings.registries)?;
    let client = registries::without_mirrors(client, &work.project.registry(cx)?.registry);
    Ok(status(locals(work, states, images, cx)?, &Puller::new(client)?, AT_ONCE))
}

fn locals(work: &Work<'_>, states: &[State], images: &[TargetId], cx: &Context) -> Result<Vec<Local>, CliError> {
    let workspace = &work.project.workspace;
    let publisher = |beside| Publisher::of(work.project, workspace.home_at(beside), cx);
    let (own, beside) = (publisher(None)?, (0..workspace.beside.len()).map(|at| publisher(Some(at))));
    let beside: Vec<Publisher> = beside.collect::<Result<_, _>>()?;
    let whose = |target: &Target| workspace.home(&target.label.package).beside.map_or(&own, |at| &beside[at]);
    let one = |id: &TargetId| {
        let Some(action) = work.lowered.action(*id) else {
            return Err(CliError::new(Exit::Bug, "the target has no action"));
        };
        let target = work.selected.graph.target(*id);
        let Publisher { registry, tag, defaults } = whose(target);
        let built = || states[action.index()].output().map(crate::action::record::Output::digest);
        Ok(Local {
            label: target.label.to_string(),
            built: if target.published { locked(target, work, defaults).map(|base| base.locked) } else { built() },
            taken: target.published,
            as_built: target.local,
            published: match target.label.package.external().and_then(|_| locked(target, work, defaults)) {
                Some(base) => base.reference,
                None => published(&target.label, registry, tag)?,
            },
            base: if target.published { None } else { base(action, work, &|target| &whose(target).defaults) },
        })
    };
    images.iter().map(one).collect()
}

/// Where a workspace publishes its images, and what it says for all of them.
struct Publisher {
    registry: RegistryBase,
    tag: Tag,
    defaults: Defaults,
}

impl Publisher {
    fn of(project: &Project, home: Home<'_>, cx: &Context) -> Result<Publisher, CliError> {
        let (registry, defaults) = (project.registry_of(home, cx)?, project.defaults_of(home, cx)?);
        let tag = images::parsed_tags_of(&project.tags_of(home)?)?.remove(0);
        Ok(Publisher { registry, tag, defaults })
    }
}

fn published(label: &crate::label::Label, registry: &RegistryBase, tag: &Tag) -> Result<Reference, CliError> {
    let repository = images::repository(label, registry)?;
    let tag = Some(tag.clone());
    Ok(Reference { registry: Some(repository.registry), path: repository.path, tag, digest: None })
}

/// The pulled base below an image, or below the first image of an index.
fn base<'d>(action: ActionId, work: &Work<'_>, defaults: &dyn Fn(&Target) -> &'d Defaults) -> Option<Base> {
    let graph = &work.lowered.graph;
    let (id, _) = graph.images_of(action).into_iter().find_map(|image| graph.pulled_below(image))?;
    let target = work.selected.graph.id(&graph.get(id).label)?;
    let target = work.selected.graph.target(target);
    locked(target, work, defaults(target))
}

/// What a target takes from a registry: its reference, and what is locked.
fn locked(target: &Target, work: &Work<'_>, defaults: &Defaults) -> Option<Base> {
    // What is wrong with it was told when it was lowered.
    let source = pulled(target, defaults).ok().flatten()?;
    let locked = work.project.workspace.locked(&source.label, target.published);
    locked.map(|locked| Base { reference: source.reference, locked: locked.digest })
}

/// Warns of each registry that could not be asked.
pub fn tell_failures(found: &Status, listener: &dyn Listener) {
    for error in found.failures.values() {
        listener.event(Event::Warning(error.to_string()));
    }
}

fn table(found: &Status) -> Table<5> {
    let mut table = Table::new([Align::Left; 5]);
    if !found.rows.is_empty() {
        table.row(["LABEL", "BUILT", "PUBLISHED", "STATUS", "BASE"].map(str::to_owned));
    }
    for row in &found.rows {
        let built = match (row.local.built, row.local.taken, row.local.as_built) {
            (None, ..) => "not built".to_owned(),
            (Some(digest), true, _) => format!("{} (locked)", short(&digest)),
            (Some(digest), _, true) => format!("{} (local)", short(&digest)),
            (Some(digest), ..) => short(&digest),
        };
        let published = format!("{} → {}", row.local.published, tagged(row.published));
        let label = row.local.label.clone();
        table.row([label, built, published, step(row.step).to_owned(), base_state(row)]);
    }
    table
}

/// Enough of a digest to tell two apart by eye.
fn short(digest: &Digest) -> String {
    format!("sha256:{}", &digest.hex()[..12])
}

fn tagged(tagged: Tagged) -> String {
    match tagged {
        Tagged::Names(digest) => short(&digest),
        Tagged::Nothing => "nothing".to_owned(),
        Tagged::Unknown => "unknown".to_owned(),
    }
}

/// A step in words.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::InStep => "in step",
        Step::OutOfStep => "out of step",
        Step::NotPublished => "not published",
        Step::NotBuilt => "not built",
        Step::Unknown => "unknown",
    }
}

fn base_state(row: &Row) -> String {
    let reference = row.local.base.as_ref().map(|base| base.reference.to_string()).unwrap_or_default();
    match row.base {
        BaseState::None => "-".to_owned(),
        BaseState::UpToDate => format!("{reference} up to date"),
        BaseState::Moved(digest) => format!("{reference} moved to {}", short(&digest)),
        BaseState::Gone => format!("{reference} gone"),
        BaseState::Unknown => format!("{reference} unknown"),
    }
}

fn json(row: &Row) -> Value {
    let published = match row.published {
        Tagged::Names(digest) => Some(digest),
        Tagged::Nothing | Tagged::Unknown => None,
    };
    let (state, now) = match row.base {
        BaseState::None => return json_row(row, published, Value::Null),
        BaseState::UpToDate => ("up to date", None),
        BaseState::Moved(digest) => ("moved", Some(digest)),
        BaseState::Gone => ("gone", None),
        BaseState::Unknown => ("unknown", None),
    };
    let base = row.local.base.as_ref().map(
        |base| json!({"reference": base.reference.to_string(), "locked": base.locked, "status": state, "now": now}),
    );
    json_row(row, published, base.into())
}

fn json_row(row: &Row, published: Option<Digest>, base: Value) -> Value {
    let Local { label, published: reference, taken, as_built, .. } = &row.local;
    let (built, locked) = if *taken { (None, row.local.built) } else { (row.local.built, None) };
    let status = step(row.step);
    json!({
        "label": label, "built": built, "local": as_built, "locked": locked, "reference": reference.to_string(), "published": published, "status": status,
        "base": base,
    })
}

fn judge(found: &Status) -> Result<(), CliError> {
    if !found.failures.is_empty() {
        let registries: Vec<String> = found.failures.keys().map(ToString::to_string).collect();
        return Err(CliError::environment(format!("what {} has is not known", registries.join(", "))));
    }
    let fine = |row: &&Row| row.step == Step::InStep && matches!(row.base, BaseState::None | BaseState::UpToDate);
    let count = found.rows.len() - found.rows.iter().filter(fine).count();
    if count == 0 {
        return Ok(());
    }
    let message = format!("{count} of {} images are not in step, or their bases are not up to date", found.rows.len());
    Err(CliError::new(Exit::Partial, message))
}
