//! The order of clusters from top to bottom: what others stand on first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::model::{Edge, Picture};

/// Puts the clusters in order, and each one's nodes: what is needed before what needs it, else as they were.
pub fn stack(picture: &mut Picture) {
    let clusters = picture.clusters.len();
    let between = |edge: &Edge| {
        let (from, to) = (picture.nodes[edge.from].cluster?, picture.nodes[edge.to].cluster?);
        (from != to).then_some((from, to))
    };
    let order = needed_first(clusters, &telling(&picture.edges, clusters, between));
    arrange(picture, &order);
    stack_nodes(picture);
}

/// Puts clusters above all others, for whoever draws what data comes from as clusters. What they need must be among them.
pub fn lift(picture: &mut Picture, is_lifted: impl Fn(usize) -> bool) {
    let (mut order, rest): (Vec<usize>, Vec<usize>) = (0..picture.clusters.len()).partition(|at| is_lifted(*at));
    order.extend(rest);
    arrange(picture, &order);
}

fn arrange(picture: &mut Picture, order: &[usize]) {
    let place = inverse(order);
    picture.clusters = order.iter().map(|at| picture.clusters[*at].clone()).collect();
    picture.nodes.iter_mut().for_each(|node| node.cluster = node.cluster.map(|at| place[at]));
}

fn stack_nodes(picture: &mut Picture) {
    let edges = telling(&picture.edges, picture.nodes.len(), |edge| Some((edge.from, edge.to)));
    let mut order = needed_first(picture.nodes.len(), &edges);
    order.sort_by_key(|at| picture.nodes[*at].cluster);
    let place = inverse(&order);
    picture.nodes = order.iter().map(|at| std::mem::take(&mut picture.nodes[*at])).collect();
    for edge in &mut picture.edges {
        (edge.from, edge.to) = (place[edge.from], place[edge.to]);
    }
    picture.edges.sort_by_key(|edge| (edge.from, edge.to, edge.role));
}

/// What edges join, but for what flows in a circle: that says nothing of what stands above what. `ends`: which two of
/// `count` positions; `None`: neither.
fn telling(edges: &[Edge], count: usize, ends: impl Fn(&Edge) -> Option<(usize, usize)>) -> Vec<(usize, usize)> {
    let joined: Vec<(&Edge, (usize, usize))> = edges.iter().filter_map(|edge| Some((edge, ends(edge)?))).collect();
    let pairs = joined.iter().map(|(_, (from, to))| (*from as u32, *to as u32));
    let mut graph = DiGraph::<(), ()>::from_edges(pairs);
    while graph.node_count() < count {
        graph.add_node(());
    }
    let mut circle = vec![0; count];
    for (at, members) in kosaraju_scc(&graph).into_iter().enumerate() {
        members.into_iter().for_each(|member| circle[member.index()] = at);
    }
    let tells = |(edge, (from, to)): &(&Edge, (usize, usize))| !edge.role.is_flow() || circle[*from] != circle[*to];
    joined.into_iter().filter(tells).map(|(_, pair)| pair).collect()
}

/// All positions, each after what it needs. Of several that could come next, the one that most others wait for in a row,
/// then the one that needs what came last, then the first. Where some need one another in a circle, the first of those that
/// still wait goes ahead.
fn needed_first(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let plain = Walk::new(count, edges).order(|_, _| (0, 0));
    let heights = heights(&plain, edges);
    Walk::new(count, edges).order(|at, latest| (heights[at], latest))
}

/// Of each, how many stand on one another above it.
fn heights(order: &[usize], edges: &[(usize, usize)]) -> Vec<usize> {
    let place = inverse(order);
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
    // An edge of a circle that goes against the order says nothing.
    edges.iter().filter(|(from, to)| place[*to] < place[*from]).for_each(|(from, to)| needs[*from].push(*to));
    let mut heights = vec![0; order.len()];
    for from in order.iter().rev() {
        needs[*from].iter().for_each(|to| heights[*to] = heights[*to].max(heights[*from] + 1));
    }
    heights
}

/// Kahn's algorithm, over positions.
struct Walk {
    needed_by: Vec<Vec<usize>>,
    /// How many needs of each are not placed.
    open: Vec<usize>,
}

impl Walk {
    fn new(count: usize, edges: &[(usize, usize)]) -> Walk {
        let mut walk = Walk { needed_by: vec![Vec::new(); count], open: vec![0; count] };
        for (from, to) in edges {
            walk.needed_by[*to].push(*from);
            walk.open[*from] += 1;
        }
        walk
    }

    /// `rank`: of what is ready, and how many had been placed when it became so: the highest goes first.
    fn order(mut self, rank: impl Fn(usize, usize) -> (usize, usize)) -> Vec<usize> {
        let count = self.open.len();
        let ready = (0..count).filter(|at| self.open[*at] == 0).map(|at| (rank(at, 0), Reverse(at)));
        let mut ready: BinaryHeap<_> = ready.collect();
        let mut waiting = 0..count;
        let (mut order, mut done) = (Vec::with_capacity(count), vec![false; count]);
        while let Some(next) = ready.pop().map(|(_, next)| next.0).or_else(|| waiting.find(|at| !done[*at])) {
            if std::mem::replace(&mut done[next], true) {
                continue;
            }
            order.push(next);
            for by in &self.needed_by[next] {
                self.open[*by] -= 1;
                if self.open[*by] == 0 {
                    ready.push((rank(*by, order.len()), Reverse(*by)));
                }
            }
        }
        order
    }
}

fn inverse(order: &[usize]) -> Vec<usize> {
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, was)| place[*was] = at);
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Cluster, Node, Role};

    fn titles(edges: &[(usize, usize)]) -> Vec<String> {
        let cluster = |title: &str| Cluster { title: title.into(), ..Cluster::default() };
        let node = |at: usize| Node { id: at.to_string(), cluster: Some(at), ..Node::default() };
        let edge =
            |(from, to): &(usize, usize)| Edge { from: *from, to: *to, role: Default::default(), text: String::new() };
        let mut picture = Picture {
            title: String::new(),
            nodes: (0..3).map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            clusters: ["a", "b", "c"].map(cluster).into(),
        };
        stack(&mut picture);
        assert!(picture.nodes.iter().all(|node| "abc".contains(&picture.clusters[node.cluster.unwrap()].title)));
        let of = |at: usize| picture.nodes[at].id.parse::<usize>().unwrap();
        let mut named: Vec<_> = picture.edges.iter().map(|edge| (of(edge.from), of(edge.to))).collect();
        let mut given = edges.to_vec();
        named.sort_unstable();
        given.sort_unstable();
        assert_eq!(named, given, "edges go on to join the same nodes");
        picture.clusters.into_iter().map(|cluster| cluster.title).collect()
    }

    #[test]
    fn what_is_needed_stands_above_and_all_else_stays() {
        assert_eq!(titles(&[]), ["a", "b", "c"]);
        assert_eq!(titles(&[(0, 1), (1, 2)]), ["c", "b", "a"]);
        assert_eq!(titles(&[(0, 2)]), ["c", "a", "b"]);
    }

    #[test]
    fn what_flows_back_leaves_above_what_is_stood_on() {
        let edge = |(from, to, role)| Edge { from, to, role, text: String::new() };
        let circle = [(1, 0, Role::Base), (0, 1, Role::Data), (2, 0, Role::Data)].map(edge);
        assert_eq!(telling(&circle, 3, |edge| Some((edge.from, edge.to))), [(1, 0), (2, 0)]);
    }

    #[test]
    fn a_circle_is_broken_at_its_first() {
        assert_eq!(titles(&[(0, 1), (1, 0)]), ["c", "a", "b"]);
    }
}
