//! `config`: the workspace as profile, local file and call leave it, and where each value comes from.
//!
//! Reads what is declared, and no source.

use std::collections::BTreeMap;

use super::as_built;
use super::config_rows::{Row, Rows, Section};
use super::config_text::{as_json, as_toml};
use super::context::Context;
use super::error::CliError;
use super::global::Globals;
use super::patterns;
use super::project::{self, Project};
use crate::exit::Exit;
use crate::graph::{SelectError, TargetGraph};
use crate::workspace::Target;
use crate::workspace::origin::line;
use crate::workspace::overlays::LOCAL_FILE;
use crate::workspace::settings::Settings;

/// Print the settings, variables and targets as profile, local file and flags leave them, and where each comes from
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose attributes are shown too: labels and patterns
    #[arg(value_name = "PATTERN", value_parser = patterns::read)]
    pub patterns: Vec<String>,
    /// How to show it; --json is short for json
    #[arg(long, value_enum, default_value_t = Output::Toml)]
    pub output: Output,
}

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// TOML, each value with a comment.
    Toml,
    /// One object.
    Json,
}

/// Prints it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open_unstamped(&args.patterns, cx)?;
    let graph = project.graph()?;
    let rows = Rows::new(&project);
    let mut sections = vec![rows.settings(&flags(cx)), rows.vars(), rows.paths()];
    sections.extend(rows.tables());
    sections.extend(targets(&graph, &project, &rows, cx)?);
    let settings = &project.workspace.settings;
    match args.output {
        Output::Toml if !cx.globals.json => as_toml(&head(&project, cx), &sections, &mut cx.out),
        _ => as_json(settings, &sections, &mut cx.out),
    }
}

/// What flags and their twins say, by the setting's name.
fn flags(cx: &Context) -> BTreeMap<&'static str, Row> {
    let Globals { profile, registry, cache_from, cache_to, .. } = &cx.globals;
    let texts = |of: &[String]| toml::Value::from(of.to_vec());
    let from: Vec<String> = cache_from.iter().map(ToString::to_string).collect();
    let said = [
        ("profile", profile.as_ref().map(|name| name.as_str().into()), "--profile or LAYERBUILD_PROFILE"),
        ("registry", registry.as_ref().map(|text| text.as_str().into()), "--registry or LAYERBUILD_REGISTRY"),
        ("cache-from", (!from.is_empty()).then(|| texts(&from)), "--cache-from or LAYERBUILD_CACHE_FROM"),
        ("cache-to", cache_to.as_ref().map(|to| to.to_string().into()), "--cache-to or LAYERBUILD_CACHE_TO"),
    ];
    let row = |(key, value, from): (&'static str, Option<toml::Value>, &str)| Some((key, Row::new(key, value?, from)));
    said.into_iter().filter_map(row).collect()
}

fn targets(
    graph: &TargetGraph<'_>,
    project: &Project,
    rows: &Rows<'_>,
    cx: &Context,
) -> Result<Vec<Section>, CliError> {
    let selection = graph.select(&project.patterns).map_err(|errors| {
        let diagnostics: Vec<_> = errors.iter().map(SelectError::diagnostic).collect();
        let empty = errors.iter().all(|error| matches!(error, SelectError::NothingBeneath { .. }));
        project.diagnosed(if empty { Exit::NothingMatched } else { Exit::Usage }, &diagnostics)
    })?;
    let targets = selection.targets.iter().map(|id| graph.target(*id));
    targets.map(|target| described(target, project, rows, cx)).collect()
}

/// A target's attributes; of one that is taken as it was built here, what that is.
fn described(target: &Target, project: &Project, rows: &Rows<'_>, cx: &Context) -> Result<Section, CliError> {
    let mut section = rows.target(target);
    if target.local
        && let Some(note) = as_built::note(target, project, &project::open_store(cx)?)?
    {
        section.note = format!("{}; {note}", section.note);
    }
    Ok(section)
}

/// Which profile and files were read, as sentences.
fn head(project: &Project, cx: &Context) -> Vec<String> {
    let settings = &project.workspace.settings;
    let mut lines = vec![profile(project, settings, cx)];
    if settings.local {
        lines.push(format!("{LOCAL_FILE} is read"));
    }
    if cx.globals.no_local && project.root().join(LOCAL_FILE).exists() {
        lines.push(format!("{LOCAL_FILE} is left out"));
    }
    lines
}

fn profile(project: &Project, settings: &Settings, cx: &Context) -> String {
    let Some((name, inherited)) = settings.chain.split_first() else {
        return "no profile".to_owned();
    };
    let from = match settings.said.get("profile") {
        Some(said) if cx.globals.profile.is_none() => line(&project.workspace.sources, said.value.span),
        _ => "--profile or LAYERBUILD_PROFILE".to_owned(),
    };
    let inherits = inherited.iter().map(|name| format!(" ← {name}")).collect::<String>();
    format!("profile {name}{inherits} ({from})")
}
