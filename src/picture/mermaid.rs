//! A picture in Mermaid, which Markdown pages draw.

use std::io::{self, Write};

use super::model::{Edge, Node, Picture, Role, Shape};

const STYLES: &str = "  classDef image stroke-width:3px
  classDef pulled stroke-dasharray:4
  classDef good stroke:#1a7f37
  classDef open stroke:#9a6700
  classDef bad stroke:#cf222e
  classDef unknown stroke:#6e7781
";

/// Writes `flowchart TB`, clusters as subgraphs.
pub fn write(picture: &Picture, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "flowchart TB")?;
    for (at, (cluster, members)) in picture.clusters.iter().zip(picture.members()).enumerate() {
        let doc = if cluster.doc.is_empty() { String::new() } else { format!("<br/>{}", escaped(&cluster.doc)) };
        writeln!(to, "  subgraph c{at}[\"{}{doc}\"]", escaped(&cluster.title))?;
        nodes(picture, &members, "    ", to)?;
        writeln!(to, "  end")?;
    }
    nodes(picture, &picture.outside(), "  ", to)?;
    for edge in &picture.edges {
        let (start, end) = picture.arrow(edge);
        writeln!(to, "  n{start} {} n{end}", arrow(edge))?;
    }
    write!(to, "{STYLES}")
}

fn nodes(picture: &Picture, members: &[usize], indent: &str, to: &mut dyn Write) -> io::Result<()> {
    for (at, node) in members.iter().map(|at| (*at, &picture.nodes[*at])) {
        let state = node.state.as_ref().map_or_else(String::new, |(_, said)| format!("<br/>{}", escaped(said)));
        let (open, close) = brackets(node.shape);
        writeln!(to, "{indent}n{at}{open}\"{}{state}\"{close}{}", escaped(&node.text), classes(node))?;
    }
    Ok(())
}

fn brackets(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::Image | Shape::Pulled => ("[", "]"),
        Shape::Index => ("[[", "]]"),
        Shape::Layer => ("(", ")"),
        Shape::Check => ("{{", "}}"),
        Shape::Effect => (">", "]"),
        Shape::File => ("[/", "/]"),
        Shape::Registry => ("[(", ")]"),
        Shape::Outside => ("([", "])"),
    }
}

fn classes(node: &Node) -> String {
    let shape = match node.shape {
        Shape::Image | Shape::Index => Some("image"),
        Shape::Pulled => Some("pulled"),
        _ => None,
    };
    let tone = node.state.as_ref().map(|(tone, _)| tone.word());
    shape.into_iter().chain(tone).map(|class| format!(":::{class}")).collect()
}

/// The line of an arrow.
fn arrow(edge: &Edge) -> String {
    let line = match edge.role {
        Role::Base => "==>",
        Role::Part => "-->",
        Role::Published | Role::Checks | Role::Flow | Role::Data => "-.->",
    };
    if edge.text.is_empty() { line.to_owned() } else { format!("{line}|\"{}\"|", escaped(&edge.text)) }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '#' => out.push_str("#35;"),
            '\n' => out.push_str("<br/>"),
            other => out.push(other),
        }
    }
    out
}
