//! `affected`: the targets that are made of something else than at a git revision. Builds nothing, checks nothing out.

use std::sync::Arc;

use camino::Utf8Path;

use super::affected_sides::{self as sides, Sides};
use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use super::project::{self, Project};
use super::{images, patterns};
use crate::event::Event;
use crate::exit::Exit;
use crate::ui::affected_report::{self as report, Row};
use crate::workspace::commits::{self, CommitError};
use crate::workspace::git::{Git, GitError};
use crate::workspace::revision::Revision;

/// List the targets that are made of something else than at a git revision, which need not be checked out, and why
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Labels and patterns; default: //...
    #[arg(value_name = "PATTERN", value_parser = patterns::read)]
    pub patterns: Vec<String>,
    /// The revision to compare with, such as origin/main or HEAD~1
    #[arg(long, value_name = "REV")]
    pub since: String,
    /// Another revision instead of what is on disk, uncommitted changes included
    #[arg(long, value_name = "REV")]
    pub until: Option<String>,
    /// Compare with the newest commit that REV and HEAD (or --until) have in common: what REV got since is left out
    #[arg(long)]
    pub merge_base: bool,
    /// Only targets of a kind; default: all
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Leave out those of which the caches know that they come out the same
    #[arg(long)]
    pub prune: bool,
    /// List the targets that only REV has instead
    #[arg(long, conflicts_with = "prune")]
    pub deleted: bool,
    /// How to show them. Default: label; on a terminal: table; with --json: json
    #[arg(long, value_enum)]
    pub output: Option<Output>,
}

/// Which targets are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// What `build //...` builds: all but tests.
    Buildable,
    /// What `check` runs: image tests.
    Check,
    /// What `push` publishes: images and indexes.
    Image,
    /// Layers.
    Layer,
    /// Somebody else's images.
    Base,
}

/// How targets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Output {
    /// One label a line, sorted.
    Label,
    /// `RULE rule LABEL` a line.
    LabelKind,
    /// Label and cause.
    Table,
    /// An array of objects, deleted targets among them.
    Json,
    /// An object a line.
    Jsonl,
}

impl Kind {
    fn takes(self, row: &Row) -> bool {
        match self {
            Kind::Buildable => row.kind != sides::CHECK,
            Kind::Check => row.kind == sides::CHECK,
            Kind::Image => row.kind == sides::IMAGE,
            Kind::Layer => row.kind == sides::LAYER,
            Kind::Base => row.kind == sides::BASE,
        }
    }
}

/// Compares, and lists.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    // The developer's own file is in no revision.
    cx.globals.no_local = true;
    let root = project::root(cx)?;
    let since = Since::of(args, &root, cx)?;
    let everything = ["//...".to_owned()];
    let texts = if args.patterns.is_empty() { &everything[..] } else { &args.patterns };
    let now = now(args, &root, texts, cx)?;
    let mut selected = now.select(cx)?;
    images::only_here(&now, &mut selected)?;
    let store = project::open_store(cx)?;
    let lowered = now.lower(&selected, &store, cx)?;
    let revision = Arc::new(Revision::open(&root, &since.commit, git(&root, cx)).map_err(|error| refused(&error))?);
    let then = project::open_at(Arc::clone(&revision), git(&root, cx).at(&since.commit), texts, cx)?;
    let sides =
        Sides { now: &now, selected: &selected, lowered: &lowered, then: &then, revision: &revision, store: &store };
    let listener = cx.listener();
    let warn = |text: String| listener.event(Event::Warning(text));
    let rows = sides.compare(&since.commit, args.prune, &warn, cx)?;
    drop(listener);
    show(args, rows, (selected.targets.len(), &since), cx)?;
    Ok(store.finish()?)
}

fn git(root: &Utf8Path, cx: &Context) -> Git {
    Git::new(root, cx.environment.iter().collect())
}

/// What is compared: on disk, or at `--until`.
fn now(args: &Args, root: &Utf8Path, texts: &[String], cx: &Context) -> Result<Project, CliError> {
    let Some(until) = &args.until else { return project::open(texts, cx) };
    let commit = commits::find(until, &git(root, cx)).map_err(|error| unknown(&error))?;
    let revision = Revision::open(root, &commit, git(root, cx)).map_err(|error| refused(&error))?;
    project::open_at(Arc::new(revision), git(root, cx).at(&commit), texts, cx)
}

/// What is compared with.
struct Since {
    commit: String,
    /// As people call it.
    name: String,
}

impl Since {
    fn of(args: &Args, root: &Utf8Path, cx: &Context) -> Result<Since, CliError> {
        let git = git(root, cx);
        let until = args.until.as_deref().unwrap_or("HEAD");
        let (found, name) = match args.merge_base {
            true => (commits::merge_base(&args.since, until, &git), format!("{until} left {}", args.since)),
            false => (commits::find(&args.since, &git), args.since.clone()),
        };
        let commit = found.map_err(|error| unknown(&error))?;
        let short: String = commit.chars().take(12).collect();
        Ok(Since { name: format!("{name} ({short})"), commit })
    }
}

fn unknown(error: &CommitError) -> CliError {
    if let CommitError::Git(error) = error {
        return refused(error);
    }
    error.hints().into_iter().fold(CliError::usage(error.to_string()), CliError::hint)
}

fn refused(error: &GitError) -> CliError {
    let exit = match error {
        GitError::Missing(_) | GitError::Refused(_) => Exit::Environment,
        _ => Exit::Usage,
    };
    let hint = match error {
        GitError::Missing(_) => "install git: `affected` reads its objects",
        GitError::NoRepository => "`affected` compares with a revision of git's: run it in a clone",
        _ => error.hint(),
    };
    CliError::new(exit, error.to_string()).hint(hint)
}

fn show(args: &Args, mut rows: Vec<Row>, (all, since): (usize, &Since), cx: &mut Context) -> Result<(), CliError> {
    rows.retain(|row| args.kind.is_none_or(|kind| kind.takes(row)));
    let is_gone = |row: &Row| row.status == sides::DELETED;
    let deleted = rows.iter().filter(|row| is_gone(row)).count();
    tell(rows.len() - deleted, deleted, (all, since), cx);
    let usual = match cx.out.is_terminal() {
        _ if cx.globals.json => Output::Json,
        true => Output::Table,
        false => Output::Label,
    };
    let output = args.output.unwrap_or(usual);
    match output {
        _ if args.deleted => rows.retain(is_gone),
        Output::Json | Output::Jsonl => {}
        _ => rows.retain(|row| !is_gone(row)),
    }
    if cx.globals.verbosity == Verbosity::Verbose && matches!(output, Output::Label | Output::LabelKind) {
        rows.iter().for_each(|row| cx.err.line(&format!("{}: {}", row.label, row.sentence())));
    }
    match output {
        Output::Label => report::labels(&rows, &mut cx.out)?,
        Output::LabelKind => report::label_kinds(&rows, &mut cx.out)?,
        Output::Table => report::table(&rows, &mut cx.out)?,
        Output::Json => report::json(&rows, &mut cx.out)?,
        Output::Jsonl => report::json_lines(&rows, &mut cx.out)?,
    }
    Ok(())
}

fn tell(affected: usize, deleted: usize, (all, since): (usize, &Since), cx: &Context) {
    if cx.globals.json || cx.globals.verbosity == Verbosity::Quiet {
        return;
    }
    let gone = if deleted > 0 { format!(", {deleted} deleted") } else { String::new() };
    cx.err.line(&format!("{affected} of {all} targets affected since {}{gone}", since.name));
}
