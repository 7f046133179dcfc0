//! Targets as text: a list of labels, a graph in Graphviz' DOT language, or as they would be written. Writes to whatever
//! it is given.

use std::io::{self, Write};

use super::graph::{Id, QueryGraph};
use super::set::TargetSet;

/// One label a line, sorted.
pub fn label(targets: &TargetSet, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    sorted(targets.iter(), graph).iter().try_for_each(|(label, _)| writeln!(to, "{label}"))
}

/// Each as it would be written, in the order of their labels, with an empty line between them; Bazel's `--output=build`.
pub fn build(targets: &TargetSet, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    for (index, (_, id)) in sorted(targets.iter(), graph).into_iter().enumerate() {
        let between = if index == 0 { "" } else { "\n" };
        write!(to, "{between}{}", graph.written(id))?;
    }
    Ok(())
}

/// `digraph mygraph { … }` with the edges between the targets, sorted; Bazel's `--nograph:factored`.
pub fn graph(targets: &TargetSet, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "digraph mygraph {{\n  node [shape=box];")?;
    for (label, id) in sorted(targets.iter(), graph) {
        writeln!(to, "  {}", quoted(&label))?;
        let inner = graph.deps(id).iter().copied().filter(|dep| targets.contains(*dep));
        for (dep, _) in sorted(inner, graph) {
            writeln!(to, "  {} -> {}", quoted(&label), quoted(&dep))?;
        }
    }
    writeln!(to, "}}")
}

fn sorted(ids: impl Iterator<Item = Id>, graph: &dyn QueryGraph) -> Vec<(String, Id)> {
    let mut labelled: Vec<(String, Id)> = ids.map(|id| (graph.label(id), id)).collect();
    labelled.sort_unstable();
    labelled.dedup();
    labelled
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
