//! Where the network simplex begins: ranks that all bonds allow, and a tree of bonds at their least length. Knows nothing of
//! what bonds cost.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A wish for `lower` to be near below `upper`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bond {
    pub upper: usize,
    pub lower: usize,
    /// The least distance.
    pub min: i64,
    /// What a step more costs; not negative.
    pub weight: i64,
}

impl Bond {
    /// What it is longer than it must be.
    pub(super) fn slack(&self, ranks: &[i64]) -> i64 {
        ranks[self.lower] - ranks[self.upper] - self.min
    }
}

/// Bonds by their ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    /// By vertex, the positions of the bonds whose lower end it is.
    pub above: Vec<Vec<usize>>,
    /// The same where it is the upper end.
    pub below: Vec<Vec<usize>>,
}

impl Ends {
    /// Of `count` vertices.
    pub(super) fn of(count: usize, bonds: &[Bond]) -> Self {
        let mut ends = Self { above: vec![Vec::new(); count], below: vec![Vec::new(); count] };
        for (at, bond) in bonds.iter().enumerate() {
            ends.above[bond.lower].push(at);
            ends.below[bond.upper].push(at);
        }
        ends
    }

    /// All vertices, each behind what is above it; the bonds have no circle.
    pub(super) fn downwards(&self, bonds: &[Bond]) -> Vec<usize> {
        let mut waiting: Vec<usize> = self.above.iter().map(Vec::len).collect();
        let mut order: Vec<usize> = (0..waiting.len()).filter(|vertex| waiting[*vertex] == 0).collect();
        let mut next = 0;
        while let Some(vertex) = order.get(next).copied() {
            next += 1;
            for lower in self.below[vertex].iter().map(|bond| bonds[*bond].lower) {
                waiting[lower] -= 1;
                order.extend((waiting[lower] == 0).then_some(lower));
            }
        }
        order
    }
}

/// The least ranks that all bonds allow: whatever is below others is below one of them by no more than it must.
pub(super) fn longest_paths(bonds: &[Bond], ends: &Ends) -> Vec<i64> {
    let mut ranks = vec![0; ends.above.len()];
    for vertex in ends.downwards(bonds) {
        let least = ends.above[vertex].iter().map(|bond| ranks[bonds[*bond].upper] + bonds[*bond].min);
        ranks[vertex] = least.max().unwrap_or(0).max(0);
    }
    ranks
}

/// A tree of bonds without slack, by position, from the last vertex to all, which are below it: it grows by the first of
/// those with one end in it. The ranks are [`longest_paths`]'.
pub(super) fn tree(bonds: &[Bond], ends: &Ends, ranks: &[i64]) -> Vec<usize> {
    let mut inside = vec![false; ranks.len()];
    let (mut border, mut tree) = (BinaryHeap::new(), Vec::with_capacity(ranks.len()));
    let mut next = ranks.len().checked_sub(1);
    while let Some(vertex) = next {
        inside[vertex] = true;
        let tight = ends.above[vertex].iter().chain(&ends.below[vertex]).filter(|at| bonds[**at].slack(ranks) == 0);
        border.extend(tight.copied().map(Reverse));
        next = std::iter::from_fn(|| border.pop()).find_map(|Reverse(at)| {
            let outside = [bonds[at].upper, bonds[at].lower].into_iter().find(|end| !inside[*end])?;
            tree.push(at);
            Some(outside)
        });
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Gansner et al. say it: of all bonds with one end inside, the first with the least slack; what is inside moves until
    /// it has none.
    fn plainly(bonds: &[Bond], ranks: &mut [i64]) -> Vec<usize> {
        let mut inside = vec![false; ranks.len()];
        inside[ranks.len() - 1] = true;
        let mut tree = Vec::new();
        loop {
            let crossing = (0..bonds.len()).filter(|at| inside[bonds[*at].upper] != inside[bonds[*at].lower]);
            let Some(at) = crossing.min_by_key(|at| bonds[*at].slack(ranks)) else { return tree };
            let by = if inside[bonds[at].upper] { bonds[at].slack(ranks) } else { -bonds[at].slack(ranks) };
            (0..ranks.len()).filter(|vertex| inside[*vertex]).for_each(|vertex| ranks[vertex] += by);
            inside[bonds[at].upper] = true;
            inside[bonds[at].lower] = true;
            tree.push(at);
        }
    }

    #[test]
    fn a_tree_grows_by_the_nearest_bond() {
        let mut state = 1_u64;
        let mut next = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        for count in 2..60 {
            let bond = |lower: usize, upper, min| Bond { upper, lower, min, weight: 1 };
            let mut bonds: Vec<Bond> = (1..count)
                .flat_map(|at| [(at, next(at)), (at, next(at))])
                .map(|(at, to)| bond(at, to, 1 + (at % 3) as i64))
                .collect();
            bonds.extend((0..count).map(|at| bond(at, count, 0)));
            let ends = Ends::of(count + 1, &bonds);
            let ranks = longest_paths(&bonds, &ends);
            let mut moved = ranks.clone();
            assert_eq!(tree(&bonds, &ends, &ranks), plainly(&bonds, &mut moved));
            assert_eq!(ranks, moved, "nothing has to move");
            assert!(bonds.iter().all(|bond| bond.slack(&ranks) >= 0));
        }
    }
}
