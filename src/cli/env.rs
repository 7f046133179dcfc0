//! `env`: which variables images need at run time, who asks for each, and who fills it.

use std::str::FromStr;

use super::context::Context;
use super::diff_side::published;
use super::env_report::{self, Form};
use super::error::CliError;
use super::project::{self, Project};
use super::remote::Remotes;
use super::{images, patterns, registries};
use crate::action::record::Output;
use crate::action::{ActionGraph, ActionId, Operation};
use crate::base::fetch::Reader;
use crate::build::pull::origin;
use crate::diagnostic::Diagnostic;
use crate::effect::inspect::Inspector;
use crate::exit::Exit;
use crate::label::Label;
use crate::oci::image_requires::LABEL;
use crate::oci::manifest::Config;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::Puller;
use crate::requirements::{self, Contradiction, Link, Row};
use crate::store::Store;
use crate::workspace::settings::Settings;

/// Say which variables images need at run time, who asks for each, and who fills it; missing ones first
///
/// An image needs what `requires` says of it and of all that it stands on. Builds nothing. A value of this command's own
/// environment is never shown; of a secret only whether it is set. A reference needs no workspace.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Labels and patterns, or references to images of a registry
    #[arg(value_name = "LABEL|REFERENCE", required = true, value_parser = Asked::from_str)]
    pub asked: Vec<Asked>,
    /// How they are shown
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: Form,
    /// Which image of a published index. Default: the workspace's platform
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    /// End with 3 where one has no value, or one that its pattern forbids
    #[arg(long)]
    pub check: bool,
}

/// What is asked about, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A label or pattern.
    Targets(String),
    /// An image in a registry.
    Published(Box<Reference>),
}

impl Asked {
    fn pattern(&self) -> Option<&str> {
        if let Asked::Targets(text) = self { Some(text) } else { None }
    }

    fn reference(&self) -> Option<&Reference> {
        if let Asked::Published(reference) = self { Some(reference) } else { None }
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Asked, String> {
        let text = patterns::read(text)?;
        let is_pattern =
            ["//", ":", "@", "-//", "-:"].iter().any(|start| text.starts_with(start)) || text.ends_with("...");
        if is_pattern { Ok(Asked::Targets(text)) } else { published(&text).map(Box::new).map(Asked::Published) }
    }
}

/// Shows the variables.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let store = project::open_store(cx)?;
    let project = project_of(args, cx)?;
    let mut chains = project.as_ref().map_or(Ok(Vec::new()), |project| of_targets(project, &store, cx))?;
    chains.extend(of_references(args, project.as_ref().map(|project| &project.workspace.settings), &store, cx)?);
    let value = |name: &str| cx.environment.get(name).map(|value| value.to_string_lossy().into_owned());
    let rows = requirements::rows(&chains, &value).map_err(|wrong| contradicted(&wrong, project.as_ref()))?;
    let form = if cx.globals.json { Form::Json } else { args.output };
    env_report::write(&rows, form, &mut cx.out)?;
    store.finish()?;
    if args.check { judge(&rows) } else { Ok(()) }
}

/// The workspace, where anything of it is asked about.
fn project_of(args: &Args, cx: &Context) -> Result<Option<Project>, CliError> {
    let patterns: Vec<String> = args.asked.iter().filter_map(Asked::pattern).map(str::to_owned).collect();
    if patterns.is_empty() { Ok(None) } else { project::open(&patterns, cx).map(Some) }
}

fn of_targets(project: &Project, store: &Store, cx: &Context) -> Result<Vec<Vec<Link>>, CliError> {
    let mut selected = project.select_with_taken(store, cx)?;
    images::only_images(project, &mut selected, "asked what they require")?;
    let lowered = project.lower(&selected, store, cx)?;
    let remote = Remotes::new(project, cx)?;
    let reader = Reader { remote: &remote, store };
    let actions = selected.targets.iter().filter_map(|target| lowered.action(*target));
    let images = actions.flat_map(|action| lowered.graph.images_of(action));
    images.map(|image| chain(image, &lowered.graph, &reader)).collect()
}

/// An image and all that it stands on; a pulled base by its config.
fn chain(image: ActionId, graph: &ActionGraph, reader: &Reader<'_>) -> Result<Vec<Link>, CliError> {
    let (mut links, mut next) = (Vec::new(), Some(image));
    while let Some(id) = next.take() {
        let action = graph.get(id);
        let name = action.label.to_string();
        match &action.operation {
            Operation::Image(image) => {
                let sets = image.spec.env.iter().map(|(name, _)| name.clone()).collect();
                links.push(Link { name, requires: image.spec.requires.clone(), sets });
                next = image.base;
            }
            Operation::Pull(pull) => {
                let lost = || CliError::new(Exit::Bug, "a pulled base that is not locked was taken");
                let image = reader.image(&origin(pull).ok_or_else(lost)?, &pull.platform)?;
                links.push(link(name, &image.config)?);
            }
            Operation::Local(local) => {
                let Output::Image(image) = &local.output else { break };
                links.push(link(name, &reader.store.blobs().read_verified(&image.config.digest, image.config.size)?)?);
            }
            _ => {}
        }
    }
    Ok(links)
}

fn link(name: String, config: &[u8]) -> Result<Link, CliError> {
    let config = Config::parse(config).map_err(|error| CliError::usage(format!("{name}: {error}")))?;
    let unreadable = |error| CliError::usage(format!("{name}: its label {LABEL} can't be read: {error}"));
    Link::of_config(name.clone(), &config).map_err(unreadable)
}

fn of_references(
    args: &Args,
    settings: Option<&Settings>,
    store: &Store,
    cx: &Context,
) -> Result<Vec<Vec<Link>>, CliError> {
    let references: Vec<&Reference> = args.asked.iter().filter_map(Asked::reference).collect();
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let registries = settings.map(|settings| settings.registries.clone()).unwrap_or_default();
    let puller = Puller::new(registries::client(cx, &registries)?)?;
    let puller = || Ok(&puller);
    let inspector = Inspector::new(store, &puller);
    let platform = args.platform.clone().or_else(|| Some(settings?.platform.clone())).unwrap_or_default();
    let chain = |reference: &Reference| -> Result<Vec<Link>, CliError> {
        let found = inspector.published(reference, &platform)?;
        let config = found.image.map(|image| image.config).unwrap_or_default();
        Ok(vec![link(reference.to_string(), &config)?])
    };
    references.into_iter().map(chain).collect()
}

/// What an image says against a base of which only the label tells, underlined where the image says it.
fn contradicted(wrong: &[Contradiction], project: Option<&Project>) -> CliError {
    let Some(project) = project else { return CliError::new(Exit::Bug, "one image contradicts itself") };
    let diagnostic = |Contradiction { name, above, below, disagreement }: &Contradiction| {
        let part = disagreement.part;
        let error = Diagnostic::error(format!("{above} and {below} require `{name}` with another {part}"));
        let label = Label::parse(above, &project.here).ok();
        let target = label.and_then(|label| project.workspace.target(&label));
        let place = target.and_then(|target| target.attributes().map("requires").find(|entry| entry.key.value == name));
        let error = place.into_iter().fold(error, |error, entry| error.at(entry.key.span, "required here"));
        let (above, below_says) = (&disagreement.above, &disagreement.below);
        error.help(format!("the {part} is `{above}` here, and `{below_says}` in the label {LABEL} of {below}"))
    };
    project.diagnosed(Exit::Usage, &wrong.iter().map(diagnostic).collect::<Vec<_>>())
}

fn judge(rows: &[Row]) -> Result<(), CliError> {
    let missing: Vec<&str> = rows.iter().filter(|row| !row.is_filled()).map(|row| row.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message =
        format!("{} of {} variables have no fitting value: {}", missing.len(), rows.len(), missing.join(", "));
    Err(CliError::new(Exit::Partial, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_patterns_are_told_from_references() {
        for text in ["//a:b", ":b", "//a/...", "...", "a/...", " -//a:b"] {
            let asked = text.parse::<Asked>().unwrap();
            assert_eq!(asked, Asked::Targets(text.trim().to_owned()));
        }
        assert!(matches!("localhost:5000/a/b:1".parse::<Asked>(), Ok(Asked::Published(_))));
        assert!("a/b".parse::<Asked>().unwrap_err().contains("a label begins with"));
    }
}
