//! What any layout keeps, on graphs that a seed grows; and what small ones look like.

use super::*;
use crate::picture::model::{Cluster, Edge, Node, Role};

fn picture(count: usize, edges: &[(usize, usize)]) -> Picture {
    let node = |at: usize| Node { id: format!("n{at}"), text: format!("node {at}"), ..Node::default() };
    let edge = |(from, to): &(usize, usize)| Edge { from: *from, to: *to, role: Role::Part, text: String::new() };
    Picture { nodes: (0..count).map(node).collect(), edges: edges.iter().map(edge).collect(), ..Picture::default() }
}

/// Numbers below `most`, the same for the same seed.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |most| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % most as u64) as usize
    }
}

/// Any graph: circles, edges twice and to the same node, texts, clusters in which some nodes stand.
fn grown(seed: u64) -> Picture {
    let mut next = numbers(seed);
    let (count, clusters) = (3 + next(40), next(4));
    let edges: Vec<_> = (0..next(70)).map(|_| (next(count), next(count))).collect();
    let mut picture = picture(count, &edges);
    let roles = [Role::Base, Role::Part, Role::Published, Role::Checks, Role::Flow, Role::Data];
    for edge in &mut picture.edges {
        edge.role = roles[next(5)];
        edge.text = ["", "", "", "what flows here"][next(4)].to_owned();
    }
    let cluster =
        |at: usize| Cluster { title: format!("cluster {at}"), doc: ["", "what it is for"][at % 2].to_owned() };
    picture.clusters = (0..clusters).map(cluster).collect();
    for node in &mut picture.nodes {
        node.cluster = Some(next(clusters + 1)).filter(|cluster| *cluster < clusters);
        node.text += &"x".repeat(next(30));
    }
    picture
}

fn overlap(a: &Area, b: &Area) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

fn within(inner: &Area, outer: &Area) -> bool {
    let edge = |at: f64, from: f64, to: f64| from - 0.01 <= at && at <= to + 0.01;
    let (right, bottom) = (outer.x + outer.width, outer.y + outer.height);
    [(inner.x, inner.y), (inner.x + inner.width, inner.y + inner.height)]
        .iter()
        .all(|(x, y)| edge(*x, outer.x, right) && edge(*y, outer.y, bottom))
}

fn spot(point: &Point) -> Area {
    Area { x: point.x, y: point.y, width: 0.0, height: 0.0 }
}

/// Places along a route.
fn sampled(route: &Route) -> Vec<Point> {
    let curves = (0..route.curve.len() / 3).map(|at| &route.curve[3 * at..3 * at + 4]);
    let at = |curve: &[Point], t: f64| {
        let by = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
        let sum = |axis: fn(&Point) -> f64| curve.iter().zip(by).map(|(point, by)| axis(point) * by).sum();
        Point { x: sum(|point| point.x), y: sum(|point| point.y) }
    };
    curves.flat_map(|curve| (0..=20).map(move |step| at(curve, f64::from(step) / 20.0))).collect()
}

#[test]
fn nodes_keep_apart_and_lines_keep_off_nodes() {
    for seed in 60..100 {
        let picture = grown(seed);
        let layout = of(&picture);
        let whole = Area { x: 0.0, y: 0.0, width: layout.width, height: layout.height };
        for (at, node) in layout.nodes.iter().enumerate() {
            assert!(within(node, &whole), "seed {seed}: node {at} leaves the picture");
            assert!(layout.nodes[..at].iter().all(|other| !overlap(node, other)), "seed {seed}: node {at} overlaps");
        }
        for (edge, route) in picture.edges.iter().zip(&layout.routes) {
            assert_eq!(route.curve.is_empty(), edge.from == edge.to, "seed {seed}");
            let ends = route.curve.first().zip(route.curve.last());
            assert!(ends.is_none_or(|(start, end)| {
                within(&spot(start), &layout.nodes[edge.from]) && within(&spot(end), &layout.nodes[edge.to])
            }));
            let inside = |node: &Area, point: &Point| {
                let core =
                    Area { x: node.x + 1.0, y: node.y + 1.0, width: node.width - 2.0, height: node.height - 2.0 };
                overlap(&core, &spot(point))
            };
            for point in sampled(route) {
                let crossed = layout.nodes.iter().position(|node| inside(node, &point));
                assert_eq!(crossed, None, "seed {seed}: {edge:?} runs through a node");
            }
        }
    }
}

#[test]
fn frames_hold_their_own_nodes_and_no_others() {
    for seed in 60..100 {
        let picture = grown(seed);
        let layout = of(&picture);
        for (at, frame) in layout.clusters.iter().enumerate() {
            assert!(layout.clusters[..at].iter().all(|other| !overlap(frame, other)), "seed {seed}: frames overlap");
            for (node, area) in picture.nodes.iter().zip(&layout.nodes) {
                let held = if node.cluster == Some(at) { within(area, frame) } else { !overlap(area, frame) };
                assert!(held, "seed {seed}: {} and frame {at}", node.id);
            }
        }
    }
}

#[test]
fn a_picture_has_one_layout() {
    for seed in 1..20 {
        assert_eq!(of(&grown(seed)), of(&grown(seed)));
    }
}

#[test]
fn what_is_needed_stands_above_and_what_flows_falls() {
    let mut picture = picture(4, &[(1, 0), (2, 1), (2, 0), (2, 3)]);
    picture.edges[3].role = Role::Flow;
    let y: Vec<f64> = of(&picture).nodes.iter().map(|node| node.y).collect();
    assert!(y[0] < y[1] && y[1] < y[2] && y[2] < y[3], "{y:?}");
}

#[test]
fn clusters_are_stacked_as_given_but_for_those_that_stand_on_a_later_one() {
    let stacked = |edges: &[(usize, usize)]| {
        let mut picture = picture(3, edges);
        picture.clusters = vec![Cluster::default(), Cluster::default(), Cluster::default()];
        (0..3).for_each(|at| picture.nodes[at].cluster = Some(at));
        let layout = of(&picture);
        let mut order = vec![0, 1, 2];
        order.sort_by(|a: &usize, b| layout.clusters[*a].y.total_cmp(&layout.clusters[*b].y));
        order
    };
    assert_eq!(stacked(&[]), [0, 1, 2]);
    assert_eq!(stacked(&[(0, 2)]), [1, 2, 0]);
    assert_eq!(stacked(&[(0, 2), (2, 0)]), [1, 0, 2]);
}

/// A tree, and rungs and a zigzag between two rows, both given in bad orders.
#[test]
fn what_can_be_drawn_without_crossings_is() {
    let tree: Vec<_> = (1..31).map(|at| (at, (at - 1) / 2)).collect();
    let sorted: Vec<_> = (0..10).map(|at| (10 + at * 7 % 10, at * 3 % 10)).collect();
    let ladder: Vec<_> = sorted.iter().copied().chain((0..9).map(|at| (10 + at * 7 % 10, (at + 1) * 3 % 10))).collect();
    for (count, edges) in [(31, tree), (20, sorted), (20, ladder)] {
        let picture = picture(count, &edges);
        let lines: Vec<Vec<Point>> = of(&picture).routes.iter().map(sampled).collect();
        for (at, line) in lines.iter().enumerate() {
            assert!(lines[..at].iter().all(|other| !cross(line, other)), "{:?} crosses", edges[at]);
        }
    }
}

fn cross(a: &[Point], b: &[Point]) -> bool {
    let side = |p: &Point, q: &Point, r: &Point| (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
    let apart = |p: &[Point], q: &[Point]| side(&p[0], &p[1], &q[0]) * side(&p[0], &p[1], &q[1]) < 0.0;
    a.windows(2).any(|p| b.windows(2).any(|q| apart(p, q) && apart(q, p)))
}

#[test]
fn a_large_graph_is_laid_out_like_a_page() {
    let edges: Vec<_> = (10..300).map(|at| (at, at % 10)).collect();
    let layout = of(&picture(300, &edges));
    assert!(
        layout.width < 3.0 * layout.height && layout.height < 4.0 * layout.width,
        "{} × {}",
        layout.width,
        layout.height
    );
}

/// A chain whose every link also needs the first: a bend in each row for each edge would be as many as the square.
#[test]
fn long_edges_run_straight_where_there_would_be_too_many_bends() {
    let edges: Vec<_> = (1..60).flat_map(|at| [(at, at - 1), (at, 0)]).filter(|edge| *edge != (1, 1)).collect();
    let mut picture = picture(60, &edges);
    picture.edges.iter_mut().for_each(|edge| edge.text = "what flows here".to_owned());
    let (bent, straight) = (bent(&picture, BENDS), bent(&picture, 100));
    let points = |layout: &Layout| layout.routes.iter().map(|route| route.curve.len()).sum::<usize>();
    assert!(points(&straight) * 3 < points(&bent), "{} points, {} bent", points(&straight), points(&bent));
    for (edge, route) in picture.edges.iter().zip(&straight.routes) {
        let ends = route.curve.first().zip(route.curve.last()).unwrap();
        assert!(within(&spot(ends.0), &straight.nodes[edge.from]) && within(&spot(ends.1), &straight.nodes[edge.to]));
        let label = route.label.unwrap();
        assert!(within(&spot(&label), &Area { x: 0.0, y: 0.0, width: straight.width, height: straight.height }));
    }
    let overlaps = |at: usize| straight.nodes[..at].iter().any(|other| overlap(&straight.nodes[at], other));
    assert!(!(0..60).any(overlaps));
}

#[test]
fn nothing_is_laid_out_too() {
    let layout = of(&Picture::default());
    assert!(layout.width.is_finite() && layout.height.is_finite());
}
