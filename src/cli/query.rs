//! `query`: which targets an expression names, and how they hang together.
//!
//! From a graph that was kept, where nothing has changed since; else the workspace is read as far as the expression
//! reaches.

use camino::Utf8PathBuf;

use super::context::Context;
use super::error::CliError;
use super::patterns;
use super::picture::{self, Clusters};
use super::picture_form::{self, Form};
use super::project::{Project, has_errors};
use super::queried;
use super::query_graph::Targets;
use super::query_kept::{self, Place};
use super::query_output::Show;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::graph::TargetGraph;
use crate::label::PackagePath;
use crate::pattern::{Scope, TargetPattern};
use crate::query::ast::Expr;
use crate::query::eval::{self, Answer, Options};
use crate::query::functions::ALLRDEPS;
use crate::query::known::Known;
use crate::query::packed::Packed;
use crate::query::{self, QueryError, QueryGraph, TargetSet, files};
use crate::store::Store;
use crate::workspace::globs::SourceTree;

/// List the targets that an expression names: labels, patterns, deps(…), rdeps(…), somepath(…), kind(…), set operators
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Such as 'deps(//a:b) - //base/...'
    #[arg(value_name = "EXPR", value_parser = patterns::read, required_unless_present = "query_file")]
    pub expression: Option<String>,
    /// Take the expression from a file
    #[arg(long, alias = "query_file", value_name = "FILE", conflicts_with = "expression")]
    pub query_file: Option<Utf8PathBuf>,
    /// How to show them
    #[command(flatten)]
    pub show: Show,
    /// The patterns that allrdeps looks in, with commas between them
    #[arg(long, alias = "universe_scope", value_name = "PATTERNS", value_delimiter = ',', default_value = "//...")]
    pub universe_scope: Vec<String>,
}

/// A query, parsed.
struct Asked<'a> {
    args: &'a Args,
    text: String,
    expression: Expr,
}

/// Evaluates the expression.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    // What is no query is said before anything is read.
    let asked = Asked::new(args, cx)?;
    let files = files::matter(&asked.expression, args.show.files()) || args.show.tells_files();
    let words = asked.words();
    let place = Place::new(&words, files, cx).filter(|_| !asked.wants_details());
    let store = place.as_ref().and_then(|_| query_kept::store(cx));
    if let (Some(place), Some(store)) = (&place, &store)
        && asked.answer_from_kept(place, store, cx)?
    {
        return Ok(());
    }
    let project = queried::open(&words, cx)?;
    // A glob may hold what git says.
    let project = if files { project.stamped_as_far_as_known() } else { project };
    let (packed, whole) = asked.answer_from_workspace(&project, files, cx)?;
    if let (Some(place), Some(store), true) = (&place, &store, whole && !project.asked_git()) {
        place.keep(&packed, project, store);
    }
    Ok(())
}

impl<'a> Asked<'a> {
    fn new(args: &'a Args, cx: &Context) -> Result<Asked<'a>, CliError> {
        let text = match (&args.expression, &args.query_file) {
            (Some(expression), _) => expression.clone(),
            (None, Some(file)) => read(file, cx)?,
            (None, None) => String::new(),
        };
        let color = cx.err_style().color;
        let parsed = query::parse::parse(&text);
        let expression = parsed.map_err(|error| CliError::query(&error, &text, color))?;
        Ok(Asked { args, text, expression })
    }

    /// All labels and patterns that it names.
    fn words(&self) -> Vec<&str> {
        let universe = self.args.universe_scope.iter().filter(|_| self.expression.calls(ALLRDEPS));
        self.expression.patterns().into_iter().chain(universe.map(String::as_str)).collect()
    }

    /// Whether it asks for what no packed graph holds.
    fn wants_details(&self) -> bool {
        self.args.show.form().is_some() || self.args.show.output.shows_details() || self.expression.calls("attr")
    }

    /// Answers from a graph that was kept; `false` where there is none, or it lacks something, so that the workspace has
    /// to be asked.
    fn answer_from_kept(&self, place: &Place, store: &Store, cx: &mut Context) -> Result<bool, CliError> {
        for kept in place.kept(store) {
            let Some((here, bytes)) = place.graph(&kept) else { continue };
            let Some(packed) = Packed::read(bytes) else { continue };
            let graph = Known::new(&packed, &here, None);
            if let Ok(answer) = self.evaluate(&graph, false) {
                self.args.show.write(answer.found, &graph, &mut cx.out)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers from the workspace. Gives the packed graph, and whether nothing was wrong, so that it may be kept.
    fn answer_from_workspace(
        &self,
        project: &Project,
        files: bool,
        cx: &mut Context,
    ) -> Result<(Vec<u8>, bool), CliError> {
        let (graph, mistakes) = project.shape();
        self.judge(&mistakes, project, cx)?;
        let named = !files && self.words().iter().any(|word| may_be_file(word, &graph, &project.here));
        let tree = SourceTree::new(project.root(), vec![cx.globals.cache_dir.clone()], &project.observed);
        let targets = Targets::new(&graph, (files || named).then_some(&tree));
        self.judge(targets.unread(), project, cx)?;
        let color = cx.err_style().color;
        let (told, bytes) = queried::ask(&targets, &project.here, |graph| {
            let answer = self.evaluate(graph, cx.globals.keep_going);
            let Answer { found, told } = answer.map_err(|error| CliError::query(&error, &self.text, color))?;
            match self.args.show.form() {
                Some(form) => self.draw(form, &found.targets, graph, project, cx)?,
                None => self.args.show.write(found, graph, &mut cx.out)?,
            }
            Ok(told)
        })?;
        if has_errors(&mistakes) || has_errors(targets.unread()) || !told.is_empty() {
            let told = told.iter().map(|error| error.render(&self.text, color)).collect();
            return Err(CliError::diagnosed(Exit::Partial, told));
        }
        Ok((bytes, mistakes.is_empty() && !named))
    }

    /// Tells of mistakes; they end the query unless it may go on with what is left.
    fn judge(&self, mistakes: &[Diagnostic], project: &Project, cx: &Context) -> Result<(), CliError> {
        if has_errors(mistakes) && !cx.globals.keep_going {
            return Err(project.diagnosed(Exit::Usage, mistakes));
        }
        project.warn(mistakes);
        Ok(())
    }

    fn draw(
        &self,
        form: Form,
        found: &TargetSet,
        graph: &dyn QueryGraph,
        project: &Project,
        cx: &mut Context,
    ) -> Result<(), CliError> {
        let found = self.args.show.drawn(found, graph);
        let flags = &self.args.show.picture;
        let look = flags.look(Clusters::Package, false, project, cx)?;
        let facts = flags.facts(form, project, cx)?;
        let picture = picture::of(&found, graph, &look, &facts);
        Ok(picture_form::write(form, &picture, cx.out.size().columns.into(), &mut cx.out)?)
    }

    fn evaluate(&self, graph: &dyn QueryGraph, keep_going: bool) -> Result<Answer, QueryError> {
        eval::evaluate(&self.expression, graph, Options { universe: &self.args.universe_scope, keep_going })
    }
}

fn read(file: &Utf8PathBuf, cx: &Context) -> Result<String, CliError> {
    let path = cx.path(file);
    std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => CliError::usage(format!("{file} is not UTF-8")),
        std::io::ErrorKind::NotFound => CliError::usage(format!("there is no file {file}")),
        _ => CliError::io(format!("cannot read {file}"), &error),
    })
}

/// Whether a word names no target, so that it can only be that of a file.
fn may_be_file(word: &str, graph: &TargetGraph<'_>, here: &PackagePath) -> bool {
    match TargetPattern::parse(word, here).map(|pattern| pattern.scope) {
        Ok(Scope::Target(label)) => graph.id(&label).is_none(),
        Ok(Scope::FirstOf(labels)) => labels.iter().all(|label| graph.id(label).is_none()),
        Ok(_) => false,
        Err(_) => true,
    }
}
