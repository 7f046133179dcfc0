//! `diagram`: the architecture of a workspace, its layers from top to bottom, as a picture.

use super::context::Context;
use super::error::CliError;
use super::patterns;
use super::picture::{self, Clusters};
use super::picture_form::{self, Flags, Form};
use super::queried;
use super::query_graph::Targets;
use crate::query;
use crate::query::eval::{self, Options};

/// Draw the architecture: the layers of the workspace from top to bottom, their images, and who consumes what
///
/// Only images are drawn, and what acts on the outside; layers of files between two images are an arrow. What flows
/// between containers is drawn where the workspace says it: a volume of one image that a variable of another leads into.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to draw, in the language of query
    #[arg(value_name = "EXPR", value_parser = patterns::read, default_value = "//...")]
    pub expression: String,
    /// What to make of it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
    /// Draw every target, layers and tests too
    #[arg(long)]
    pub all: bool,
    /// How wide the text is at most. Default: the terminal, at most 100
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub width: Option<u16>,
    /// What pictures show
    #[command(flatten)]
    pub picture: Flags,
}

/// The widest that text is drawn unasked: lines that go further are hard to read.
const WIDEST: usize = 100;

/// Draws it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let color = cx.err_style().color;
    let wrong = |error: &query::QueryError| CliError::query(error, &args.expression, color);
    let expression = query::parse::parse(&args.expression).map_err(|error| wrong(&error))?;
    let project = queried::open(&expression.patterns(), cx)?;
    let graph = project.graph()?;
    let targets = Targets::new(&graph, None);
    let all = ["//...".to_owned()];
    let options = Options { universe: &all, keep_going: false };
    let (picture, _) = queried::ask(&targets, &project.here, |graph| {
        let answer = eval::evaluate(&expression, graph, options).map_err(|error| wrong(&error))?;
        let look = args.picture.look(Clusters::Layer, !args.all, &project, cx)?;
        let facts = args.picture.facts(args.output, &project, cx)?;
        Ok(picture::of(&answer.found.targets, graph, &look, &facts))
    })?;
    let width = args.width.map_or_else(|| usize::from(cx.out.size().columns).min(WIDEST), usize::from);
    Ok(picture_form::write(args.output, &picture, width, &mut cx.out)?)
}
