//! Which row each node is in: edges as short as can be, each cluster in rows of its own.

use super::feasible::{Bond, Ends};
use super::pack::Part;
use super::simplex;
use super::turn::Link;
use crate::picture::model::{Picture, Role};

/// The row of each of a part's nodes, in the same order; 0 is the uppermost.
pub(super) fn ranked(picture: &Picture, part: &Part) -> Vec<usize> {
    let count = part.nodes.len();
    let mut bonds: Vec<Bond> = part.links.iter().map(|link| bond(picture, link, &part.whole.local)).collect();
    bonds.extend(fences(picture, &part.nodes, &part.whole.slots));
    let vertices = count + 2 * picture.clusters.len();
    let mut ranks = simplex::ranks(vertices, &bonds);
    let ends = Ends::of(vertices, &bonds);
    ranks.truncate(count);
    spread(&mut ranks, &bonds, &ends);
    ranks.into_iter().map(|rank| usize::try_from(rank).unwrap_or(0)).collect()
}

fn bond(picture: &Picture, link: &Link, local: &[usize]) -> Bond {
    let edge = &picture.edges[link.edge];
    // A text takes a row of its own between the two.
    let min = if edge.text.is_empty() { 1 } else { 2 };
    let weight = if edge.role == Role::Base { 2 } else { 1 };
    Bond { upper: local[link.upper], lower: local[link.lower], min, weight }
}

/// What keeps clusters apart: each has a vertex above and one below all of its nodes; those of slot 2k+1 are numbered
/// 2k and 2k+1 after the nodes.
fn fences(picture: &Picture, nodes: &[usize], slots: &[usize]) -> Vec<Bond> {
    let count = picture.clusters.len();
    let (top, bottom) = (|k: usize| nodes.len() + 2 * k, |k: usize| nodes.len() + 2 * k + 1);
    let fence = |upper, lower, min, weight| Bond { upper, lower, min, weight };
    let mut fences: Vec<Bond> = (0..count).map(|k| fence(top(k), bottom(k), 0, 1)).collect();
    fences.extend((1..count).map(|k| fence(bottom(k - 1), top(k), 1, 0)));
    for (at, node) in nodes.iter().enumerate() {
        let k = slots[*node] / 2;
        if slots[*node] % 2 == 1 {
            fences.extend([fence(top(k), at, 0, 0), fence(at, bottom(k), 0, 0)]);
            continue;
        }
        fences.extend((k > 0).then(|| fence(bottom(k - 1), at, 1, 0)));
        fences.extend((k < count).then(|| fence(at, top(k), 1, 0)));
    }
    fences
}

/// Moves nodes that may stand on several rows at the same cost to the emptiest.
fn spread(ranks: &mut [i64], bonds: &[Bond], ends: &Ends) {
    let count = ranks.len();
    let rows = ranks.iter().max().map_or(0, |last| last + 1);
    let mut filled = vec![0_usize; usize::try_from(rows).unwrap_or(0)];
    ranks.iter().for_each(|rank| filled[*rank as usize] += 1);
    for at in 0..count {
        let above = || ends.above[at].iter().map(|bond| bonds[*bond]);
        let below = || ends.below[at].iter().map(|bond| bonds[*bond]);
        let weight = above().map(|bond| bond.weight).sum::<i64>() - below().map(|bond| bond.weight).sum::<i64>();
        // Fences have no rank of their own here, so what is held by them stays.
        if weight != 0 || above().chain(below()).any(|bond| bond.upper >= count || bond.lower >= count) {
            continue;
        }
        let first = above().map(|bond| ranks[bond.upper] + bond.min).max().unwrap_or(0);
        let last = below().map(|bond| ranks[bond.lower] - bond.min).min().unwrap_or(rows - 1);
        let Some(best) = (first..=last).min_by_key(|row| (filled[*row as usize], (row - ranks[at]).abs())) else {
            continue;
        };
        if filled[best as usize] + 1 < filled[ranks[at] as usize] {
            filled[ranks[at] as usize] -= 1;
            filled[best as usize] += 1;
            ranks[at] = best;
        }
    }
}
