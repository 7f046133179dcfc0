//! How large a node is: from its text, in a font whose characters are all equally wide.

use unicode_width::UnicodeWidthStr;

use super::Area;
use crate::picture::model::{Node, Shape};

/// How wide a character is, in pixels: 12 pixels of the usual fixed-width fonts, the widest of them.
pub const CHARACTER: f64 = 7.25;
/// From one line of text to the next.
pub const LINE: f64 = 15.0;
/// Longer texts are written on two lines.
const LONG: usize = 22;

/// The lines that a node's text is written on: one, or two that are broken where a name begins.
pub fn lines(text: &str) -> Vec<&str> {
    if text.width() <= LONG {
        return vec![text];
    }
    let half = text.len() / 2;
    let breaks = text.char_indices().filter(|(at, c)| *at > 0 && ":/-_. ".contains(*c)).map(|(at, c)| (at, c == ':'));
    // A target's own name is kept whole wherever it has one.
    let best = breaks.min_by_key(|(at, name)| (!name, at.abs_diff(half)));
    best.map_or_else(|| vec![text], |(at, _)| vec![&text[..at], text[at..].trim_start()])
}

/// How wide and high a node is; where it stands is left at 0.
pub(super) fn of(node: &Node) -> Area {
    let lines = lines(&node.text);
    let longest = lines.iter().map(|line| line.width()).max().unwrap_or(0);
    let mark = if node.state.is_some() { 18.0 } else { 0.0 };
    let (across, along) = room(node.shape);
    Area {
        width: (longest as f64 * CHARACTER + mark + across).max(56.0).ceil(),
        height: lines.len() as f64 * LINE + along,
        ..Area::default()
    }
}

/// What a shape takes beside and above its text.
fn room(shape: Shape) -> (f64, f64) {
    match shape {
        Shape::Image | Shape::Pulled => (24.0, 18.0),
        Shape::Index => (30.0, 22.0),
        Shape::Layer => (26.0, 13.0),
        Shape::Check | Shape::Effect => (38.0, 15.0),
        Shape::File => (32.0, 13.0),
        Shape::Registry => (26.0, 32.0),
        Shape::Outside => (48.0, 24.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_before_the_name() {
        assert_eq!(lines("//platform:base"), ["//platform:base"]);
        assert_eq!(lines("//datakits/customers:sqlserver-bronze"), ["//datakits/customers", ":sqlserver-bronze"]);
        assert_eq!(lines("registry.localhost/platform/base"), ["registry.localhost", "/platform/base"]);
        assert_eq!(lines("abcdefghijklmnopqrstuvwxyz"), ["abcdefghijklmnopqrstuvwxyz"]);
    }

    #[test]
    fn a_node_holds_its_longest_line() {
        let node = |text: &str| Node { text: text.into(), ..Node::default() };
        assert!(of(&node("a-name-of-20-letters")).width > 20.0 * CHARACTER);
        assert!(of(&node("//datakits/customers:sqlserver-bronze")).height > of(&node("//a:b")).height);
        // Characters that take two places.
        assert_eq!(of(&node("層層層層層層層層層層")).width, of(&node("a-name-of-20-letters")).width);
    }
}
