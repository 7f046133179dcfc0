//! The network simplex: numbers for vertices, so that bonds are as short as can be and none is shorter than it may.
//!
//! A tree of bonds at their least length is improved: the bond whose loss gains most leaves, the nearest one that joins
//! the two halves again enters (Gansner et al., section 2.3). Knows nothing of pictures.

use super::feasible::{self, Bond, Ends};

/// What one layout may take, in looks at a bond: some tenths of a second. Ranks hold after every step, so one that is
/// cut short is only longer than need be.
const EFFORT: usize = 15_000_000;
/// How often all vertices are moved one by one where that does not suffice.
const ROUNDS: usize = 4;

/// A rank for each of `count` vertices, 0 the smallest. The bonds have no circle.
pub(super) fn ranks(count: usize, bonds: &[Bond]) -> Vec<i64> {
    if count == 0 {
        return Vec::new();
    }
    // A root that holds all together and costs nothing.
    let mut bonds = bonds.to_vec();
    bonds.extend((0..count).map(|lower| Bond { upper: count, lower, min: 0, weight: 0 }));
    let ends = Ends::of(count + 1, &bonds);
    let ranks = feasible::longest_paths(&bonds, &ends);
    let tree = feasible::tree(&bonds, &ends, &ranks);
    let mut simplex = Simplex { bonds, ranks, tree };
    let most = EFFORT / (simplex.bonds.len() + count);
    let is_best = (0..most).any(|_| !simplex.improve());
    let Simplex { bonds, mut ranks, .. } = simplex;
    ranks.pop();
    if !is_best {
        relax(&bonds, &ends, &mut ranks);
    }
    let least = ranks.iter().min().copied().unwrap_or(0);
    ranks.iter().map(|rank| rank - least).collect()
}

/// Where the simplex was cut short: moves single vertices for as long as that makes bonds shorter, those that cost the same
/// anywhere downwards, so that what stands on them alone can follow. The root holds nothing here.
fn relax(bonds: &[Bond], ends: &Ends, ranks: &mut [i64]) {
    let root = ranks.len();
    let down = ends.downwards(bonds);
    let weight = |all: &[usize]| all.iter().map(|at| bonds[*at].weight).sum::<i64>();
    for _ in 0..ROUNDS {
        for vertex in down.iter().rev().copied().filter(|vertex| *vertex != root) {
            let last = ends.below[vertex].iter().map(|at| ranks[bonds[*at].lower] - bonds[*at].min).min();
            if let Some(last) = last.filter(|_| weight(&ends.below[vertex]) >= weight(&ends.above[vertex])) {
                ranks[vertex] = last;
            }
        }
        for vertex in down.iter().copied().filter(|vertex| *vertex != root) {
            let above = ends.above[vertex].iter().filter(|at| bonds[**at].upper != root);
            let first = above.map(|at| ranks[bonds[*at].upper] + bonds[*at].min).max();
            if let Some(first) = first.filter(|_| weight(&ends.below[vertex]) < weight(&ends.above[vertex])) {
                ranks[vertex] = first;
            }
        }
    }
}

struct Simplex {
    bonds: Vec<Bond>,
    ranks: Vec<i64>,
    /// The tree's bonds, by position.
    tree: Vec<usize>,
}

/// The tree hung up at the last vertex.
struct Hung {
    /// The bond that each vertex hangs by.
    by: Vec<Option<usize>>,
    /// When a walk in depth comes to each vertex, and how many vertices it had seen when it leaves.
    came: Vec<usize>,
    left: Vec<usize>,
    order: Vec<usize>,
}

impl Hung {
    /// Whether `vertex` is `top` or hangs below it.
    fn below(&self, top: usize, vertex: usize) -> bool {
        (self.came[top]..self.left[top]).contains(&self.came[vertex])
    }
}

impl Simplex {
    fn slack(&self, bond: usize) -> i64 {
        self.bonds[bond].slack(&self.ranks)
    }

    fn shift(&mut self, by: i64, moves: impl Fn(usize) -> bool) {
        let moved = self.ranks.iter_mut().enumerate().filter(|(vertex, _)| moves(*vertex));
        moved.for_each(|(_, rank)| *rank += by);
    }

    /// Exchanges one bond of the tree for a better one; false where none is better.
    fn improve(&mut self) -> bool {
        let hung = self.hang();
        let Some(top) = self.worst(&hung) else { return false };
        let Some(leaving) = hung.by[top] else { return false };
        let top_is_upper = self.bonds[leaving].upper == top;
        let enters = |at: &usize| {
            let Bond { upper, lower, .. } = self.bonds[*at];
            let (upper, lower) = (hung.below(top, upper), hung.below(top, lower));
            upper != lower && lower == top_is_upper
        };
        let Some(entering) = (0..self.bonds.len()).filter(enters).min_by_key(|at| self.slack(*at)) else {
            return false;
        };
        let slack = self.slack(entering);
        self.shift(if top_is_upper { -slack } else { slack }, |vertex| hung.below(top, vertex));
        self.tree.retain(|at| *at != leaving);
        self.tree.push(entering);
        true
    }

    fn hang(&self) -> Hung {
        let count = self.ranks.len();
        let mut near = vec![Vec::new(); count];
        for at in &self.tree {
            let Bond { upper, lower, .. } = self.bonds[*at];
            near[upper].push((*at, lower));
            near[lower].push((*at, upper));
        }
        let mut hung =
            Hung { by: vec![None; count], came: vec![usize::MAX; count], left: vec![0; count], order: Vec::new() };
        let mut path = vec![(count - 1, 0)];
        hung.came[count - 1] = 0;
        hung.order.push(count - 1);
        while let Some((vertex, next)) = path.last_mut() {
            let Some((bond, other)) = near[*vertex].get(*next).copied() else {
                hung.left[*vertex] = hung.order.len();
                path.pop();
                continue;
            };
            *next += 1;
            if hung.came[other] == usize::MAX {
                hung.came[other] = hung.order.len();
                hung.by[other] = Some(bond);
                hung.order.push(other);
                path.push((other, 0));
            }
        }
        hung
    }

    /// The vertex whose bond upwards in the tree had best go: what leaves the part below it less what enters, seen from
    /// the bond's upper end, is the most negative.
    fn worst(&self, hung: &Hung) -> Option<usize> {
        let mut sums = vec![0; self.ranks.len()];
        for bond in &self.bonds {
            sums[bond.upper] += bond.weight;
            sums[bond.lower] -= bond.weight;
        }
        let mut worst = (0, None);
        for vertex in hung.order.iter().rev() {
            let Some(bond) = hung.by[*vertex].map(|at| self.bonds[at]) else { continue };
            let is_upper = bond.upper == *vertex;
            let cut = if is_upper { sums[*vertex] } else { -sums[*vertex] };
            worst = if cut < worst.0 { (cut, Some(*vertex)) } else { worst };
            sums[if is_upper { bond.lower } else { bond.upper }] += sums[*vertex];
        }
        worst.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bonds(pairs: &[(usize, usize)]) -> Vec<Bond> {
        pairs.iter().map(|(upper, lower)| Bond { upper: *upper, lower: *lower, min: 1, weight: 1 }).collect()
    }

    fn cost(ranks: &[i64], bonds: &[Bond]) -> i64 {
        bonds.iter().map(|bond| bond.weight * (ranks[bond.lower] - ranks[bond.upper])).sum()
    }

    #[test]
    fn a_late_need_moves_down_to_those_who_need_it() {
        // 0 → 1 → 2 → 3, and 4 needed by 3 only: the longest path would leave 4 on top.
        let bonds = bonds(&[(0, 1), (1, 2), (2, 3), (4, 3)]);
        assert_eq!(ranks(5, &bonds), [0, 1, 2, 3, 2]);
    }

    /// Held against every way there is.
    #[test]
    fn no_other_ranks_cost_less() {
        let edges = [(0, 1), (1, 2), (2, 3), (4, 3), (4, 5), (5, 3)];
        let bonds = bonds(&edges);
        let found = ranks(6, &bonds);
        let ways = (0..6_i64.pow(6)).map(|way| (0..6).map(|at| way / 6_i64.pow(at) % 6).collect::<Vec<i64>>());
        let allowed = |ranks: &Vec<i64>| bonds.iter().all(|bond| ranks[bond.lower] - ranks[bond.upper] >= bond.min);
        let best = ways.filter(allowed).map(|ranks| cost(&ranks, &bonds)).min();
        assert!(allowed(&found));
        assert_eq!(Some(cost(&found, &bonds)), best);
    }

    #[test]
    fn what_is_cut_short_is_mended_a_vertex_at_a_time() {
        // 0 → 1 → 2 → 3 → 4, and 5 → 6 needed by 4 only; the root is 7.
        let mut bonds = bonds(&[(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 4)]);
        bonds.extend((0..7).map(|lower| Bond { upper: 7, lower, min: 0, weight: 0 }));
        let ends = Ends::of(8, &bonds);
        let mut ranks = feasible::longest_paths(&bonds, &ends);
        ranks.pop();
        assert_eq!(ranks, [0, 1, 2, 3, 4, 0, 1]);
        relax(&bonds, &ends, &mut ranks);
        assert_eq!(ranks, [0, 1, 2, 3, 4, 2, 3]);
    }

    #[test]
    fn nothing_and_one_are_ranked() {
        assert_eq!(ranks(0, &[]), [0; 0]);
        assert_eq!(ranks(2, &[]), [0, 0]);
    }
}
