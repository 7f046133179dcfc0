//! What shapes, lines and marks mean: of those that occur in the picture, and no others.

use unicode_width::UnicodeWidthStr;

use super::{escaped, mark_at, number, shape};
use crate::picture::layout::CHARACTER;
use crate::picture::model::{Picture, Role, Shape, Tone};

/// Around the legend, and between its items.
const MARGIN: f64 = 20.0;
/// From line to line.
const STEP: f64 = 26.0;
/// What the sample beside a text takes.
const SAMPLE: f64 = 40.0;

/// A legend, and how large it is.
pub struct Legend {
    /// As elements of SVG, from 0, 0 on.
    pub svg: String,
    /// In pixels.
    pub width: f64,
    /// In pixels; 0 where there is nothing to tell.
    pub height: f64,
}

/// The legend of a picture, in lines that are at most `width` pixels where one item allows it.
pub fn legend(picture: &Picture, width: f64) -> Legend {
    let items = items(picture);
    let (mut x, mut y, mut widest) = (MARGIN, 4.0, 0.0_f64);
    let mut svg = String::from(r#"<g class="legend">"#);
    for (sample, text) in &items {
        let takes = SAMPLE + text.width() as f64 * CHARACTER + 18.0;
        if x > MARGIN && x + takes > width {
            (x, y) = (MARGIN, y + STEP);
        }
        let (at_x, at_y) = (number(x), number(y));
        svg += &format!(
            r#"<g transform="translate({at_x} {at_y})">{sample}<text x="{}" y="14">{}</text></g>"#,
            number(SAMPLE),
            escaped(text)
        );
        x += takes;
        widest = widest.max(x);
    }
    let height = if items.is_empty() { 0.0 } else { y + STEP + 8.0 };
    Legend { svg: svg + "</g>\n", width: widest + MARGIN, height }
}

/// Samples with their texts.
fn items(picture: &Picture) -> Vec<(String, String)> {
    let mut items = Vec::new();
    let mut shapes: Vec<Shape> = picture.nodes.iter().map(|node| node.shape).collect();
    shapes.sort_unstable();
    shapes.dedup();
    items.extend(shapes.into_iter().map(|shape| (shaped(shape), kinds(picture, shape))));
    let mut roles: Vec<Role> = picture.edges.iter().map(|edge| edge.role).collect();
    roles.sort_unstable();
    roles.dedup();
    items.extend(roles.into_iter().map(|role| (line(role), meaning(role).to_owned())));
    for tone in [Tone::Good, Tone::Open, Tone::Bad, Tone::Unknown] {
        let texts = states(picture, tone);
        items.extend((!texts.is_empty()).then(|| (mark_at(tone, 24.0, 10.0), texts)));
    }
    items
}

fn shaped(shape: Shape) -> String {
    let height = if shape == Shape::Registry { 22.0 } else { 18.0 };
    format!(r#"<g class="node {}" transform="translate(2 1)">{}</g>"#, shape.word(), shape::path(shape, 30.0, height))
}

/// The kinds that a shape stands for in this picture; the first few where there are many.
fn kinds(picture: &Picture, shape: Shape) -> String {
    few(picture.nodes.iter().filter(|node| node.shape == shape).map(|node| node.kind.as_str()))
}

fn states(picture: &Picture, tone: Tone) -> String {
    let states = picture.nodes.iter().filter_map(|node| node.state.as_ref());
    let of = states.filter(|(its, _)| *its == tone).map(|(_, text)| if text.is_empty() { plain(tone) } else { text });
    few(of)
}

fn few<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for text in all {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let more = if texts.len() > 3 { ", …" } else { "" };
    texts.truncate(3);
    texts.join(", ") + more
}

fn line(role: Role) -> String {
    let class = role.word();
    format!(r#"<path class="edge {class}" d="M2 10H32" marker-end="url(#head-{class})"/>"#)
}

fn meaning(role: Role) -> &'static str {
    match role {
        Role::Base => "stands on",
        Role::Part => "is made with",
        Role::Published => "published",
        Role::Checks => "checks",
        Role::Flow => "flows while it runs",
        Role::Data => "data",
    }
}

fn plain(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "as it should be",
        Tone::Open => "to be done",
        Tone::Bad => "wrong",
        Tone::Unknown => "not known",
    }
}
