//! A picture as text for a terminal: a box a cluster from top to bottom, a line or more a node in it, arrows from what is
//! consumed to what consumes it. Neighbours are joined between the boxes, all others by rails beside them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::model::{Cluster, Edge, Node, Picture, Role, Shape};
use super::rails::{Canvas, Frame, draw};
use super::stack;

/// The narrowest that boxes are.
const NARROWEST: usize = 40;

/// Writes boxes of at most `width` characters, rails included. Clusters and nodes stand as [`super::stack`] puts them.
pub fn write(picture: &Picture, width: usize, to: &mut dyn Write) -> io::Result<()> {
    let picture = &outside_framed(picture);
    let (arrows, ways) =
        (arrows(picture), Ways { from: picture.edges_by(|edge| edge.from), to: picture.edges_by(|edge| edge.to) });
    let inner = width.saturating_sub(4 + Canvas::room(&arrows)).max(NARROWEST);
    let text = |nodes: &[usize], width| -> Vec<String> {
        // Of a system in a frame of its own, the frame says all.
        let is_told =
            |at: &&usize| picture.nodes[**at].shape != Shape::Outside || picture.nodes[**at].cluster.is_none();
        nodes.iter().filter(is_told).flat_map(|at| lines(picture, *at, &ways, width)).collect()
    };
    let each = picture.clusters.iter().zip(picture.members());
    let mut frames: Vec<Frame> = each.map(|(cluster, nodes)| frame(cluster, text(&nodes, inner), inner)).collect();
    for (below, said) in joins(picture) {
        frames[below].joined = Some(said.into_iter().collect::<Vec<_>>().join(", "));
    }
    draw(frames, inner, &arrows).write(to)?;
    text(&picture.loose(), width).iter().try_for_each(|line| writeln!(to, "{line}"))
}

/// The same picture with a frame around each system outside, where there are frames at all; those that data only comes
/// from above all others.
fn outside_framed(picture: &Picture) -> Cow<'_, Picture> {
    let is_outside = |node: &Node| node.shape == Shape::Outside && node.cluster.is_none();
    if picture.clusters.is_empty() || !picture.nodes.iter().any(is_outside) {
        return Cow::Borrowed(picture);
    }
    let mut framed = picture.clone();
    for node in framed.nodes.iter_mut().filter(|node| is_outside(node)) {
        node.cluster = Some(framed.clusters.len());
        framed.clusters.push(Cluster { title: node.text.clone(), doc: node.kind.clone() });
    }
    stack::stack(&mut framed);
    let mut gives: Vec<bool> = vec![false; framed.clusters.len()];
    for (node, from) in framed.nodes.iter().zip(framed.edges_by(|edge| edge.from)) {
        let cluster = node.cluster.filter(|_| node.shape == Shape::Outside);
        cluster.into_iter().for_each(|cluster| gives[cluster] = from.is_empty());
    }
    stack::lift(&mut framed, |cluster| gives[cluster]);
    Cow::Owned(framed)
}

/// Which clusters are consumed by which, each pair once: the consumed one first.
fn arrows(picture: &Picture) -> BTreeSet<(usize, usize)> {
    let between = picture.edges.iter().filter_map(|edge| {
        let (from, to) = (picture.nodes[edge.from].cluster?, picture.nodes[edge.to].cluster?);
        (from != to).then_some((to, from))
    });
    between.collect()
}

/// What the arrows say from each cluster to the next, by the lower one; nothing where none joins them.
fn joins(picture: &Picture) -> BTreeMap<usize, BTreeSet<&str>> {
    let mut joins: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for edge in &picture.edges {
        let (above, below) = (picture.nodes[edge.to].cluster, picture.nodes[edge.from].cluster);
        let Some(below) = below.filter(|below| above.is_some_and(|above| above + 1 == *below)) else { continue };
        let flows = edge.role.is_flow() && !edge.text.is_empty();
        joins.entry(below).or_default().insert(if flows { &edge.text } else { "consumed by" });
    }
    joins
}

fn frame(cluster: &Cluster, nodes: Vec<String>, inner: usize) -> Frame {
    let mut text = vec![centred(&cluster.title.to_uppercase(), inner)];
    text.extend(Some(centred(&cluster.doc, inner)).filter(|_| !cluster.doc.is_empty()));
    if !nodes.is_empty() {
        text.push(String::new());
        text.extend(nodes);
        text.push(String::new());
    }
    Frame { text, joined: None }
}

fn centred(text: &str, width: usize) -> String {
    format!("{text:^width$}").trim_end().to_owned()
}

/// Edges by the nodes at their ends.
struct Ways<'p> {
    from: Vec<Vec<&'p Edge>>,
    to: Vec<Vec<&'p Edge>>,
}

/// A node: its name, what it is for, what it stands on, what it shares, and how it stands.
fn lines(picture: &Picture, at: usize, ways: &Ways<'_>, width: usize) -> Vec<String> {
    let node = &picture.nodes[at];
    let mut lines = wrapped("• ", &node.text, width);
    let state = node.state.as_ref().map(|(_, said)| said.clone());
    let said = Some(node.doc.clone()).filter(|doc| !doc.is_empty());
    for text in said.into_iter().chain(needs(picture, at, ways)).chain(state) {
        lines.extend(wrapped("    ", &text, width));
    }
    lines
}

/// What a node needs, and what flows between it and others, a sentence each.
fn needs(picture: &Picture, at: usize, ways: &Ways<'_>) -> Vec<String> {
    let node = &picture.nodes[at];
    let name = |at: usize| {
        let other = &picture.nodes[at];
        let is_plain = other.cluster == node.cluster || other.shape == Shape::Outside;
        if is_plain { other.text.clone() } else { other.id.clone() }
    };
    let mine = |role| ways.from[at].iter().filter(move |edge| edge.role == role).map(|edge| name(edge.to));
    let published = if node.shape == Shape::Pulled { "pulled from" } else { "pushed to" };
    let told = [(Role::Base, "on"), (Role::Part, "with"), (Role::Checks, "checks"), (Role::Published, published)];
    let mut lines: Vec<String> = Vec::new();
    for (role, word) in told {
        let names: Vec<String> = mine(role).collect();
        lines.extend((!names.is_empty()).then(|| format!("{word} {}", names.join(", "))));
    }
    let comes = ways.from[at].iter().filter(|edge| edge.role.is_flow());
    lines.extend(comes.map(|edge| format!("{} from {}", edge.text, name(edge.to))));
    let goes = ways.to[at].iter().filter(|edge| edge.role == Role::Data);
    lines.extend(goes.map(|edge| format!("{} to {}", edge.text, name(edge.from))));
    lines
}

/// Words in lines of at most `width` columns, the first behind `mark`, the others as far in; longer words are cut. What
/// would steer a terminal is left out.
fn wrapped(mark: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(mark.width());
    let mut lines = vec![mark.to_owned()];
    let mut empty = true;
    for word in text.split_whitespace().flat_map(|word| cut(word, width.saturating_sub(indent.len()).max(1))) {
        let line = lines.last().map_or(0, |line| line.width());
        if !empty && line + 1 + word.width() > width {
            lines.push(indent.clone());
            empty = true;
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(if empty { "" } else { " " });
            last.push_str(&word);
            empty = false;
        }
    }
    lines
}

/// A word in pieces of at most `width` columns.
fn cut(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in word.chars().filter(|letter| letter.width().is_some() && !is_turning(*letter)) {
        let fits = |piece: &String| piece.is_empty() || piece.width() + letter.width().unwrap_or(0) <= width;
        if !pieces.last().is_some_and(fits) {
            pieces.push(String::new());
        }
        pieces.iter_mut().last().into_iter().for_each(|piece| piece.push(letter));
    }
    pieces
}

/// Whether a letter turns the direction of those behind it.
fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Tone;

    fn node(id: &str, cluster: usize, doc: &str) -> Node {
        let text = id.rsplit(':').next().unwrap().to_owned();
        Node { id: id.into(), text, cluster: Some(cluster), doc: doc.into(), ..Node::default() }
    }

    #[test]
    fn no_text_breaks_out_of_its_frame_or_steers_the_terminal() {
        let doc = format!("\u{1b}[31mred \u{202e}back {} 日本語日本語日本語日本語日本語日本語日本語", "x".repeat(90));
        let nodes = vec![node("//a:a", 0, &doc)];
        let clusters = vec![Cluster { title: "a".into(), doc: String::new() }];
        let mut bytes = Vec::new();
        write(&Picture { title: "x".into(), nodes, edges: Vec::new(), clusters }, 44, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains("[31mred back"), "{text}");
        assert!(text.lines().all(|line| line.width() == 44), "{text}");
    }

    #[test]
    fn layers_stand_above_those_that_consume_them() {
        let edge = |from, to, role, text: &str| Edge { from, to, role, text: text.into() };
        let cluster = |title: &str| Cluster { title: title.into(), doc: format!("pushed to r.example/{title}") };
        let mut picture = Picture {
            title: "x".into(),
            nodes: vec![
                node("//warehouse:postgres", 0, ""),
                node("//platform:sidecar", 1, "keeps a ticket for all others, which they read"),
                node("//platform:base", 1, ""),
                node("//kits:bronze", 2, ""),
                node("//debian:debian", 3, ""),
            ],
            edges: vec![
                edge(0, 4, Role::Base, ""),
                edge(2, 1, Role::Flow, "shares /cache"),
                edge(2, 4, Role::Base, ""),
                edge(3, 2, Role::Base, ""),
                edge(3, 4, Role::Part, ""),
            ],
            clusters: ["warehouse", "platform", "kits", "debian"].map(cluster).into(),
        };
        picture.nodes[3].state = Some((Tone::Good, "built, in step".into()));
        stack::stack(&mut picture);
        let mut bytes = Vec::new();
        write(&picture, 56, &mut bytes).unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r"
        ┌──────────────────────────────────────────────────┐
        │                      DEBIAN                      │
        │            pushed to r.example/debian            │
        │                                                  │
        │ • debian                                         │
        │                                                  ├──┐
        └───────────────────────┬──────────────────────────┘  │
                                │ consumed by                 │
        ┌───────────────────────▼──────────────────────────┐  │
        │                     PLATFORM                     │  │
        │           pushed to r.example/platform           │  │
        │                                                  │  │
        │ • sidecar                                        │  │
        │     keeps a ticket for all others, which they    │  │
        │     read                                         │  │
        │ • base                                           │  │
        │     on //debian:debian                           │  │
        │     shares /cache from sidecar                   │  │
        │                                                  │  │
        └───────────────────────┬──────────────────────────┘  │
                                │ consumed by                 │
        ┌───────────────────────▼──────────────────────────┐  │
        │                       KITS                       ◄──┤
        │             pushed to r.example/kits             │  │
        │                                                  │  │
        │ • bronze                                         │  │
        │     on //platform:base                           │  │
        │     with //debian:debian                         │  │
        │     built, in step                               │  │
        │                                                  │  │
        └──────────────────────────────────────────────────┘  │
                                                              │
        ┌──────────────────────────────────────────────────┐  │
        │                    WAREHOUSE                     ◄──┘
        │          pushed to r.example/warehouse           │
        │                                                  │
        │ • postgres                                       │
        │     on //debian:debian                           │
        │                                                  │
        └──────────────────────────────────────────────────┘
        ");
    }
}
