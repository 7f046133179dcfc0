//! `query`: which targets an expression names, and how they hang together.

use super::context::Context;
use super::error::CliError;
use super::patterns;
use crate::exit::Exit;

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
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`query` is not wired yet"))
}
