//! Where a picture's nodes, edges and frames stand: Sugiyama's way as Gansner, Koutsofios, North and Vo describe it in
//! "A Technique for Drawing Directed Graphs" (1993).
//!
//! `turn` says which end of an edge is the upper one, `ranks` which row a node is in, `order` who stands left of
//! whom, `place` where exactly, `route` how the lines run. What is needed stands above what needs it; where that
//! would be far wider than high, left of it. The same picture always gives the same layout. Knows no form of output.

use super::model::Picture;
use rows::Rows;

mod feasible;
mod grid;
mod order;
mod pack;
mod place;
mod ranks;
mod route;
mod rows;
mod simplex;
mod size;
mod turn;

pub use size::{CHARACTER, LINE, lines};

/// The most that a picture may be wide, in pixels, before it is looked at whether it does better from left to right.
const WIDE: f64 = 1600.0;

/// The most bends of a picture. Edges of which there would be more, the longest, run straight over all between: what a layout
/// takes grows with bends, and they are as many as nodes times edges in the worst case.
const BENDS: usize = 150_000;

/// A place, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Area {
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// How an edge is drawn, from what needs to what is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    /// A start, then three points for each cubic Bézier curve: two that pull and the end. Empty: the edge joins a node
    /// to itself and is not drawn.
    pub curve: Vec<Point>,
    /// The middle of its text; `None`: it has none.
    pub label: Option<Point>,
}

/// Where all of a picture stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// Of the whole, margins included.
    pub width: f64,
    /// Of the whole, margins included.
    pub height: f64,
    /// By node.
    pub nodes: Vec<Area>,
    /// By edge.
    pub routes: Vec<Route>,
    /// By cluster; one without nodes is of no size.
    pub clusters: Vec<Area>,
}

/// Where rows follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Right,
}

/// Lays a picture out.
pub fn of(picture: &Picture) -> Layout {
    bent(picture, BENDS)
}

/// The same with at most so many bends.
fn bent(picture: &Picture, bends: usize) -> Layout {
    let parts = pack::parts(picture);
    let ranks: Vec<Vec<usize>> = parts.iter().map(|part| ranks::ranked(picture, part)).collect();
    let longest = rows::longest_bent(&parts, &ranks, bends);
    let rows = parts.iter().zip(ranks).map(|(part, ranks)| rows::of(picture, part, ranks, longest));
    let rows: Vec<Rows> = rows.collect();
    let (cells, size) = rows.iter().fold((0, 0), |sum, rows| (sum.0 + rows.cells.len(), sum.1 + rows.size()));
    let parts: Vec<Rows> = rows.into_iter().map(|rows| order::ordered(rows, size)).collect();
    let towards = |direction| {
        let placed = parts.iter().map(|part| place::placed(picture, part, direction, cells)).collect();
        pack::together(picture, placed)
    };
    let down = towards(Direction::Down);
    // Frames are a stack, as far as there is room for one; then they stand side by side.
    let wide = if picture.clusters.is_empty() { WIDE } else { 2.0 * WIDE };
    if down.width <= wide {
        return down;
    }
    let right = towards(Direction::Right);
    if unlike_a_page(&right) < unlike_a_page(&down) { right } else { down }
}

/// How far a layout's form is from that of a screen or a page held across; 0: the same.
fn unlike_a_page(layout: &Layout) -> f64 {
    (layout.width / layout.height / 1.5).ln().abs()
}

#[cfg(test)]
mod tests;
