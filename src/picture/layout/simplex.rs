//! The network simplex: numbers for vertices, so that bonds are as short as can be and none is shorter than it may.
//!
//! A tree of bonds at their least length is improved: the bond whose loss gains most leaves, the nearest one that joins
//! the two halves again enters (Gansner et al., section 2.3). Knows nothing of pictures.

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

/// What one layout may take, in looks at a bond: some tenths of a second. Ranks hold after every step, so one that is
/// cut short is only longer than need be.
const EFFORT: usize = 60_000_000;

/// A rank for each of `count` vertices, 0 the smallest. The bonds have no circle.
pub(super) fn ranks(count: usize, bonds: &[Bond]) -> Vec<i64> {
    if count == 0 {
        return Vec::new();
    }
    // A root that holds all together and costs nothing.
    let mut bonds = bonds.to_vec();
    bonds.extend((0..count).map(|lower| Bond { upper: count, lower, min: 0, weight: 0 }));
    let mut simplex = Simplex { ranks: longest_paths(count + 1, &bonds), tree: Vec::new(), bonds };
    simplex.grow();
    for _ in 0..EFFORT / (simplex.bonds.len() + count) {
        if !simplex.improve() {
            break;
        }
    }
    simplex.ranks.pop();
    let least = simplex.ranks.iter().min().copied().unwrap_or(0);
    simplex.ranks.iter().map(|rank| rank - least).collect()
}

/// The least ranks that all bonds allow.
fn longest_paths(count: usize, bonds: &[Bond]) -> Vec<i64> {
    let (mut lowers, mut waiting) = (vec![Vec::new(); count], vec![0; count]);
    for bond in bonds {
        lowers[bond.upper].push(bond);
        waiting[bond.lower] += 1;
    }
    let mut ranks = vec![0; count];
    let mut free: Vec<usize> = (0..count).filter(|vertex| waiting[*vertex] == 0).collect();
    while let Some(vertex) = free.pop() {
        for bond in &lowers[vertex] {
            ranks[bond.lower] = ranks[bond.lower].max(ranks[vertex] + bond.min);
            waiting[bond.lower] -= 1;
            if waiting[bond.lower] == 0 {
                free.push(bond.lower);
            }
        }
    }
    ranks
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
        let Bond { upper, lower, min, .. } = self.bonds[bond];
        self.ranks[lower] - self.ranks[upper] - min
    }

    /// Grows a tree of bonds without slack that reaches all: where there is none, what is in the tree moves.
    fn grow(&mut self) {
        let mut inside = vec![false; self.ranks.len()];
        if let Some(root) = inside.last_mut() {
            *root = true;
        }
        while let Some(bond) = self.nearest(&inside) {
            let Bond { upper, lower, .. } = self.bonds[bond];
            let by = if inside[upper] { self.slack(bond) } else { -self.slack(bond) };
            self.shift(by, |vertex| inside[vertex]);
            inside[upper] = true;
            inside[lower] = true;
            self.tree.push(bond);
        }
    }

    /// Of the bonds with one end inside, one with the least slack.
    fn nearest(&self, inside: &[bool]) -> Option<usize> {
        let crossing =
            (0..self.bonds.len()).filter(|at| inside[self.bonds[*at].upper] != inside[self.bonds[*at].lower]);
        crossing.min_by_key(|at| self.slack(*at))
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
        let edges = [(0, 3), (1, 3), (0, 4), (3, 5), (2, 5), (4, 5), (1, 4), (2, 4), (0, 5)];
        let bonds = bonds(&edges);
        let found = ranks(6, &bonds);
        let ways = (0..6_i64.pow(6)).map(|way| (0..6).map(|at| way / 6_i64.pow(at) % 6).collect::<Vec<i64>>());
        let allowed = |ranks: &Vec<i64>| bonds.iter().all(|bond| ranks[bond.lower] - ranks[bond.upper] >= bond.min);
        let best = ways.filter(allowed).map(|ranks| cost(&ranks, &bonds)).min();
        assert!(allowed(&found));
        assert_eq!(Some(cost(&found, &bonds)), best);
    }

    #[test]
    fn nothing_and_one_are_ranked() {
        assert_eq!(ranks(0, &[]), [0; 0]);
        assert_eq!(ranks(2, &[]), [0, 0]);
    }
}
