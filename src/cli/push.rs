//! `push`: build, then publish by digest, then tags.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::images::{self, BuiltImage};
use super::patterns::{self, ListedPatterns};
use super::published::Published;
use super::work::Work;
use super::{as_built, checks, dry_run, project, registries};
use crate::effect::push::{PushError, Pushable, push};
use crate::event::{Event, Listener};
use crate::reference::{RegistryBase, RepositoryPath, Tag};
use crate::registry::ClientConfig;

/// Build images and publish them; prints one line `LABEL REFERENCE@DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to push.
    #[command(flatten)]
    pub patterns: ListedPatterns,
    /// Tag to set; may be given several times. Default: the workspace's tag
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// Publishes what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let Some((patterns, listed)) = args.patterns.all(cx)? else { return Ok(()) };
    let mut project = project::open(&patterns, cx)?;
    project.listed = listed;
    let mut selected = project.select(cx)?;
    images::only_images(&project, &mut selected, "pushed")?;
    images::only_built(&project, &mut selected)?;
    if listed && selected.targets.is_empty() {
        patterns::nothing_to_do(cx);
        return Ok(());
    }
    checks::add(&mut selected);
    let to = Destination {
        registry: project.registry(cx)?,
        tags: images::tags(&args.tags, &project)?,
        client: registries::client(cx, &project.workspace.settings.registries)?,
    };
    if cx.globals.offline && !cx.globals.dry_run {
        return Err(CliError::usage("--offline forbids pushing"));
    }
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    if cx.globals.dry_run {
        dry_run::run(&work, cx)?;
        return to.announce(&work, cx);
    }
    let listener = cx.listener();
    as_built::warn(&lowered.graph, &*listener);
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
        let targets = work.selected.targets.iter().map(|target| work.selected.graph.target(*target));
        for label in targets.filter(|target| target.rule.purpose.is_published()).map(|target| &target.label) {
            let repository = images::repository(label, &self.registry)?;
            let tags: Vec<String> = self.tags.iter().map(|tag| format!("{repository}:{tag}")).collect();
            writeln!(cx.out, "PUSH {label} {}", tags.join(" "))?;
        }
        Ok(())
    }

    /// Where the images below are published, and the cache that was just written to.
    fn mount_from(&self, image: &BuiltImage<'_>, work: &Work<'_>) -> Vec<RepositoryPath> {
        let cache = work.cache_to.iter().filter(|cache| cache.registry == self.registry.registry);
        let below = images::below(image.action, work, &self.registry);
        below.into_iter().chain(cache.map(|cache| cache.path.clone())).collect()
    }

    fn pushable(&self, image: &BuiltImage<'_>, work: &Work<'_>) -> Result<Pushable, CliError> {
        Ok(Pushable {
            label: image.label.to_string(),
            images: image.images.to_vec(),
            index: image.is_index.then(|| (image.top, image.media_type.to_owned())),
            repository: images::repository(image.label, &self.registry)?,
            tags: self.tags.clone(),
            mount_from: self.mount_from(image, work),
            origins: image.elsewhere.iter().map(|blob| (blob.digest, blob.repository.clone())).collect(),
        })
    }
}

type Outcome = (Vec<String>, Option<CliError>);

/// Builds and pushes; where a blob of the store turns out damaged, both once more.
fn publish(work: &Work<'_>, to: &Destination, cx: &Context, listener: &dyn Listener) -> Result<Outcome, CliError> {
    let mut again = true;
    loop {
        let (results, build_error) = work.build(cx, listener)?;
        let mut built = images::built(work, &results);
        built.retain(|image| checks::is_free(image.label, work, &results));
        let pushables = built.iter().map(|image| to.pushable(image, work)).collect::<Result<Vec<_>, _>>()?;
        let labels = pushables.iter().map(|image| &*image.label);
        let Published { lines, unchanged, error } = match push(&pushables, to.client.clone(), work.store, listener) {
            Ok(pushed) => Published::new("pushed", labels.zip(pushed)),
            Err(error) => Published::failed(error.into()),
        };
        if error.is_some() && std::mem::take(&mut again) && images::was_damaged(&built, work, cx, listener)? {
            continue;
        }
        let (ran, cached) = (lines.len() - unchanged, unchanged);
        listener.event(Event::Done(results.closing("pushed", ran, cached)));
        let build_error = build_error.map(|error| checks::stopping(error, &checks::stopped(work, &results), "pushed"));
        return Ok((lines, build_error.or(error)));
    }
}

impl From<PushError> for CliError {
    fn from(error: PushError) -> CliError {
        match error {
            PushError::Store(error) => error.into(),
            PushError::Registry(error) => error.into(),
        }
    }
}
