//! `load`: build, then put images into Docker or podman; layers that the engine has are not sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use super::context::Context;
use super::error::CliError;
use super::images::{self, BuiltImage};
use super::patterns::Patterns;
use super::remote::Remotes;
use super::work::{Results, Work};
use super::{dry_run, project};
use crate::action::record::ImageOutput;
use crate::base::fetch::Reader;
use crate::base::remote::RemoteBlob;
use crate::digest::DiffId;
use crate::effect::engine::{Engine, EngineError, Kind};
use crate::effect::load::{Load, LoadError, load};
use crate::event::{Event, Listener, Outcome, Step};

/// Build images and put them into Docker or podman; prints one line `LABEL REFERENCE` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to load.
    #[command(flatten)]
    pub patterns: Patterns,
    /// Into which engine. Default: Docker where it answers, else podman
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub to: Option<To>,
}

/// Engines by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum To {
    /// Docker, by the docker command.
    Docker,
    /// Podman on this machine.
    Podman,
}

/// Loads what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(&args.patterns.patterns, cx)?;
    let mut selected = project.select(cx)?;
    images::only_images(&project, &mut selected, "loaded")?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let engine = engine(args.to, cx)?;
    let listener = cx.listener();
    let outcome = build_and_load(&work, &engine, cx, &*listener);
    drop(listener);
    for line in outcome? {
        writeln!(cx.out, "{line}")?;
    }
    Ok(store.finish()?)
}

fn engine(to: Option<To>, cx: &Context) -> Result<Engine, CliError> {
    let kinds: &[Kind] = match to {
        None => &[Kind::Docker, Kind::Podman],
        Some(To::Docker) => &[Kind::Docker],
        Some(To::Podman) => &[Kind::Podman],
    };
    let environment: Vec<_> = cx.environment.iter().collect();
    Ok(Engine::find(kinds, &environment)?)
}

/// Builds and loads; where a blob of the store turns out damaged, both once more. The lines for stdout.
fn build_and_load(
    work: &Work<'_>,
    engine: &Engine,
    cx: &Context,
    listener: &dyn Listener,
) -> Result<Vec<String>, CliError> {
    let mut again = true;
    loop {
        let (results, error) = work.build(cx, listener)?;
        error.map_or(Ok(()), Err)?;
        let built = images::built(work, &results);
        match load_all(&built, work, &results, engine, cx, listener) {
            Err(_) if std::mem::take(&mut again) && images::was_damaged(&built, work, cx, listener)? => {}
            lines => return lines,
        }
    }
}

/// What loading goes through.
struct Loading<'a> {
    work: &'a Work<'a>,
    engine: &'a Engine,
    reader: Reader<'a>,
    sizes: BTreeMap<DiffId, u64>,
    listener: &'a dyn Listener,
}

fn load_all(
    built: &[BuiltImage<'_>],
    work: &Work<'_>,
    results: &Results,
    engine: &Engine,
    cx: &Context,
    listener: &dyn Listener,
) -> Result<Vec<String>, CliError> {
    let remote = Remotes::new(work.project, cx)?;
    let reader = Reader { remote: &remote, store: work.store };
    let sizes = images::uncompressed(built, work, results);
    let loading = Loading { work, engine, reader, sizes, listener };
    let mut there = engine.layers();
    let mut lines = Vec::new();
    for (image, name) in built.iter().zip(images::names(built, work, cx)?) {
        let wanted = wanted(image, &name, engine, work)?;
        let step = Step { label: image.label.to_string(), what: "load" };
        listener.event(Event::Started(step.clone()));
        let start = Instant::now();
        let loaded = loading.load(image, &wanted, &there);
        listener.event(match &loaded {
            Err(error) => Event::Failed { step, message: error.message.clone() },
            Ok(said) => {
                let detail = format!("{name}: {said}");
                Event::Finished { step, outcome: Outcome::Ran, elapsed: start.elapsed(), detail }
            }
        });
        loaded?;
        there.push(wanted.layers.iter().map(|layer| layer.diff_id).collect());
        lines.push(format!("{} {name}", image.label));
    }
    listener.event(Event::Done(results.closing("loaded", lines.len(), 0)));
    Ok(lines)
}

impl Loading<'_> {
    /// Loads what the engine lacks, and everything where it refuses that. Says what was sent: `3 of 4 layers were in
    /// docker, 12345 bytes sent`.
    fn load(&self, image: &BuiltImage<'_>, wanted: &Load, there: &[Vec<DiffId>]) -> Result<String, CliError> {
        let mut known = wanted.known(there);
        let sent = loop {
            // Layers of a pulled base come from its registry only where the engine lacks them.
            let needed = |blob: &&RemoteBlob| {
                wanted.layers.iter().skip(known).any(|layer| layer.descriptor.digest == blob.digest)
            };
            let needed: Vec<RemoteBlob> = image.elsewhere.iter().filter(needed).cloned().collect();
            images::fetch_layers(image.label, &needed, &self.reader, self.listener)?;
            match load(wanted, known, &self.sizes, self.engine, self.work.store) {
                Err(error) if error.is_refusal() && known > 0 => known = 0,
                sent => break sent?,
            }
        };
        let layers = format!("{known} of {} layers were in {}", wanted.layers.len(), self.engine.kind);
        Ok(sent.map_or(layers.clone(), |sent| format!("{layers}, {sent} bytes sent")))
    }
}

/// The image, or of an index the one for the engine's platform.
fn wanted(image: &BuiltImage<'_>, name: &str, engine: &Engine, work: &Work<'_>) -> Result<Load, CliError> {
    let chosen = if image.is_index { fitting(image, engine, work)? } else { &image.images[0] };
    let layers = images::layers(chosen, work.store)?;
    let manifest = images::descriptor(chosen.manifest, &chosen.media_type);
    Ok(Load { manifest, name: name.to_owned(), layers })
}

fn fitting<'a>(image: &BuiltImage<'a>, engine: &Engine, work: &Work<'_>) -> Result<&'a ImageOutput, CliError> {
    let mut platforms = Vec::new();
    for one in image.images {
        let platform = images::config(one, work.store)?.platform;
        if (&platform.os, &platform.architecture) == (&engine.platform.os, &engine.platform.architecture) {
            return Ok(one);
        }
        platforms.push(platform.to_string());
    }
    let has = format!("{} has images for {} only", image.label, platforms.join(", "));
    Err(CliError::usage(format!("{has}, and {} runs {}", engine.kind, engine.platform)))
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> CliError {
        let none = matches!(error, EngineError::None(_));
        let error = CliError::environment(error.to_string());
        if !none {
            return error;
        }
        error.hint(
            "start one, let DOCKER_HOST name it, or write a file for it: `layerbuild export --format docker-archive`",
        )
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> CliError {
        match error {
            LoadError::Engine(error) => error.into(),
            LoadError::Store(error) => error.into(),
            LoadError::Layout(error) => CliError::environment(error.to_string()),
        }
    }
}
