//! `diff`: how two images differ, each a target, a target's build before, a reference, or a digest in the store.

use std::io::Write;
use std::str::FromStr;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::context::Context;
use super::diff_side::{Local, Side};
use super::error::CliError;
use super::work::Work;
use super::{dry_run, images, project, registries};
use crate::action::record::Output;
use crate::digest::DiffId;
use crate::effect::inspect::{InspectError, Inspector, Subject};
use crate::exit::Exit;
use crate::oci::compare::{self, LayerChange, PathChange, SettingChange};
use crate::oci::listing::{Listed, Listing};
use crate::platform::Platform;
use crate::registry::{Puller, RegistryError};
use crate::store::Store;

/// Say how two images or layers differ: settings, layers, and paths with what changed of them
///
/// A and B are each a target (//p:t, built first), the build before it (//p:t~1), a reference
/// (registry.example/a/b:tag, also @sha256:…), or a digest that the store has (sha256:…). Nothing is printed where they
/// are the same.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The one before
    #[arg(value_name = "A", value_parser = Side::from_str)]
    pub a: Side,
    /// The one after
    #[arg(value_name = "B", value_parser = Side::from_str)]
    pub b: Side,
    /// Which image of an index. Default: the workspace's platform
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    /// End with 3 where they differ
    #[arg(long)]
    pub exit_code: bool,
}

/// Compares the two.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let store = project::open_store(cx)?;
    let targets: Vec<String> = [&args.a, &args.b].into_iter().filter_map(Side::target).map(str::to_owned).collect();
    if targets.is_empty() {
        let platform = args.platform.clone().unwrap_or_default();
        return compare(args, &platform, None, &store, cx);
    }
    let project = project::open(&targets, cx)?;
    let selected = project.select(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let listener = cx.listener();
    let (results, error) = work.build(cx, &*listener)?;
    drop(listener);
    error.map_or(Ok(()), Err)?;
    let platform = args.platform.clone().unwrap_or_else(|| project.workspace.settings.platform.clone());
    compare(args, &platform, Some(&Local { work: &work, results: &results }), &store, cx)
}

fn compare(
    args: &Args,
    platform: &Platform,
    local: Option<&Local<'_>>,
    store: &Store,
    cx: &mut Context,
) -> Result<(), CliError> {
    let settings = local.map(|local| local.work.project.workspace.settings.registries.clone()).unwrap_or_default();
    let config = registries::client(cx, &settings)?;
    let made = OnceLock::<Result<Puller, RegistryError>>::new();
    let puller = || made.get_or_init(|| Puller::new(config.clone())).as_ref().map_err(Clone::clone);
    let mut inspector = Inspector::new(store, &puller);
    let built = local.into_iter().flat_map(|local| local.results.outputs());
    inspector.knows(built.filter_map(|output| if let Output::Layer(layer) = output { Some(layer) } else { None }));
    if let Some(local) = local {
        let images = images::built(local.work, local.results);
        let away = images.iter().flat_map(|image| &image.elsewhere);
        inspector.finds(away.map(|blob| (blob.digest, blob.repository.clone())));
        inspector.stands_on(local.bases(store));
        inspector.finds(local.work.shared.held().into_iter());
    }
    let old = args.a.subject(&inspector, platform, local)?;
    let new = args.b.subject(&inspector, platform, local)?;
    let found = Differences::between(&old, &new, &mut inspector)?;
    if cx.globals.json {
        writeln!(cx.out, "{}", found.json(args, &old, &new))?;
    } else if found.any() {
        writeln!(cx.out, "--- {} {}\n+++ {} {}", args.a, old.digest, args.b, new.digest)?;
        found.lines().iter().try_for_each(|line| writeln!(cx.out, "{line}"))?;
    }
    match args.exit_code && found.any() {
        true => Err(CliError::new(Exit::Partial, format!("{} and {} differ", args.a, args.b))),
        false => Ok(()),
    }
}

/// All that differs.
struct Differences {
    settings: Vec<SettingChange>,
    layers: Vec<LayerChange>,
    paths: Vec<PathChange>,
}

impl Differences {
    fn between(old: &Subject, new: &Subject, inspector: &mut Inspector<'_>) -> Result<Differences, InspectError> {
        let images = old.image.as_ref().zip(new.image.as_ref());
        let settings = images.map(|(old, new)| compare::settings(old, new)).unwrap_or_default();
        let layers = compare::layers(&old.layers, &new.layers);
        let paths = if layers.is_empty() { Vec::new() } else { paths(old, new, inspector)? };
        Ok(Differences { settings, layers, paths })
    }

    fn any(&self) -> bool {
        !self.settings.is_empty() || !self.layers.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let settings = self.settings.iter().map(|SettingChange { name, old, new }| match (old, new) {
            (Some(old), Some(new)) => format!("~ {name} {old} → {new}"),
            (Some(old), None) => format!("- {name} {old}"),
            (_, new) => format!("+ {name} {}", new.as_deref().unwrap_or_default()),
        });
        let layers = self.layers.iter().map(|LayerChange { position, layer, added }| {
            let sign = if *added { '+' } else { '-' };
            format!("{sign} layer {position} {} {} bytes", layer.descriptor.digest, layer.descriptor.size)
        });
        let paths = self.paths.iter().map(|change| {
            let (sign, path) = place(change);
            format!("{sign} {path} {}", change.aspects().join(", "))
        });
        settings.chain(layers).chain(paths).collect()
    }

    fn json(&self, args: &Args, old: &Subject, new: &Subject) -> Value {
        let side = |side: &Side, subject: &Subject| json!({"name": side.to_string(), "digest": subject.digest});
        let settings = self.settings.iter().map(|change| {
            let value = |text: &Option<String>| text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
            json!({"name": change.name, "old": value(&change.old), "new": value(&change.new)})
        });
        let layers = self.layers.iter().map(|LayerChange { position, layer, added }| {
            let change = if *added { "added" } else { "removed" };
            let (digest, size) = (layer.descriptor.digest, layer.descriptor.size);
            json!({"change": change, "position": position, "digest": digest, "diff-id": layer.diff_id.0, "size": size})
        });
        let paths = self.paths.iter().map(|change| {
            let word = match (&change.old, &change.new) {
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "removed",
                _ => "added",
            };
            let (old, new) = (change.old.as_ref().map(entry), change.new.as_ref().map(entry));
            json!({"change": word, "path": place(change).1, "old": old, "new": new, "content": change.content})
        });
        json!({
            "a": side(&args.a, old),
            "b": side(&args.b, new),
            "settings": settings.collect::<Vec<_>>(),
            "layers": layers.collect::<Vec<_>>(),
            "paths": paths.collect::<Vec<_>>(),
        })
    }
}

/// The paths that differ; files of one size by the digests of what they hold, where both are known.
fn paths(old: &Subject, new: &Subject, inspector: &mut Inspector<'_>) -> Result<Vec<PathChange>, InspectError> {
    let (before, after) = (inspector.stack(old)?, inspector.stack(new)?);
    let before: Vec<(DiffId, &Listing)> = before.iter().map(|(id, listing)| (*id, listing)).collect();
    let after: Vec<(DiffId, &Listing)> = after.iter().map(|(id, listing)| (*id, listing)).collect();
    compare::paths(&before, &after, |(old_id, entry), (new_id, _)| {
        let found = [inspector.file(&entry.path, old_id, old)?, inspector.file(&entry.path, new_id, new)?];
        Ok(found[0].is_some() && found[0] == found[1])
    })
}

/// The sign and the path of a change.
fn place(change: &PathChange) -> (char, String) {
    let sign = match (&change.old, &change.new) {
        (Some(_), Some(_)) => '~',
        (Some(_), None) => '-',
        _ => '+',
    };
    (sign, change.old.as_ref().or(change.new.as_ref()).map(|entry| entry.path.to_string()).unwrap_or_default())
}

fn entry(entry: &Listed) -> Value {
    json!({
        "kind": entry.kind.to_string(),
        "mode": format!("{:04o}", entry.mode),
        "owner": format!("{}:{}", entry.uid, entry.gid),
        "size": entry.size,
        "target": String::from_utf8_lossy(&entry.target),
    })
}

impl From<InspectError> for CliError {
    fn from(error: InspectError) -> CliError {
        match error {
            InspectError::Store(error) => error.into(),
            InspectError::Registry(error) => error.into(),
            InspectError::Platform { .. } => CliError::usage(error.to_string()).hint("name one with `--platform`"),
            InspectError::NoImage { .. } => CliError::usage(error.to_string()),
            InspectError::Layer { .. } => CliError::environment(error.to_string()),
        }
    }
}
