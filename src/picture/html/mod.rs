//! A picture as one HTML file that needs nothing else: the drawing of `svg`, what is known of each node as JSON, and a
//! script (page.js) for panning, zooming, searching, and a panel with what is known of the node that was chosen.
//!
//! The page may load nothing: its own policy forbids it. Texts reach it as JSON, which the script puts in as text only.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::layout;
use super::model::{Node, Picture};
use super::svg::{self, described, drawing, escaped, legend};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes a picture as an HTML document. Fails where writing fails.
pub fn write(picture: &Picture, out: &mut dyn Write) -> io::Result<()> {
    let layout = layout::of(picture);
    let mut rest = PAGE;
    // Cut at its holes once, so that no text that fills one is taken for another.
    while let Some((before, after)) = rest.split_once("<!--") {
        out.write_all(before.as_bytes())?;
        let Some((hole, after)) = after.split_once("-->") else { break };
        match hole.trim() {
            "title" => out.write_all(escaped(&picture.title).as_bytes())?,
            "described" => out.write_all(escaped(&described(picture)).as_bytes())?,
            "style" => write!(out, "{}{STYLE}", svg::STYLE)?,
            "size" => write!(out, r#"viewBox="0 0 {:.0} {:.0}""#, layout.width, layout.height)?,
            "drawing" => drawing(picture, &layout, out)?,
            "legend" => write_legend(picture, out)?,
            "data" => out.write_all(data(picture).as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            _ => {}
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

fn write_legend(picture: &Picture, out: &mut dyn Write) -> io::Result<()> {
    let legend = legend(picture, 300.0);
    let size = format!("{:.0} {:.0}", legend.width, legend.height);
    let (width, height) = (legend.width, legend.height);
    writeln!(
        out,
        r#"<svg width="{width:.0}" height="{height:.0}" viewBox="0 0 {size}" role="img" aria-label="Legend">"#
    )?;
    writeln!(out, "{}</svg>", legend.svg)
}

/// What the script knows, as JSON that no HTML parser sees a tag in.
fn data(picture: &Picture) -> String {
    let edge = |edge: &super::model::Edge| json!([edge.from, edge.to, edge.role.word(), edge.text]);
    let clusters: Vec<&str> = picture.clusters.iter().map(|cluster| cluster.title.as_str()).collect();
    let all = json!({
        "nodes": picture.nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": picture.edges.iter().map(edge).collect::<Vec<_>>(),
        "clusters": clusters,
    });
    all.to_string().replace('<', "\\u003c")
}

fn node(node: &Node) -> Value {
    let state = node.state.as_ref().map(|(tone, text)| json!([tone.word(), text]));
    let details: Vec<[&str; 2]> =
        node.details.iter().map(|detail| [detail.name.as_str(), detail.value.as_str()]).collect();
    json!({ "id": node.id, "kind": node.kind, "doc": node.doc, "cluster": node.cluster, "state": state, "details": details })
}

#[cfg(test)]
mod tests;
