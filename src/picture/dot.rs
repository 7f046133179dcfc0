//! A picture in Graphviz' DOT language.

use std::io::{self, Write};

use super::model::{Edge, Node, Picture, Role, Shape, Tone};

/// Writes `digraph … { … }`, clusters as subgraphs.
pub fn write(picture: &Picture, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "digraph {} {{", quoted(&picture.title))?;
    writeln!(to, "  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];")?;
    for (at, cluster) in picture.clusters.iter().enumerate() {
        let label =
            if cluster.doc.is_empty() { cluster.title.clone() } else { format!("{}\n{}", cluster.title, cluster.doc) };
        writeln!(to, "  subgraph cluster_{at} {{\n    label={};", quoted(&label))?;
        nodes(picture, Some(at), "    ", to)?;
        writeln!(to, "  }}")?;
    }
    nodes(picture, None, "  ", to)?;
    picture.edges.iter().try_for_each(|edge| one(edge, picture, to))?;
    writeln!(to, "}}")
}

fn nodes(picture: &Picture, cluster: Option<usize>, indent: &str, to: &mut dyn Write) -> io::Result<()> {
    for node in picture.nodes.iter().filter(|node| node.cluster == cluster) {
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

/// What is needed stands above, so that the arrow points from it to what needs it.
fn one(edge: &Edge, picture: &Picture, to: &mut dyn Write) -> io::Result<()> {
    let look = match edge.role {
        Role::Base => "penwidth=3",
        Role::Part => "penwidth=1",
        Role::Published => "style=dashed",
        Role::Checks => "style=dotted",
        Role::Flow => "style=bold, color=\"#0969da\", fontcolor=\"#0969da\"",
    };
    let text = if edge.text.is_empty() { String::new() } else { format!(", label={}", quoted(&edge.text)) };
    let (above, below) = (&picture.nodes[edge.to].id, &picture.nodes[edge.from].id);
    writeln!(to, "  {} -> {} [{look}{text}];", quoted(above), quoted(below))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
