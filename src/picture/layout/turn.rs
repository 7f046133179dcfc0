//! Which end of each edge is the upper one, without circles; and how clusters are stacked.
//!
//! Every node has a slot: clusters take the odd ones from top to bottom, nodes outside of them the even ones between, so
//! that a frame never has a stranger within. An edge between slots goes down whatever it says; within one, circles are
//! broken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::picture::model::{Picture, Role, Shape};

/// An edge as the layout sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Its position in the picture.
    pub edge: usize,
    pub upper: usize,
    pub lower: usize,
}

/// All edges but those from a node to itself, and each node's slot.
pub(super) fn turned(picture: &Picture) -> (Vec<Link>, Vec<usize>) {
    let mut links: Vec<Link> = (0..picture.edges.len()).map(|edge| natural(picture, edge)).collect();
    links.retain(|link| link.upper != link.lower);
    let slots = slots(picture, &links);
    for link in &mut links {
        if slots[link.upper] > slots[link.lower] {
            (link.upper, link.lower) = (link.lower, link.upper);
        }
    }
    break_circles(picture, &mut links, &slots);
    (links, slots)
}

/// What is needed stands above; what flows, or is published, falls.
fn natural(picture: &Picture, edge: usize) -> Link {
    let it = &picture.edges[edge];
    let falls = match it.role {
        Role::Flow => true,
        Role::Published => picture.nodes[it.from].shape != Shape::Pulled,
        Role::Base | Role::Part | Role::Checks | Role::Data => false,
    };
    if falls { Link { edge, upper: it.from, lower: it.to } } else { Link { edge, upper: it.to, lower: it.from } }
}

fn slots(picture: &Picture, links: &[Link]) -> Vec<usize> {
    let stack = stacked(picture, links);
    let mut slots: Vec<Option<usize>> = vec![None; picture.nodes.len()];
    for (slot, node) in slots.iter_mut().zip(&picture.nodes) {
        *slot = node.cluster.map(|cluster| 2 * stack[cluster] + 1);
    }
    // Below all that it stands on …
    let downwards = links.iter().map(|link| (link.upper, link.lower));
    settle(&mut slots, downwards, |slot| slot + slot % 2, |new, old| new > old);
    // … and what stands on nothing, right above those that need it.
    let upwards = links.iter().map(|link| (link.lower, link.upper));
    settle(&mut slots, upwards, |slot| slot - slot % 2, |new, old| new < old);
    slots.into_iter().map(|slot| slot.unwrap_or(2 * picture.clusters.len())).collect()
}

/// Carries slots along `pairs` to nodes that have none yet, until nothing changes. Ends: each step goes one way only.
fn settle(
    slots: &mut [Option<usize>],
    pairs: impl Iterator<Item = (usize, usize)> + Clone,
    beside: impl Fn(usize) -> usize,
    better: impl Fn(usize, usize) -> bool,
) {
    let fixed: Vec<bool> = slots.iter().map(Option::is_some).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for (from, to) in pairs.clone().filter(|(_, to)| !fixed[*to]) {
            let Some(slot) = slots[from].map(&beside) else { continue };
            if slots[to].is_none_or(|old| better(slot, old)) {
                slots[to] = Some(slot);
                changed = true;
            }
        }
    }
}

/// Each cluster's place from the top: the order given, but for those that stand on a later one.
fn stacked(picture: &Picture, links: &[Link]) -> Vec<usize> {
    let above = clusters_above(picture, links);
    let (mut below, mut place) = (vec![Vec::new(); above.len()], vec![None; above.len()]);
    above.iter().enumerate().for_each(|(cluster, all)| all.iter().for_each(|other| below[*other].push(cluster)));
    let mut waits: Vec<usize> = above.iter().map(Vec::len).collect();
    let mut free: BinaryHeap<_> = (0..waits.len()).filter(|cluster| waits[*cluster] == 0).map(Reverse).collect();
    let (mut open, mut next) = (0..waits.len(), 0);
    // Two that need each other: the order given decides.
    while let Some(cluster) = free.pop().map(|free| free.0).or_else(|| open.find(|open| place[*open].is_none())) {
        if place[cluster].is_none() {
            place[cluster] = Some(next);
            next += 1;
            for other in &below[cluster] {
                waits[*other] -= 1;
                free.extend((waits[*other] == 0).then_some(Reverse(*other)));
            }
        }
    }
    place.into_iter().flatten().collect()
}

/// The other clusters that each stands on, also by way of nodes that are in none; one may stand there several times. What
/// flows or is published says nothing of that.
fn clusters_above(picture: &Picture, links: &[Link]) -> Vec<Vec<usize>> {
    let mut uppers = vec![Vec::new(); picture.nodes.len()];
    for link in links {
        let role = picture.edges[link.edge].role;
        if !role.is_flow() && role != Role::Published {
            uppers[link.lower].push(link.upper);
        }
    }
    // For which cluster each node was seen last.
    let mut seen = vec![None; picture.nodes.len()];
    let mut found = |(cluster, mut open): (usize, Vec<usize>)| {
        let mut above = Vec::new();
        while let Some(node) = open.pop() {
            for upper in &uppers[node] {
                match picture.nodes[*upper].cluster {
                    Some(other) if other != cluster => above.push(other),
                    None if seen[*upper] != Some(cluster) => open.push(*upper),
                    _ => {}
                }
                seen[*upper] = Some(cluster);
            }
        }
        above
    };
    picture.members().into_iter().enumerate().map(&mut found).collect()
}

/// Turns the links that close a circle within their slot. Those that say least of what stands on what are turned first.
fn break_circles(picture: &Picture, links: &mut [Link], slots: &[usize]) {
    let mut by_weight: Vec<usize> = (0..links.len()).filter(|at| level(&links[*at], slots)).collect();
    by_weight.sort_by_key(|at| picture.edges[links[*at].edge].role.is_flow());
    let mut lowers = vec![Vec::new(); picture.nodes.len()];
    for at in &by_weight {
        lowers[links[*at].upper].push(links[*at].lower);
    }
    let finished = finished(&lowers);
    for at in by_weight {
        let link = &mut links[at];
        if finished[link.upper] < finished[link.lower] {
            (link.upper, link.lower) = (link.lower, link.upper);
        }
    }
}

fn level(link: &Link, slots: &[usize]) -> bool {
    slots[link.upper] == slots[link.lower]
}

/// When each node is left in a walk in depth: along a link that closes no circle, later than its lower end.
fn finished(lowers: &[Vec<usize>]) -> Vec<usize> {
    let (mut finished, mut seen, mut clock) = (vec![0; lowers.len()], vec![false; lowers.len()], 0);
    for start in 0..lowers.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(lower) = lowers[*node].get(*next).copied() else {
                clock += 1;
                finished[*node] = clock;
                path.pop();
                continue;
            };
            *next += 1;
            if !std::mem::replace(&mut seen[lower], true) {
                path.push((lower, 0));
            }
        }
    }
    finished
}
