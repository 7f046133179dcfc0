//! The document is well formed and tells only what there is.

use super::*;
use crate::picture::model::{Edge, Shape};

fn document(picture: &Picture) -> String {
    let mut out = Vec::new();
    write(picture, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

const SHAPES: [Shape; 8] = [
    Shape::Image,
    Shape::Index,
    Shape::Pulled,
    Shape::Layer,
    Shape::Check,
    Shape::Effect,
    Shape::File,
    Shape::Registry,
];

/// One node of each shape, joined in a chain by one edge of each role.
fn every_kind(text: &str) -> Picture {
    let roles = [Role::Base, Role::Part, Role::Published, Role::Checks, Role::Flow];
    let node = |(at, shape): (usize, Shape)| Node {
        id: format!("{at}{text}"),
        text: format!("{at}{text}"),
        kind: format!("kind {at}{text}"),
        doc: text.to_owned(),
        shape,
        cluster: Some(0).filter(|_| at < 4),
        state: Some(([Tone::Good, Tone::Open, Tone::Bad, Tone::Unknown][at % 4], text.to_owned())),
        details: Vec::new(),
    };
    let edge = |(at, role)| Edge { from: at + 1, to: at, role, text: text.to_owned() };
    Picture {
        title: text.to_owned(),
        nodes: SHAPES.into_iter().enumerate().map(node).collect(),
        edges: roles.into_iter().enumerate().map(edge).collect(),
        clusters: vec![Cluster { title: text.to_owned(), doc: text.to_owned() }],
    }
}

/// Reads tags as an XML parser does; panics where they do not match or a text has what must be escaped.
fn elements(document: &str) -> Vec<String> {
    let (mut open, mut seen, mut rest) = (Vec::new(), Vec::new(), document);
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(!text.contains("]]>"), "{text}");
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default().to_owned();
        match tag {
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ if tag.ends_with('/') => seen.push(name),
            _ => {
                seen.push(name.clone());
                open.push(name);
            }
        }
    }
    assert_eq!(open, [""; 0], "left open");
    seen
}

#[test]
fn any_text_leaves_it_well_formed() {
    for text in ["plain", "<b>&\"'", "]]>", "\u{0}\u{1b}[31m", "層 é 🐋"] {
        let document = document(&every_kind(text));
        let elements = elements(&document);
        assert!(!elements.contains(&"b".to_owned()));
        assert!(!document.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn it_says_what_it_shows() {
    let document = document(&every_kind("x"));
    assert!(document.contains("<title id=\"title\">x</title>"));
    assert!(document.contains("8 nodes (1 × kind 0x, 1 × kind 1x"));
    assert!(document.contains("prefers-color-scheme: dark"));
}

#[test]
fn the_legend_has_what_occurs_and_nothing_else() {
    let mut twice = every_kind("x");
    twice.nodes.push(twice.nodes[0].clone());
    twice.edges.push(twice.edges[0].clone());
    let full = legend(&twice, 400.0).svg;
    let samples = |svg: &str| svg.matches("<text").count();
    assert_eq!(samples(&full), SHAPES.len() + 5 + 4);
    let mut one = every_kind("x");
    one.nodes.truncate(1);
    one.edges.clear();
    let few = legend(&one, 400.0).svg;
    assert_eq!(samples(&few), 2, "{few}");
    assert!(few.contains("kind 0x") && !few.contains("stands on"));
    assert_eq!(legend(&Picture::default(), 400.0).height, 0.0);
}

/// What has a class has a look.
#[test]
fn every_class_stands_in_the_style() {
    let document = document(&every_kind("x"));
    let classes = document.split(r#"class=""#).skip(1).filter_map(|rest| rest.split('"').next());
    for class in
        classes.flat_map(str::split_whitespace).filter(|class| !["legend", "node", "unknown", "edge"].contains(class))
    {
        let plain = ["layer", "file", "part"].contains(&class);
        assert!(plain || STYLE.contains(&format!(".{class}")), ".{class} has no style");
    }
}
