//! Expression → targets: `deps(//a:b) - //base/...`, in Bazel's query language.
//!
//! Text goes through [`lexer`], [`parse`] and [`eval`], which asks a [`graph::QueryGraph`]; [`mod@format`] shows what comes
//! out. Knows neither the workspace nor the target graph: whoever asks brings a graph behind the trait.

pub mod ast;
pub mod error;
pub mod eval;
pub mod format;
pub mod functions;
pub mod graph;
pub mod lexer;
pub mod parse;
pub mod set;

pub use error::QueryError;
pub use graph::{Id, QueryGraph};
pub use set::TargetSet;

/// The targets that an expression names, in the graph's own order.
pub fn query(text: &str, graph: &dyn QueryGraph) -> Result<TargetSet, QueryError> {
    eval::evaluate(&parse::parse(text)?, graph)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
