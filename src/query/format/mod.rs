//! Targets as text, one file a family of forms. Each writes to whatever it is given.

mod graph;
mod json;
mod lists;
mod ranks;

use std::io::{self, Write};

use super::graph::{Id, QueryGraph};

pub use graph::{Drawn, dot, mermaid};
pub use json::{json, jsonl};
pub use lists::{build, label, label_kind, location, package};
pub use ranks::ranks;

/// Writes targets in their order.
pub type Format = fn(&[Id], &dyn QueryGraph, &mut dyn Write) -> io::Result<()>;
