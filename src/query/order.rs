//! In which order an answer is listed.

use super::graph::{Id, QueryGraph};
use super::set::Found;
use super::subgraph::Subgraph;
use super::walk;

/// An order of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// A path as it leads, all else by label.
    #[default]
    Auto,
    /// Any.
    None,
    /// What needs something before what it needs, of several by label first, circles aside.
    Dependencies,
}

/// The targets in an order.
pub fn ordered(found: &Found, graph: &dyn QueryGraph, order: Order) -> Vec<Id> {
    match (order, &found.path) {
        (Order::Auto, Some(path)) => path.clone(),
        (Order::Auto | Order::None, _) => found.targets.iter().collect(),
        (Order::Dependencies, _) => {
            let mut part = Subgraph::new(&found.targets, graph);
            // Backwards twice: so what comes first by label stays first, where it may.
            part.deps.iter_mut().for_each(|deps| deps.reverse());
            let starts = (0..part.ids.len() as u32).rev();
            walk::postorder(&part.deps, starts).into_iter().rev().map(|at| part.ids[at as usize]).collect()
        }
    }
}
