//! `registry ls`: repositories, tags, digests and sizes of the workspace's registry, and which target each one is.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::project;
use super::registries::{client, without_mirrors};
use crate::event::{Event, Listener};
use crate::exit::Exit;
use crate::label::Label;
use crate::pattern::TargetPattern;
use crate::reference::{Registry, RegistryBase, Repository, RepositoryPath};
use crate::registry::{ClientConfig, Puller, RegistryError, Survey, Surveyed, survey};
use crate::ui::table::{Align, Table};
use crate::ui::text::size;
use crate::workspace::registries::Registries;
use crate::workspace::root::find_root;

/// List repositories, tags, digests and sizes of the workspace's registry, and the target that each one is
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only the repository PREFIX and those below it, as seen from the workspace's registry
    #[arg(value_name = "PREFIX")]
    pub prefix: Option<String>,
}

/// Lists what is published.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let Published { base, targets, client } = published(cx)?;
    let below = below(&base, args.prefix.as_deref())?;
    let puller = Puller::new(without_mirrors(client, &base.registry))?;
    let listener = cx.listener();
    let survey = look(&puller, &base, below.as_ref(), &targets, &*listener)?;
    for failure in &survey.failures {
        listener.event(Event::Warning(failure.to_string()));
    }
    drop(listener);
    match cx.globals.json {
        true => lines(&survey, &targets, cx)?,
        false => table(&survey, &targets).write(&mut cx.out)?,
    }
    let asked = below.filter(|_| args.prefix.is_some());
    verdict(&survey, &base.registry, asked.as_ref())
}

/// Whether all was read, and whether there was something where a prefix was given.
fn verdict(survey: &Survey, registry: &Registry, asked: Option<&RepositoryPath>) -> Result<(), CliError> {
    let failures = survey.failures.len();
    if failures > 0 {
        return Err(CliError::new(Exit::Partial, format!("{failures} of what `{registry}` lists could not be read")));
    }
    match asked.filter(|_| survey.tags.is_empty() && survey.untagged.is_empty()) {
        Some(below) => Err(CliError::new(Exit::NothingMatched, format!("`{registry}` has no repository `{below}`"))),
        None => Ok(()),
    }
}

/// Repositories of the workspace's images, by path.
type Targets = BTreeMap<RepositoryPath, Label>;

/// Where a workspace publishes, what, and how its registry is talked to.
struct Published {
    base: RegistryBase,
    targets: Targets,
    client: ClientConfig,
}

/// Outside of a workspace, `--registry` says where, and nothing there is a target.
fn published(cx: &Context) -> Result<Published, CliError> {
    if let (Some(registry), Err(_)) = (&cx.globals.registry, find_root(cx.directory())) {
        let base = registry.parse().map_err(|error| CliError::usage(format!("registry: {error}")))?;
        return Ok(Published { base, targets: Targets::new(), client: client(cx, &Registries::default())? });
    }
    let project = project::open_with(cx, |here| Ok(TargetPattern::parse("//...", here).into_iter().collect()))?;
    let base = project.registry(cx)?;
    let graph = project.graph()?;
    let images = graph.ids().map(|id| graph.target(id)).filter(|target| target.rule.purpose.is_published());
    let ours = images.filter(|target| target.label.package.external().is_none());
    let labels = ours.map(|target| target.label.clone());
    // An image whose name is no repository's is not published.
    let targets = labels.filter_map(|label| Some((base.repository(&label).ok()?.path, label))).collect();
    Ok(Published { base, targets, client: client(cx, &project.workspace.settings.registries)? })
}

/// The repository that is listed with all below it; `None`: the whole registry.
fn below(base: &RegistryBase, prefix: Option<&str>) -> Result<Option<RepositoryPath>, CliError> {
    let written = prefix.map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty());
    let parts: Vec<&str> = base.prefix.as_ref().map(RepositoryPath::as_str).into_iter().chain(written).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    parts.join("/").parse().map(Some).map_err(|error| CliError::usage(format!("prefix: {error}")))
}

fn is_below(path: &RepositoryPath, below: Option<&RepositoryPath>) -> bool {
    let Some(below) = below else { return true };
    path.as_str().strip_prefix(below.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every tag below a repository.
fn look(
    puller: &Puller,
    base: &RegistryBase,
    below: Option<&RepositoryPath>,
    targets: &Targets,
    listener: &dyn Listener,
) -> Result<Survey, CliError> {
    let (registry, mut paths) = match listed(puller, base, targets) {
        Ok(listed) => listed,
        Err(error) if is_refusal(&error) => {
            let text = format!(
                "{} does not list its repositories, so only those of this workspace are looked at: {error}",
                base.registry
            );
            listener.event(Event::Warning(text));
            (base.registry.clone(), targets.keys().cloned().collect())
        }
        Err(error) => return Err(error.into()),
    };
    paths.retain(|path| is_below(path, below));
    paths.sort();
    let repositories: Vec<Repository> =
        paths.into_iter().map(|path| Repository { registry: registry.clone(), path }).collect();
    Ok(survey(puller, &repositories)?)
}

fn listed(
    puller: &Puller,
    base: &RegistryBase,
    targets: &Targets,
) -> Result<(Registry, Vec<RepositoryPath>), RegistryError> {
    // Whoever may push here asks; a workspace without images asks as whoever the registry's own credentials are of.
    let like = targets.keys().next().or(base.prefix.as_ref()).cloned();
    let like = like.unwrap_or_else(|| "catalog".parse().expect("`catalog` is a repository's path"));
    let (registry, names) = puller.repositories(&base.registry, &like)?;
    // A name that is no repository's can't be asked about.
    Ok((registry, names.iter().filter_map(|name| name.parse().ok()).collect()))
}

/// Whether a registry that works doesn't list its repositories, or not to us.
fn is_refusal(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unauthorized { .. } | RegistryError::Denied { .. } | RegistryError::Missing { .. } => true,
        RegistryError::Status { status, .. } => matches!(status, 400..=499),
        _ => false,
    }
}

/// Repository, tag, digest, size, target. What is not there is a dash.
fn table(survey: &Survey, targets: &Targets) -> Table<5> {
    let mut table = Table::new([Align::Left, Align::Left, Align::Left, Align::Right, Align::Left]);
    let target = |repository: &Repository| targets.get(&repository.path).map_or("-".to_owned(), Label::to_string);
    for found in &survey.tags {
        let Surveyed { repository, tag, digest, size: bytes, .. } = found;
        table.row([repository.to_string(), tag.to_string(), digest.to_string(), size(*bytes), target(repository)]);
    }
    for repository in &survey.untagged {
        let none = || "-".to_owned();
        table.row([repository.to_string(), none(), none(), none(), target(repository)]);
    }
    table
}

/// One object a tag: `registry`, `repository`, `tag`, `digest`, `media_type`, `size` in bytes, `target`; null for what is not there.
fn lines(survey: &Survey, targets: &Targets, cx: &mut Context) -> Result<(), CliError> {
    let target = |repository: &Repository| targets.get(&repository.path).map(Label::to_string);
    for found in &survey.tags {
        let Surveyed { repository, tag, digest, media_type, size } = found;
        let object = json!({
            "registry": repository.registry.to_string(), "repository": repository.path.as_str(), "tag": tag.as_str(),
            "digest": digest.to_string(), "media_type": media_type, "size": size, "target": target(repository),
        });
        writeln!(cx.out, "{object}")?;
    }
    for repository in &survey.untagged {
        let object = json!({
            "registry": repository.registry.to_string(), "repository": repository.path.as_str(), "tag": null,
            "digest": null, "media_type": null, "size": null, "target": target(repository),
        });
        writeln!(cx.out, "{object}")?;
    }
    Ok(())
}
