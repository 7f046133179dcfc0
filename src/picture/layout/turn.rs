//! Which end of each edge is the upper one, without circles; and how clusters are stacked.
//!
//! Every node has a slot: clusters take the odd ones from top to bottom, nodes outside of them the even ones between, so
//! that a frame never has a stranger within. An edge between slots goes down whatever it says; within one, circles are
//! broken.

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
    let count = picture.clusters.len();
    let above = clusters_above(picture, links);
    let mut place: Vec<Option<usize>> = vec![None; count];
    for next in 0..count {
        let open = || (0..count).filter(|cluster| place[*cluster].is_none());
        let free = open().find(|cluster| above[*cluster].iter().all(|other| place[*other].is_some()));
        // Two that need each other: the order given decides.
        if let Some(cluster) = free.or_else(|| open().next()) {
            place[cluster] = Some(next);
        }
    }
    place.into_iter().flatten().collect()
}

/// The other clusters that each stands on, also by way of nodes that are in none. What flows or is published says
/// nothing of that.
fn clusters_above(picture: &Picture, links: &[Link]) -> Vec<Vec<usize>> {
    let mut uppers = vec![Vec::new(); picture.nodes.len()];
    for link in links {
        let role = picture.edges[link.edge].role;
        if !role.is_flow() && role != Role::Published {
            uppers[link.lower].push(link.upper);
        }
    }
    let found = |cluster: usize| {
        let members = (0..picture.nodes.len()).filter(|node| picture.nodes[*node].cluster == Some(cluster));
        let (mut open, mut seen): (Vec<usize>, _) = (members.collect(), vec![false; picture.nodes.len()]);
        let mut above = Vec::new();
        while let Some(node) = open.pop() {
            for upper in &uppers[node] {
                match picture.nodes[*upper].cluster {
                    Some(other) if other != cluster => above.push(other),
                    None if !seen[*upper] => open.push(*upper),
                    _ => {}
                }
                seen[*upper] = true;
            }
        }
        above
    };
    (0..picture.clusters.len()).map(found).collect()
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
