//! `load`: build, then put images into Docker or podman; layers that the engine has are not sent.

use std::io::Write;
use std::time::Instant;

use super::context::Context;
use super::error::CliError;
use super::images::{self, BuiltImage};
use super::patterns::Patterns;
use super::work::{Results, Work};
use super::{dry_run, project};
use crate::action::record::ImageOutput;
use crate::effect::engine::{Engine, EngineError, Kind};
use crate::effect::load::{Load, LoadError, Loaded, load};
use crate::event::{Event, Listener, Outcome, Step, Summary};

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
    let mut selected = project.select()?;
    images::only_images(&project, &mut selected, "loaded")?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work { project: &project, selected: &selected, lowered: &lowered, store: &store };
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
            Err(_) if std::mem::take(&mut again) && images::was_damaged(&built, work, listener)? => {}
            lines => return lines,
        }
    }
}

fn load_all(
    built: &[BuiltImage<'_>],
    work: &Work<'_>,
    results: &Results,
    engine: &Engine,
    cx: &Context,
    listener: &dyn Listener,
) -> Result<Vec<String>, CliError> {
    let names = images::names(built, work, cx)?;
    let sizes = images::uncompressed(built, work, results);
    let mut there = engine.layers();
    let mut lines = Vec::new();
    for (image, name) in built.iter().zip(names) {
        let wanted = wanted(image, &name, engine, work)?;
        let step = Step { label: image.label.to_string(), what: "load" };
        listener.event(Event::Started(step.clone()));
        let start = Instant::now();
        let loaded = load(&wanted, &sizes, &there, engine, work.store);
        listener.event(match &loaded {
            Err(_) => Event::Failed { step },
            Ok(loaded) => {
                let detail = format!("{name}: {}", said(loaded, engine));
                Event::Finished { step, outcome: Outcome::Ran, elapsed: start.elapsed(), detail }
            }
        });
        loaded?;
        there.push(wanted.diff_ids);
        lines.push(format!("{} {name}", image.label));
    }
    listener.event(Event::Done(Summary { verb: "loaded", ran: lines.len(), cached: 0, ..results.summary.clone() }));
    Ok(lines)
}

/// Such as `3 of 4 layers were there, 12345 bytes sent`.
fn said(loaded: &Loaded, engine: &Engine) -> String {
    let layers = format!("{} of {} layers were in {}", loaded.known, loaded.layers, engine.kind);
    loaded.sent.map_or(layers.clone(), |sent| format!("{layers}, {sent} bytes sent"))
}

/// The image, or of an index the one for the engine's platform.
fn wanted(image: &BuiltImage<'_>, name: &str, engine: &Engine, work: &Work<'_>) -> Result<Load, CliError> {
    let chosen = if image.is_index { fitting(image, engine, work)? } else { &image.images[0] };
    let diff_ids = images::config(chosen, work.store)?.rootfs.diff_ids;
    let manifest = images::descriptor(chosen.manifest, &chosen.media_type);
    Ok(Load { manifest, name: name.to_owned(), diff_ids })
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
