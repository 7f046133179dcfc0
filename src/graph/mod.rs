//! Workspace → TargetGraph: targets as nodes, label-typed attributes as edges.
//!
//! `build` makes it: `resolve` finds what labels name, `cycle` draws circles, `suggest` words what is missing; `select`
//! picks what patterns mean. Knows no rule by name, and nothing of actions.

mod build;
mod cycle;
mod resolve;
mod select;
mod suggest;
mod target_graph;
#[cfg(test)]
mod testing;

pub use build::{build, shape};
pub use select::{SelectError, Selection};
pub use suggest::Missing;
pub use target_graph::{Dependency, TargetGraph, TargetId};
