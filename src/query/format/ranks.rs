//! Targets by how many steps they are away from what nothing needs: `0 //a:b`.

use std::io::{self, Write};

use crate::query::graph::QueryGraph;
use crate::query::set::TargetSet;
use crate::query::subgraph::Subgraph;

/// Rank and label a line, the lowest rank first. `longest`: by the longest way, else by the shortest.
pub fn ranks(targets: &TargetSet, longest: bool, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    let part = Subgraph::new(targets, graph);
    let mut ranked: Vec<(u32, u32)> = part.ranks(longest).into_iter().zip(part.ids.iter().copied()).collect();
    ranked.sort_unstable();
    ranked.into_iter().try_for_each(|(rank, id)| writeln!(to, "{rank} {}", graph.label(id)))
}
