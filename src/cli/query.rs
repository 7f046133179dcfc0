//! `query`: which targets an expression names, and how they hang together.

use super::context::Context;
use super::error::CliError;
use super::query_graph::Targets;
use super::{patterns, project};
use crate::pattern::TargetPattern;
use crate::query::ast::Expr;
use crate::query::{self, QueryGraph};

/// List the targets that an expression names: labels, patterns, deps(…), rdeps(…), set operators
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Such as 'deps(//a:b) - //base/...'
    #[arg(value_name = "EXPR", value_parser = patterns::read)]
    pub expression: String,
    /// How to show them
    #[arg(long, value_enum, default_value_t = Output::Label)]
    pub output: Output,
}

/// How targets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One label a line, sorted.
    Label,
    /// A graph in Graphviz' DOT language.
    Graph,
    /// Each as TOML, with the rule that made it and the places.
    Build,
}

/// Evaluates the expression.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    // What is no query is said before anything is read.
    let expression = parse(args, cx)?;
    let project = project::open_with(cx, |here| {
        // A word that is no pattern is reported where it stands, once the query is evaluated.
        let patterns = expression.patterns().into_iter().filter_map(|text| TargetPattern::parse(text, here).ok());
        Ok(patterns.collect())
    })?;
    let graph = project.graph()?;
    project.show_findings();
    answer(args, &expression, &Targets::new(&graph, &project.here), cx)
}

/// The expression as a tree.
fn parse(args: &Args, cx: &Context) -> Result<Expr, CliError> {
    let color = cx.err_style().color;
    query::parse::parse(&args.expression).map_err(|error| CliError::query(&error, &args.expression, color))
}

/// Asks a graph, and writes the answer.
pub fn answer(args: &Args, expression: &Expr, graph: &dyn QueryGraph, cx: &mut Context) -> Result<(), CliError> {
    let color = cx.err_style().color;
    let targets =
        query::eval::evaluate(expression, graph).map_err(|error| CliError::query(&error, &args.expression, color))?;
    match args.output {
        Output::Label => query::format::label(&targets, graph, &mut cx.out)?,
        Output::Graph => query::format::graph(&targets, graph, &mut cx.out)?,
        Output::Build => query::format::build(&targets, graph, &mut cx.out)?,
    }
    Ok(())
}
