//! Expression → targets: `deps(//a:b) - //base/...`, in Bazel's query language.
//!
//! Text goes through [`lexer`], [`parse`] and [`eval`], which asks a [`graph::QueryGraph`]; [`mod@format`] shows what comes
//! out. [`packed`] is such a graph as bytes, behind the trait with [`known`]. Knows neither the workspace nor the target
//! graph: whoever asks brings them.

pub mod ast;
pub mod error;
pub mod eval;
pub mod files;
pub mod format;
pub mod functions;
pub mod graph;
pub mod known;
pub mod lexer;
pub mod lineage;
pub mod order;
pub mod packed;
pub mod parse;
pub mod resolve;
pub mod set;
pub mod subgraph;
pub mod walk;

pub use error::QueryError;
pub use graph::{Id, QueryGraph};
pub use set::{Found, TargetSet};

/// The targets that an expression names.
pub fn query(text: &str, graph: &dyn QueryGraph) -> Result<Found, QueryError> {
    Ok(eval::evaluate(&parse::parse(text)?, graph, eval::Options::default())?.found)
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toy;
