//! Which images stand on which, at any distance: for whoever asks that of many.

use super::graph::{Id, QueryGraph};
use super::walk;

/// All images of a graph as they stand on one another. Images that stand on each other in a circle count as one, below
/// which all hang that stand on it.
pub struct Lineage {
    /// The circle of each; whatever is in none has one of its own.
    circle: Vec<u32>,
    /// When a walk in depth from below, last base first, comes to each circle.
    came: Vec<u32>,
    /// How many circles stand on each, itself included.
    count: Vec<u32>,
}

impl Lineage {
    /// Asks each for its base, once.
    pub fn new(graph: &dyn QueryGraph) -> Lineage {
        let ids = 0..Id::try_from(graph.len()).unwrap_or(Id::MAX);
        let next: Vec<Vec<u32>> = ids.map(|id| graph.base(id).into_iter().collect()).collect();
        // What leads to a circle has a lower number.
        let circle = walk::circles(&next, &walk::turned(&next));
        let circles = circle.iter().max().map_or(0, |last| *last as usize + 1);
        let mut base: Vec<Option<usize>> = vec![None; circles];
        for (of, to) in circle.iter().zip(&next) {
            let outside = to.iter().map(|to| circle[*to as usize]).find(|to| to != of);
            base[*of as usize] = base[*of as usize].or(outside.map(|to| to as usize));
        }
        let (mut came, mut count) = (vec![0; circles], vec![1; circles]);
        for (of, base) in base.iter().enumerate() {
            base.iter().for_each(|base| count[*base] += count[of]);
        }
        let (mut free, mut inner) = (0, vec![0; circles]);
        for of in (0..circles).rev() {
            let place = base[of].map_or(&mut free, |base| &mut inner[base]);
            came[of] = *place;
            *place += count[of];
            inner[of] = came[of] + 1;
        }
        Lineage { circle, came, count }
    }

    /// Whether an image stands on another one, directly or not.
    pub fn stands_on(&self, id: Id, base: Id) -> bool {
        let (of, below) = (self.circle[id as usize] as usize, self.circle[base as usize] as usize);
        let within = self.came[below]..self.came[below] + self.count[below];
        id != base && within.contains(&self.came[of])
    }
}

#[cfg(test)]
mod tests {
    use super::super::toy;
    use super::*;

    #[test]
    fn what_is_asked_of_pairs_is_what_each_base_says_in_turn() {
        let text = "//a:a image -> //a:b; //a:b image -> //a:c; //a:c image; //a:d image -> //a:b //a:e; //a:e image; \
                    //a:f image -> //a:g; //a:g image -> //a:h; //a:h image -> //a:g; //a:i image -> //a:i; //a:j layer -> //a:c";
        toy::ask(toy::read(text), |graph| {
            let lineage = Lineage::new(graph);
            for id in 0..graph.len() as u32 {
                let mut bases = Vec::new();
                let mut at = id;
                while let Some(base) = graph.base(at).filter(|base| *base != id && !bases.contains(base)) {
                    bases.push(base);
                    at = base;
                }
                let found: Vec<u32> = (0..graph.len() as u32).filter(|base| lineage.stands_on(id, *base)).collect();
                bases.sort_unstable();
                assert_eq!(found, bases, "{}", graph.label(id));
            }
        });
    }
}
