//! Ways through a graph: what is reached, an order, circles. None recurses, so that no chain exhausts a stack.

use super::graph::Id;
use super::set::TargetSet;

/// What can be reached in at most so many steps (`None`: any number), start included, over those that `within` admits.
pub fn reach<'g>(
    start: &TargetSet,
    steps: Option<usize>,
    next: impl Fn(Id) -> &'g [Id],
    within: impl Fn(Id) -> bool,
) -> TargetSet {
    let mut reached = start.clone();
    let mut border: Vec<Id> = start.iter().collect();
    let mut left = steps.unwrap_or(usize::MAX);
    while left > 0 && !border.is_empty() {
        let neighbours = border.iter().flat_map(|id| next(*id)).copied();
        border = neighbours.filter(|id| within(*id) && reached.insert(*id)).collect();
        left -= 1;
    }
    reached
}

/// Positions from 0 to below the lists' number, each behind all that it leads to, circles aside.
pub fn postorder(next: &[Vec<u32>], starts: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut entered = vec![false; next.len()];
    let mut order = Vec::with_capacity(next.len());
    for start in starts {
        if std::mem::replace(&mut entered[start as usize], true) {
            continue;
        }
        let mut open = vec![(start, 0)];
        while let Some((at, done)) = open.last_mut() {
            match next[*at as usize].get(*done) {
                Some(to) => {
                    *done += 1;
                    if !std::mem::replace(&mut entered[*to as usize], true) {
                        open.push((*to, 0));
                    }
                }
                None => {
                    order.push(*at);
                    open.pop();
                }
            }
        }
    }
    order
}

/// The circle that each belongs to, one of its own where it is in none; numbered so that what leads somewhere comes before
/// what it leads to.
pub fn circles(next: &[Vec<u32>], before: &[Vec<u32>]) -> Vec<u32> {
    // Kosaraju's way: each not yet taken, and all that leads to it and is not taken, in the order of finishing backwards.
    let count = u32::try_from(next.len()).unwrap_or(u32::MAX);
    let mut circle = vec![u32::MAX; next.len()];
    let mut number = 0;
    for start in postorder(next, 0..count).into_iter().rev() {
        let mut open = vec![start];
        let fresh = circle[start as usize] == u32::MAX;
        while let Some(at) = open.pop() {
            if circle[at as usize] == u32::MAX {
                circle[at as usize] = number;
                open.extend(&before[at as usize]);
            }
        }
        number += u32::from(fresh);
    }
    circle
}

/// The same edges backwards: who names each, in order.
pub fn turned(next: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut before = vec![Vec::new(); next.len()];
    for (from, all) in (0u32..).zip(next) {
        all.iter().for_each(|to| before[*to as usize].push(from));
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_and_come_before_what_they_lead_to() {
        // 0 → 1 ↔ 2 → 3, and 4 by itself.
        let next = [vec![1], vec![2], vec![1, 3], vec![], vec![]];
        let before = [vec![], vec![0, 2], vec![1], vec![2], vec![]];
        let circle = circles(&next, &before);
        assert_eq!(circle[1], circle[2]);
        assert!(circle[0] < circle[1] && circle[1] < circle[3]);
        assert_eq!(circle.iter().max(), Some(&3));
    }

    #[test]
    fn a_long_chain_exhausts_no_stack() {
        let count = 300_000u32;
        let next: Vec<Vec<u32>> = (1..=count).map(|at| if at < count { vec![at] } else { vec![] }).collect();
        assert_eq!(postorder(&next, 0..count).first(), Some(&(count - 1)));
    }
}
