//! `promote`: the same bytes under another profile's registry or tag. Builds nothing.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::patterns::Patterns;
use super::published::Published;
use super::{images, project, promote_tests, registries};
use crate::effect::promote::{PromoteError, Promotion, promote};
use crate::event::{Event, Summary};
use crate::exit::Exit;
use crate::label::Label;
use crate::reference::{Reference, RegistryBase, Tag};
use crate::registry::ClientConfig;

/// Copy published images, as they are, to another profile's registry or tag; prints one line `LABEL REFERENCE@DIGEST`
/// a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to promote.
    #[command(flatten)]
    pub patterns: Patterns,
    /// Take what is published under this profile's registry and tag. Default: the workspace's, or those of --profile
    #[arg(long, value_name = "PROFILE", required_unless_present = "to")]
    pub from: Option<String>,
    /// Publish under this profile's registry and tags. Default: as with --from
    #[arg(long, value_name = "PROFILE")]
    pub to: Option<String>,
    /// Tag to set there; may be given several times. Default: the tags of --to
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// Promotes what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(&args.patterns.patterns, cx)?;
    let mut selected = project.select(cx)?;
    images::only_images(&project, &mut selected, "promoted")?;
    images::only_ours(&project, &mut selected)?;
    images::only_here(&project, &mut selected)?;
    if args.from.is_some() && args.to.is_some() && cx.globals.registry.is_some() {
        let message = "--registry (or LAYERBUILD_REGISTRY) says nothing where both --from and --to name a profile";
        return Err(CliError::usage(message).hint("leave it out"));
    }
    let (from, mut to) = (side(args.from.as_deref(), cx)?, side(args.to.as_deref(), cx)?);
    if !args.tags.is_empty() {
        to.tags = images::parsed_tags(&args.tags)?;
    }
    let labels = selected.targets.iter().map(|target| &selected.graph.target(*target).label);
    let promotions = labels.map(|label| promotion(label, &from, &to)).collect::<Result<Vec<_>, _>>()?;
    if cx.globals.dry_run {
        return announce(&promotions, cx);
    }
    if cx.globals.offline {
        return Err(CliError::usage("--offline forbids promoting"));
    }
    let client = registries::client(cx, &project.workspace.settings.registries)?;
    let client = registries::without_mirrors(client, &from.registry.registry);
    let (promotions, stopped) = promote_tests::allowed(promotions, &project, &selected, &client, cx)?;
    if let (true, Some(error)) = (promotions.is_empty(), &stopped) {
        return Err(error.clone());
    }
    let Published { lines, error, .. } = published(&promotions, client, cx);
    for line in lines {
        writeln!(cx.out, "{line}")?;
    }
    error.or(stopped).map_or(Ok(()), Err)
}

/// Where a profile's images are.
struct Side {
    registry: RegistryBase,
    tags: Vec<Tag>,
}

fn side(profile: Option<&str>, cx: &Context) -> Result<Side, CliError> {
    let project = project::under(profile, cx)?;
    let registry = match profile {
        Some(_) => project::parsed_registry(&project.workspace.settings.registry)?,
        None => project.registry(cx)?,
    };
    Ok(Side { registry, tags: images::setting_tags(&project)? })
}

fn promotion(label: &Label, from: &Side, to: &Side) -> Result<Promotion, CliError> {
    let source = images::repository(label, &from.registry)?;
    let target = images::repository(label, &to.registry)?;
    let tag = from.tags.first().cloned();
    if source == target && to.tags.iter().all(|tag| Some(tag) == from.tags.first()) {
        let there = to.tags.iter().map(|tag| format!("{target}:{tag}")).collect::<Vec<_>>().join(", ");
        let error = CliError::usage(format!("{label} would be promoted to where it is: {there}"));
        return Err(error.hint("name a profile with another registry or tag, or another tag with --tag"));
    }
    let from = Reference { registry: Some(source.registry), path: source.path, tag, digest: None };
    Ok(Promotion { label: label.to_string(), from, to: target, tags: to.tags.clone() })
}

fn announce(promotions: &[Promotion], cx: &mut Context) -> Result<(), CliError> {
    for Promotion { label, from, to, tags } in promotions {
        let to: Vec<String> = tags.iter().map(|tag| format!("{to}:{tag}")).collect();
        writeln!(cx.out, "PROMOTE {label} {from} to {}", to.join(" "))?;
    }
    Ok(())
}

fn published(promotions: &[Promotion], client: ClientConfig, cx: &Context) -> Published {
    let start = std::time::Instant::now();
    let listener = cx.listener();
    let published = match promote(promotions, client, &*listener) {
        Ok(results) => Published::new("promoted", promotions.iter().map(|one| &*one.label).zip(results)),
        Err(error) => Published::failed(error.into()),
    };
    let (cached, failed) = (published.unchanged, promotions.len() - published.lines.len());
    let ran = published.lines.len() - cached;
    let (skipped, critical_path, elapsed) = (0, Vec::new(), start.elapsed());
    listener.event(Event::Done(Summary { verb: "promoted", ran, cached, failed, skipped, elapsed, critical_path }));
    published
}

impl From<PromoteError> for CliError {
    fn from(error: PromoteError) -> CliError {
        match error {
            PromoteError::NotThere(_) => CliError::usage(error.to_string()),
            PromoteError::Unreadable(..) => CliError::new(Exit::Environment, error.to_string()),
            PromoteError::Registry(error) => error.into(),
        }
    }
}
