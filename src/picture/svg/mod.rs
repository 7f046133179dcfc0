//! A picture as SVG that stands on its own: styles within, light and dark, a legend of what occurs.
//!
//! Colours and lines are in style.css, by the classes that are given here. `drawing` and `legend` are of use to other
//! forms that hold SVG.

use std::io::{self, Write};

use super::layout::{self, Area, CHARACTER, LINE, Layout, Point};
use super::model::{Cluster, Node, Picture, Role, Tone};

mod legend;
mod shape;
mod text;

pub(super) use legend::legend;
pub(super) use text::escaped;
use text::number;

/// The look of all that `drawing` and `legend` write.
pub(super) const STYLE: &str = include_str!("style.css");

/// Writes a picture as an SVG document. Fails where writing fails.
pub fn write(picture: &Picture, out: &mut dyn Write) -> io::Result<()> {
    let layout = layout::of(picture);
    let legend = legend(picture, layout.width.max(360.0));
    let (width, height) = (layout.width.max(legend.width), layout.height + legend.height);
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-labelledby="title desc">"#,
        w = number(width),
        h = number(height)
    )?;
    writeln!(out, "<title id=\"title\">{}</title>", escaped(&picture.title))?;
    writeln!(out, "<desc id=\"desc\">{}</desc>", escaped(&described(picture)))?;
    writeln!(out, "<style>\n{STYLE}</style>")?;
    writeln!(out, r#"<rect class="paper" width="100%" height="100%"/>"#)?;
    drawing(picture, &layout, out)?;
    writeln!(out, r#"<g transform="translate(0 {})">{}</g>"#, number(layout.height), legend.svg)?;
    writeln!(out, "</svg>")
}

/// What is seen, in a sentence, for those who do not see it: how many nodes of each kind, and what joins them.
pub(super) fn described(picture: &Picture) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for node in &picture.nodes {
        match kinds.iter_mut().find(|(kind, _)| *kind == node.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((&node.kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    format!("{} nodes ({}), joined by {} edges.", picture.nodes.len(), kinds.join(", "), picture.edges.len())
}

/// Writes frames, lines and nodes, one element each: `c0`, `e0` and `n0` are the first of each.
pub(super) fn drawing(picture: &Picture, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<defs>{}</defs>", markers())?;
    for (at, (cluster, area)) in picture.clusters.iter().zip(&layout.clusters).enumerate() {
        frame(at, cluster, area, false, out)?;
    }
    // Thick lines last: inheritance is seen on top of what is part of it.
    let mut order: Vec<usize> = (0..picture.edges.len()).collect();
    order.sort_by_key(|at| picture.edges[*at].role != Role::Part);
    for at in order {
        edge(picture, layout, at, out)?;
    }
    // What is written stands on top of lines that pass.
    for (at, (cluster, area)) in picture.clusters.iter().zip(&layout.clusters).enumerate() {
        frame(at, cluster, area, true, out)?;
    }
    for (at, (it, area)) in picture.nodes.iter().zip(&layout.nodes).enumerate() {
        node(at, it, area, out)?;
    }
    for (edge, route) in picture.edges.iter().zip(&layout.routes) {
        if let Some(Point { x, y }) = route.label {
            let (x, y, class) = (number(x), number(y + 4.0), edge.role.word());
            writeln!(out, r#"<text class="label {class}" x="{x}" y="{y}">{}</text>"#, escaped(&edge.text))?;
        }
    }
    Ok(())
}

/// Heads of arrows, one for each colour of line.
fn markers() -> String {
    let roles = [Role::Base, Role::Part, Role::Published, Role::Checks, Role::Flow, Role::Data];
    let marker = |role: Role| {
        let (class, size) = (role.word(), if role == Role::Base { 11 } else { 8 });
        format!(
            r#"<marker id="head-{class}" class="arrow {class}" viewBox="0 0 10 10" refX="9.5" refY="5" markerUnits="userSpaceOnUse" markerWidth="{size}" markerHeight="{size}" orient="auto-start-reverse"><path d="M0 0.8 10 5 0 9.2z"/></marker>"#
        )
    };
    roles.map(marker).concat()
}

/// A frame, or (`head`) what is written in it.
fn frame(at: usize, cluster: &Cluster, area: &Area, head: bool, out: &mut dyn Write) -> io::Result<()> {
    if area.width == 0.0 {
        return Ok(());
    }
    let Area { x, y, width, height } = *area;
    if !head {
        let (left, top, width, height) = (number(x), number(y), number(width), number(height));
        return writeln!(
            out,
            r#"<rect class="frame" id="c{at}" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>"#
        );
    }
    let x = number(x + 14.0);
    writeln!(out, r#"<text class="head title" x="{x}" y="{}">{}</text>"#, number(y + 23.0), escaped(&cluster.title))?;
    if !cluster.doc.is_empty() {
        writeln!(out, r#"<text class="head doc" x="{x}" y="{}">{}</text>"#, number(y + 40.0), escaped(&cluster.doc))?;
    }
    Ok(())
}

fn edge(picture: &Picture, layout: &Layout, at: usize, out: &mut dyn Write) -> io::Result<()> {
    let (edge, curve) = (&picture.edges[at], &layout.routes[at].curve);
    let Some((start, rest)) = curve.split_first() else { return Ok(()) };
    let point = |point: &Point| format!("{} {}", number(point.x), number(point.y));
    let bends: Vec<String> = rest.iter().map(point).collect();
    let class = edge.role.word();
    // What flows comes from what is needed.
    let end = if edge.role.is_flow() { "start" } else { "end" };
    writeln!(
        out,
        r#"<path class="edge {class}" id="e{at}" d="M{}C{}" marker-{end}="url(#head-{class})"/>"#,
        point(start),
        bends.join(" ")
    )
}

fn node(at: usize, node: &Node, area: &Area, out: &mut dyn Write) -> io::Result<()> {
    let tone = node.state.as_ref().map_or("", |(tone, _)| tone.word());
    writeln!(
        out,
        r#"<g class="node {} {tone}" id="n{at}" transform="translate({} {})">"#,
        node.shape.word(),
        number(area.x),
        number(area.y)
    )?;
    writeln!(out, "<title>{}</title>", escaped(&hover(node)))?;
    write!(out, "{}", shape::path(node.shape, area.width, area.height))?;
    let lines = layout::lines(&node.text);
    let mark = if node.state.is_some() { 16.0 } else { 0.0 };
    let middle = (area.width + mark + shape::shift(node.shape).0) / 2.0;
    let first = (area.height + shape::shift(node.shape).1 - (lines.len() - 1) as f64 * LINE) / 2.0 + 4.2;
    for (at, line) in lines.iter().enumerate() {
        let class = if at + 1 < lines.len() { " class=\"where\"" } else { "" };
        let y = number(first + at as f64 * LINE);
        write!(out, r#"<text{class} x="{}" y="{y}">{}</text>"#, number(middle), escaped(line))?;
    }
    if let Some((tone, _)) = &node.state {
        let longest = lines.iter().map(|line| unicode_width::UnicodeWidthStr::width(*line)).max().unwrap_or(0);
        let x = middle - longest as f64 * CHARACTER / 2.0 - 11.0;
        write!(out, "{}", mark_at(*tone, x, (area.height + shape::shift(node.shape).1) / 2.0))?;
    }
    writeln!(out, "</g>")
}

fn hover(node: &Node) -> String {
    let state = node.state.as_ref().map(|(_, state)| state.as_str()).filter(|state| !state.is_empty());
    let lines = [Some(node.id.as_str()), Some(node.kind.as_str()), state];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A mark that tells a state without its colour: a tick, a ring, a cross, a question mark.
fn mark_at(tone: Tone, x: f64, y: f64) -> String {
    let sign = match tone {
        Tone::Good => r#"<path d="M-2.8 0.2 -0.8 2.4 3 -2.2"/>"#,
        Tone::Open => r#"<circle class="dot" r="1.8"/>"#,
        Tone::Bad => r#"<path d="M-2.3 -2.3 2.3 2.3M2.3 -2.3 -2.3 2.3"/>"#,
        Tone::Unknown => r#"<path d="M-1.9 -1.5C-1.6 -4 2.2 -3.6 1.8 -1.2 1.6 0.1 0 0 0 1.4M0 3 0 3.4"/>"#,
    };
    let class = tone.word();
    format!(r#"<g class="mark {class}" transform="translate({} {})"><circle r="6"/>{sign}</g>"#, number(x), number(y))
}

#[cfg(test)]
mod tests;
