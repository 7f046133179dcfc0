//! Who stands left of whom: few crossings.
//!
//! From several first orders, sweeps down and up put each cell where its neighbours are (at their median or their
//! mean), and neighbours change places where that helps (Gansner et al., section 3). The best of all is kept.

use super::rows::Rows;

/// Sweeps from each first order.
const SWEEPS: usize = 24;
/// Sweeps without a gain after which no more is hoped for.
const PATIENCE: usize = 8;
/// What a part may take, in links looked at: some tenths of a second.
const EFFORT: usize = 12_000_000;
/// What the sweeps from one first order of each part may take, in the same measure: some seconds.
const MOST: usize = 28_800_000;
/// Sweeps of the largest.
const LEAST_SWEEPS: usize = 4;
/// Pairs of links from which on they are sorted to be compared.
const MANY: usize = 64;
/// First orders that are tried at least, and at most.
const STARTS: (usize, usize) = (1, 16);

/// The same rows in an order with few crossings. `whole`: the size of all parts, which share what may be taken.
pub(super) fn ordered(mut rows: Rows, whole: usize) -> Rows {
    let a_sweep = |size: usize| 8 * (size + 1);
    let sweeps = (MOST / a_sweep(whole)).clamp(LEAST_SWEEPS, SWEEPS);
    let starts = (EFFORT / a_sweep(rows.size())).min(10 * MOST / a_sweep(whole)) / SWEEPS;
    let starts = starts.clamp(STARTS.0, STARTS.1);
    let mut best = (usize::MAX, Vec::new());
    for start in 0..starts {
        let mut order = Order::begin(&rows, start);
        let found = order.improve(sweeps, start % 2 == 0);
        best = if found < best.0 { (found, order.rows) } else { best };
        if found == 0 {
            break;
        }
    }
    rows.rows = best.1;
    rows
}

/// A way to turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Up,
    Down,
}

struct Order {
    rows: Vec<Vec<usize>>,
    /// Each cell's place in its row.
    at: Vec<usize>,
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
}

impl Order {
    /// A first order: cells as a walk in depth comes to them, from above or from below, from each in turn or, later,
    /// from some in a shuffled order.
    fn begin(rows: &Rows, start: usize) -> Self {
        let bare = |links: &Vec<Vec<(usize, f64)>>| -> Vec<Vec<usize>> {
            links.iter().map(|links| links.iter().map(|(cell, _)| *cell).collect()).collect()
        };
        let (up, down) = (bare(&rows.up), bare(&rows.down));
        let mut roots: Vec<usize> = rows.rows.iter().flatten().copied().collect();
        if start % 4 > 1 {
            roots.reverse();
        }
        if start > 3 {
            shuffle(&mut roots, start as u64);
        }
        let (ahead, back) = if start % 4 < 2 { (&down, &up) } else { (&up, &down) };
        let mut order = Self {
            rows: vec![Vec::new(); rows.rows.len()],
            at: vec![0; rows.cells.len()],
            up: Vec::new(),
            down: Vec::new(),
        };
        for cell in walked(&roots, ahead, back) {
            order.rows[rows.cells[cell].row].push(cell);
        }
        (order.up, order.down) = (up, down);
        (0..order.rows.len()).for_each(|row| order.number(row));
        order
    }

    fn number(&mut self, row: usize) {
        self.rows[row].iter().enumerate().for_each(|(place, cell)| self.at[*cell] = place);
    }

    fn crossings(&self) -> usize {
        (1..self.rows.len()).map(|row| self.between(row - 1)).sum()
    }

    /// The crossings between a row and the next: inversions, counted with a Fenwick tree.
    fn between(&self, row: usize) -> usize {
        let width = self.rows[row + 1].len();
        let (mut tree, mut seen, mut found) = (vec![0_usize; width + 1], 0, 0);
        for cell in &self.rows[row] {
            let ends = || self.down[*cell].iter().map(|lower| self.at[*lower] + 1);
            for end in ends() {
                let (mut node, mut up_to) = (end, 0);
                while node > 0 {
                    up_to += tree[node];
                    node &= node - 1;
                }
                found += seen - up_to;
            }
            for end in ends() {
                seen += 1;
                let mut node = end;
                while node <= width {
                    tree[node] += 1;
                    node += node & node.wrapping_neg();
                }
            }
        }
        found
    }

    /// Sweeps as long as that helps, and keeps the best that was seen; its crossings.
    fn improve(&mut self, sweeps: usize, by_median: bool) -> usize {
        let (mut least, mut best, mut idle) = (self.crossings(), self.rows.clone(), 0);
        for sweep in 0..sweeps {
            if least == 0 || idle == PATIENCE {
                break;
            }
            self.sweep(sweep, by_median);
            let crossings = self.crossings();
            idle += 1;
            if crossings < least {
                (least, best, idle) = (crossings, self.rows.clone(), 0);
            }
        }
        self.rows = best;
        least
    }

    fn sweep(&mut self, sweep: usize, by_median: bool) {
        let count = self.rows.len();
        // Every other pair of sweeps lets equals change places.
        let flip = sweep % 4 > 1;
        if sweep.is_multiple_of(2) {
            (1..count).for_each(|row| self.gather(row, Towards::Up, by_median, flip));
        } else {
            (0..count.saturating_sub(1)).rev().for_each(|row| self.gather(row, Towards::Down, by_median, flip));
        }
        // Seldom more than a few rounds help.
        for _ in 0..6 {
            let helped = (0..count).filter(|row| self.exchange(*row, flip)).count();
            if helped == 0 {
                break;
            }
        }
    }

    fn near(&self, cell: usize, towards: Towards) -> &[usize] {
        if towards == Towards::Up { &self.up[cell] } else { &self.down[cell] }
    }

    /// Sorts a row by where its cells' neighbours stand. Cells without any keep their places.
    fn gather(&mut self, row: usize, towards: Towards, by_median: bool, flip: bool) {
        let wish = |cell: &usize| {
            let places = self.places(self.near(*cell, towards));
            if by_median { median(&places) } else { mean(&places) }
        };
        let wishes: Vec<Option<f64>> = self.rows[row].iter().map(wish).collect();
        let mut movers: Vec<(f64, usize)> =
            self.rows[row].iter().zip(&wishes).filter_map(|(cell, wish)| Some(((*wish)?, *cell))).collect();
        if flip {
            movers.reverse();
        }
        movers.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut movers = movers.into_iter();
        for (place, wish) in self.rows[row].iter_mut().zip(wishes) {
            if let Some((_, cell)) = wish.and_then(|_| movers.next()) {
                *place = cell;
            }
        }
        self.number(row);
    }

    /// Exchanges neighbours in a row that cross less the other way round; equals too where `flip` says so.
    fn exchange(&mut self, row: usize, flip: bool) -> bool {
        let mut better = false;
        for place in 1..self.rows[row].len() {
            let (left, right) = (self.rows[row][place - 1], self.rows[row][place]);
            let (as_is, other) = self.pair(left, right);
            if other < as_is || flip && other == as_is {
                self.rows[row].swap(place - 1, place);
                (self.at[left], self.at[right]) = (place, place - 1);
                better |= other < as_is;
            }
        }
        better
    }

    /// The crossings of two neighbours' links as they stand, and the other way round.
    fn pair(&self, left: usize, right: usize) -> (usize, usize) {
        let (mut as_is, mut other) = (0, 0);
        for towards in [Towards::Up, Towards::Down] {
            let (left, right) = (self.near(left, towards), self.near(right, towards));
            if left.len() * right.len() > MANY {
                let (left, right) = (self.places(left), self.places(right));
                as_is += before(&right, &left);
                other += before(&left, &right);
                continue;
            }
            for a in left {
                for b in right {
                    as_is += usize::from(self.at[*a] > self.at[*b]);
                    other += usize::from(self.at[*a] < self.at[*b]);
                }
            }
        }
        (as_is, other)
    }

    /// Where cells stand in their row, sorted.
    fn places(&self, cells: &[usize]) -> Vec<usize> {
        let mut places: Vec<usize> = cells.iter().map(|cell| self.at[*cell]).collect();
        places.sort_unstable();
        places
    }
}

/// Of two sorted lists, how many pairs there are whose first is less than the second.
fn before(firsts: &[usize], seconds: &[usize]) -> usize {
    let mut less = 0;
    let counts = seconds.iter().map(|second| {
        less += firsts[less..].iter().take_while(|first| *first < second).count();
        less
    });
    counts.sum()
}

/// All cells as a walk in depth meets them.
fn walked(roots: &[usize], ahead: &[Vec<usize>], back: &[Vec<usize>]) -> Vec<usize> {
    let (mut seen, mut order) = (vec![false; ahead.len()], Vec::new());
    let ends = |root: &&usize| back[**root].is_empty();
    for root in roots.iter().filter(ends).chain(roots) {
        let mut open = vec![*root];
        while let Some(cell) = open.pop() {
            if !std::mem::replace(&mut seen[cell], true) {
                order.push(cell);
                open.extend(ahead[cell].iter().rev());
            }
        }
    }
    order
}

/// Fisher and Yates' shuffle with Marsaglia's xorshift: the same for the same seed, everywhere.
fn shuffle(items: &mut [usize], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

/// Gansner's weighted median: between two middle places, nearer to the side where the others stand closer together.
fn median(places: &[usize]) -> Option<f64> {
    let (middle, count) = (places.len() / 2, places.len());
    let place = |at: usize| places[at] as f64;
    match count {
        0 => None,
        _ if count % 2 == 1 => Some(place(middle)),
        2 => Some(place(0).midpoint(place(1))),
        _ => {
            let (left, right) = (place(middle - 1) - place(0), place(count - 1) - place(middle));
            let both = left + right;
            let at = (place(middle - 1) * right + place(middle) * left) / both;
            Some(if both > 0.0 { at } else { place(middle) })
        }
    }
}

fn mean(places: &[usize]) -> Option<f64> {
    (!places.is_empty()).then(|| places.iter().sum::<usize>() as f64 / places.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_of_many_links_are_counted_as_those_of_few() {
        let count = 40;
        let mut at: Vec<usize> = (0..count + 2).collect();
        shuffle(&mut at, 5);
        let (left, right) = ((0..25).collect::<Vec<_>>(), (10..count).collect::<Vec<_>>());
        let mut expected = (0, 0);
        for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))) {
            expected.0 += usize::from(at[a] > at[b]);
            expected.1 += usize::from(at[a] < at[b]);
        }
        let mut down = vec![Vec::new(); count];
        down.extend([left, right]);
        let order = Order { rows: Vec::new(), at, up: vec![Vec::new(); count + 2], down };
        assert_eq!(order.pair(count, count + 1), expected);
    }
}
