//! A picture in Graphviz' DOT language.

use std::io::{self, Write};

use super::model::{Edge, Node, Picture, Role, Shape, Tone};

/// Writes `digraph … { … }`, clusters as subgraphs.
pub fn write(picture: &Picture, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "digraph {} {{", quoted(&picture.title))?;
    writeln!(to, "  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];")?;
    for (at, (cluster, members)) in picture.clusters.iter().zip(picture.members()).enumerate() {
        let label =
            if cluster.doc.is_empty() { cluster.title.clone() } else { format!("{}\n{}", cluster.title, cluster.doc) };
        writeln!(to, "  subgraph cluster_{at} {{\n    label={};", quoted(&label))?;
        nodes(picture, &members, "    ", to)?;
        writeln!(to, "  }}")?;
    }
    nodes(picture, &picture.outside(), "  ", to)?;
    picture.edges.iter().try_for_each(|edge| one(edge, picture, to))?;
    writeln!(to, "}}")
}

fn nodes(picture: &Picture, members: &[usize], indent: &str, to: &mut dyn Write) -> io::Result<()> {
    for node in members.iter().map(|at| &picture.nodes[*at]) {
        let state = node.state.as_ref().map_or_else(String::new, |(_, said)| format!("\n{said}"));
        let text = quoted(&format!("{}{state}", node.text));
        writeln!(to, "{indent}{} [label={text}{}];", quoted(&node.id), look(node))?;
    }
    Ok(())
}

fn look(node: &Node) -> String {
    let shape = match node.shape {
        Shape::Image => ", penwidth=2",
        Shape::Index => ", penwidth=2, peripheries=2",
        Shape::Pulled => ", style=dashed",
        Shape::Layer => ", style=rounded",
        Shape::Check => ", shape=hexagon",
        Shape::Effect => ", shape=cds",
        Shape::File => ", shape=note",
        Shape::Registry => ", shape=cylinder",
        Shape::Outside => ", shape=ellipse",
    };
    let colour = match node.state {
        Some((Tone::Good, _)) => ", color=\"#1a7f37\"",
        Some((Tone::Open, _)) => ", color=\"#9a6700\"",
        Some((Tone::Bad, _)) => ", color=\"#cf222e\"",
        Some((Tone::Unknown, _)) => ", color=\"#6e7781\"",
        None => "",
    };
    format!("{shape}{colour}")
}

/// An arrow shows what moves, so that what is needed stands above what needs it.
fn one(edge: &Edge, picture: &Picture, to: &mut dyn Write) -> io::Result<()> {
    let look = match edge.role {
        Role::Base => "penwidth=3",
        Role::Part => "penwidth=1",
        Role::Published => "style=dashed",
        Role::Checks => "style=dotted",
        Role::Flow => "style=bold, color=\"#0969da\", fontcolor=\"#0969da\"",
        Role::Data => "style=bold, color=\"#bc4c00\", fontcolor=\"#bc4c00\"",
    };
    let text = if edge.text.is_empty() { String::new() } else { format!(", label={}", quoted(&edge.text)) };
    let (start, end) = picture.arrow(edge);
    let [start, end] = [start, end].map(|at| quoted(&picture.nodes[at].id));
    writeln!(to, "  {start} -> {end} [{look}{text}];")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_from_what_is_needed_and_to_the_registry_that_is_pushed_to() {
        let node = |id: &str, shape| Node { id: id.into(), text: id.into(), shape, ..Node::default() };
        let edge = |from, to, role| Edge { from, to, role, text: String::new() };
        let picture = Picture {
            title: "x".into(),
            nodes: vec![node("base", Shape::Pulled), node("a \"b\"", Shape::Image), node("registry", Shape::Registry)],
            edges: vec![edge(1, 0, Role::Base), edge(0, 2, Role::Published), edge(1, 2, Role::Published)],
            clusters: Vec::new(),
        };
        let mut bytes = Vec::new();
        write(&picture, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for line in ["\"base\" -> \"a \\\"b\\\"\"", "\"registry\" -> \"base\"", "\"a \\\"b\\\"\" -> \"registry\""] {
            assert!(text.contains(line), "{line}:\n{text}");
        }
    }
}
