//! A picture's parts that no edge joins: each is laid out on its own, then they are put on shelves.

use std::rc::Rc;

use super::turn::{self, Link};
use super::{Area, Layout, Point, Route};
use crate::picture::model::Picture;

/// Around everything, in pixels.
const MARGIN: f64 = 20.0;
/// Between parts.
const BETWEEN: f64 = 28.0;

/// Nodes that edges join, in the picture's order.
pub(super) struct Part {
    pub nodes: Vec<usize>,
    pub links: Vec<Link>,
    pub whole: Rc<Whole>,
}

/// What is known of all of the picture's nodes.
pub(super) struct Whole {
    pub slots: Vec<usize>,
    /// Each node's position in its part.
    pub local: Vec<usize>,
}

/// A part that is laid out, from 0, 0 on; things by their position in the picture.
#[derive(Default)]
pub(super) struct Placed {
    pub width: f64,
    pub height: f64,
    pub nodes: Vec<(usize, Area)>,
    pub routes: Vec<(usize, Route)>,
    pub clusters: Vec<(usize, Area)>,
}

/// All parts; a picture with clusters is one, as frames are stacked.
pub(super) fn parts(picture: &Picture) -> Vec<Part> {
    let (links, slots) = turn::turned(picture);
    let count = picture.nodes.len();
    // A picture with clusters is one part.
    let of = if picture.clusters.is_empty() { components(count, &links) } else { vec![0; count] };
    let mut nodes = vec![Vec::new(); of.iter().max().map_or(0, |last| last + 1)];
    let mut local = Vec::with_capacity(count);
    for (node, part) in of.iter().enumerate() {
        local.push(nodes[*part].len());
        nodes[*part].push(node);
    }
    let whole = Rc::new(Whole { slots, local });
    let part = |nodes| Part { nodes, links: Vec::new(), whole: Rc::clone(&whole) };
    let mut parts: Vec<Part> = nodes.into_iter().map(part).collect();
    links.into_iter().for_each(|link| parts[of[link.upper]].links.push(link));
    parts
}

/// The number of each node's part, in the order of their first nodes.
fn components(count: usize, links: &[Link]) -> Vec<usize> {
    let mut near = vec![Vec::new(); count];
    for link in links {
        near[link.upper].push(link.lower);
        near[link.lower].push(link.upper);
    }
    let (mut of, mut next) = (vec![None; count], 0);
    for start in 0..count {
        if of[start].is_some() {
            continue;
        }
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            if of[node].replace(next).is_none() {
                open.extend(&near[node]);
            }
        }
        next += 1;
    }
    of.into_iter().flatten().collect()
}

/// Puts parts on shelves, the highest first, and each where it belongs in the picture.
pub(super) fn together(picture: &Picture, mut parts: Vec<Placed>) -> Layout {
    parts.sort_by(|a, b| b.height.total_cmp(&a.height));
    let surface: f64 = parts.iter().map(|part| (part.width + BETWEEN) * (part.height + BETWEEN)).sum();
    let room = parts.iter().map(|part| part.width).fold((surface * 1.6).sqrt(), f64::max);
    let mut layout = Layout {
        nodes: vec![Area::default(); picture.nodes.len()],
        routes: vec![Route::default(); picture.edges.len()],
        clusters: vec![Area::default(); picture.clusters.len()],
        ..Layout::default()
    };
    let (mut corner, mut shelf) = (Point { x: MARGIN, y: MARGIN }, 0.0_f64);
    for part in parts {
        if corner.x > MARGIN && corner.x + part.width > room + MARGIN {
            corner = Point { x: MARGIN, y: corner.y + shelf + BETWEEN };
            shelf = 0.0;
        }
        shelf = shelf.max(part.height);
        layout.width = layout.width.max(corner.x + part.width + MARGIN);
        layout.height = layout.height.max(corner.y + part.height + MARGIN);
        let right = corner.x + part.width + BETWEEN;
        put(&mut layout, part, corner);
        corner.x = right;
    }
    layout
}

fn put(layout: &mut Layout, part: Placed, corner: Point) {
    let moved = |area: Area| Area { x: area.x + corner.x, y: area.y + corner.y, ..area };
    part.nodes.into_iter().for_each(|(node, area)| layout.nodes[node] = moved(area));
    part.clusters.into_iter().for_each(|(cluster, area)| layout.clusters[cluster] = moved(area));
    let shifted = |point: Point| Point { x: point.x + corner.x, y: point.y + corner.y };
    for (edge, route) in part.routes {
        let curve = route.curve.into_iter().map(shifted).collect();
        layout.routes[edge] = Route { curve, label: route.label.map(shifted) };
    }
}
