//! `query`: which targets an expression names, and how they hang together.

use super::context::Context;
use super::error::CliError;
use super::patterns;
use crate::exit::Exit;
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
}

/// Evaluates the expression.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    // What is no query is said before anything is read.
    let _expression = parse(args, cx)?;
    Err(CliError::new(Exit::Bug, "`query` is not wired yet"))
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
    }
    Ok(())
}
