//! `push`: build, then publish by digest, then tags.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::images::{self, BuiltImage};
use super::patterns::Patterns;
use super::work::Work;
use super::{dry_run, project, registries};
use crate::effect::push::{PushError, Pushable, push};
use crate::event::{Event, Listener, Summary};
use crate::exit::Exit;
use crate::reference::{RegistryBase, Tag};
use crate::registry::{ClientConfig, Pushed, RegistryError};

/// Build images and publish them; prints one line `LABEL REFERENCE@DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to push.
    #[command(flatten)]
    pub patterns: Patterns,
    /// Tag to set; may be given several times. Default: the workspace's tag
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// Publishes what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(&args.patterns.patterns, cx)?;
    let mut selected = project.select()?;
    images::only_images(&project, &mut selected, "pushed")?;
    let to = Destination {
        registry: images::registry(&project, cx)?,
        tags: images::tags(&args.tags, &project)?,
        client: registries::client(cx, &project.workspace.settings.registries)?,
    };
    if cx.globals.offline && !cx.globals.dry_run {
        return Err(CliError::usage("--offline forbids pushing"));
    }
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work { project: &project, selected: &selected, lowered: &lowered, store: &store };
    if cx.globals.dry_run {
        dry_run::run(&work, cx)?;
        return to.announce(&work, cx);
    }
    let listener = cx.listener();
    let outcome = publish(&work, &to, cx, &*listener);
    drop(listener);
    let (lines, error) = outcome?;
    for line in lines {
        writeln!(cx.out, "{line}")?;
    }
    store.finish()?;
    error.map_or(Ok(()), Err)
}

struct Destination {
    registry: RegistryBase,
    tags: Vec<Tag>,
    client: ClientConfig,
}

impl Destination {
    fn announce(&self, work: &Work<'_>, cx: &mut Context) -> Result<(), CliError> {
        for target in &work.selected.targets {
            let label = &work.selected.graph.target(*target).label;
            let repository = images::repository(label, &self.registry)?;
            let tags: Vec<String> = self.tags.iter().map(|tag| format!("{repository}:{tag}")).collect();
            writeln!(cx.out, "PUSH {label} {}", tags.join(" "))?;
        }
        Ok(())
    }

    fn pushable(&self, image: &BuiltImage<'_>, work: &Work<'_>) -> Result<Pushable, CliError> {
        Ok(Pushable {
            label: image.label.to_string(),
            image: image.output.clone(),
            repository: images::repository(image.label, &self.registry)?,
            tags: self.tags.clone(),
            mount_from: images::below(image.action, work, &self.registry),
        })
    }
}

type Outcome = (Vec<String>, Option<CliError>);

/// Builds and pushes; where a blob of the store turns out damaged, both once more.
fn publish(work: &Work<'_>, to: &Destination, cx: &Context, listener: &dyn Listener) -> Result<Outcome, CliError> {
    let mut again = true;
    loop {
        let (results, build_error) = work.build(cx, listener)?;
        let built = images::built(work, &results);
        let pushables = built.iter().map(|image| to.pushable(image, work)).collect::<Result<Vec<_>, _>>()?;
        let (lines, error) = match push(&pushables, to.client.clone(), work.store, listener) {
            Ok(pushed) => said(&pushables, pushed),
            Err(error) => (Vec::new(), Some(CliError::from(error))),
        };
        if error.is_some() && std::mem::take(&mut again) && images::was_damaged(&built, work, listener)? {
            continue;
        }
        listener.event(Event::Done(Summary { verb: "pushed", ..counts(&lines, &results.summary) }));
        let lines = lines.into_iter().map(|line| line.text).collect();
        return Ok((lines, build_error.or(error)));
    }
}

/// What stdout gets of one image.
struct Line {
    text: String,
    unchanged: bool,
}

fn counts(lines: &[Line], build: &Summary) -> Summary {
    let cached = lines.iter().filter(|line| line.unchanged).count();
    Summary { ran: lines.len() - cached, cached, ..build.clone() }
}

fn said(pushables: &[Pushable], pushed: Vec<Result<Pushed, RegistryError>>) -> (Vec<Line>, Option<CliError>) {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    let mut exit = Exit::Usage;
    for (image, result) in pushables.iter().zip(pushed) {
        match result {
            Ok(pushed) => {
                let text = format!("{} {}", image.label, pushed.reference());
                lines.push(Line { text, unchanged: pushed.unchanged });
            }
            Err(error) => {
                failed.push(format!("{} was not pushed: {error}", image.label));
                exit = if error.is_mistake() { exit } else { Exit::Environment };
            }
        }
    }
    // One dead registry fails every image in the same way: the others are only named.
    let error = failed.first().map(|first| {
        let error = CliError::new(exit, first.clone());
        failed[1..].iter().fold(error, |error, other| error.hint(other.clone()))
    });
    (lines, error)
}

impl From<PushError> for CliError {
    fn from(error: PushError) -> CliError {
        match error {
            PushError::Store(error) => error.into(),
            PushError::Registry(error) => error.into(),
        }
    }
}
