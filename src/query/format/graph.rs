//! Graphs as text: Graphviz' DOT language as Bazel writes it, and Mermaid.

use std::io::{self, Write};

use crate::query::graph::QueryGraph;
use crate::query::set::TargetSet;
use crate::query::subgraph::Subgraph;

/// How a graph is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// Whether targets that need the same, and that the same need, are one node.
    pub factored: bool,
    /// How many characters a node's text may have; `None`: any number.
    pub limit: Option<usize>,
}

/// `digraph mygraph { … }`.
pub fn dot(targets: &TargetSet, drawn: Drawn, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    let (nodes, edges) = nodes(targets, drawn, graph, "\\n");
    let quoted = |at: usize| format!("\"{}\"", nodes[at].replace('"', "\\\""));
    writeln!(to, "digraph mygraph {{\n  node [shape=box];")?;
    for (at, edges) in edges.iter().enumerate() {
        writeln!(to, "  {}", quoted(at))?;
        edges.iter().try_for_each(|dep| writeln!(to, "  {} -> {}", quoted(at), quoted(*dep as usize)))?;
    }
    writeln!(to, "}}")
}

/// `flowchart TD`, for Markdown pages that draw it.
pub fn mermaid(targets: &TargetSet, drawn: Drawn, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    let (nodes, edges) = nodes(targets, drawn, graph, "<br/>");
    writeln!(to, "flowchart TD")?;
    for (at, text) in nodes.iter().enumerate() {
        writeln!(to, "  n{at}[\"{}\"]", text.replace('"', "#quot;"))?;
    }
    for (at, edges) in edges.iter().enumerate() {
        edges.iter().try_for_each(|dep| writeln!(to, "  n{at} --> n{dep}"))?;
    }
    Ok(())
}

/// The text of each node, and what each needs.
fn nodes(targets: &TargetSet, drawn: Drawn, graph: &dyn QueryGraph, between: &str) -> (Vec<String>, Vec<Vec<u32>>) {
    let part = Subgraph::new(targets, graph);
    let (groups, edges) = if drawn.factored { part.factored() } else { part.single() };
    let text = |group: &Vec<u32>| {
        let labels: Vec<String> = group.iter().map(|id| graph.label(*id).replace('\\', "\\\\")).collect();
        limited(&labels, drawn.limit, between)
    };
    (groups.iter().map(text).collect(), edges)
}

/// As many labels as fit, the first in any case, and how many more there are.
fn limited(labels: &[String], limit: Option<usize>, between: &str) -> String {
    let mut length = 0;
    let fits = |label: &&String| {
        length += label.len() + between.len();
        limit.is_none_or(|limit| length <= limit)
    };
    let shown = labels.iter().take_while(fits).count().max(1).min(labels.len());
    let text = labels[..shown].join(between);
    match labels.len() - shown {
        0 => text,
        more => format!("{text}{between}...and {more} more items"),
    }
}
