//! What a picture's targets need of what is drawn, also through what is not drawn.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::query::graph::{Id, QueryGraph};
use crate::query::set::TargetSet;
use crate::query::walk;

/// What is drawn, and what is reached from the rest.
pub struct Needs<'a> {
    graph: &'a dyn QueryGraph,
    drawn: &'a HashMap<Id, usize>,
    /// Of what is not drawn, the nearest that are; shared where one passes on what another has.
    through: HashMap<Id, Rc<BTreeSet<Id>>>,
}

impl<'a> Needs<'a> {
    /// Ways lead over `found` alone; `drawn` are those of them that are drawn.
    pub fn new(found: &TargetSet, drawn: &'a HashMap<Id, usize>, graph: &'a dyn QueryGraph) -> Needs<'a> {
        let hidden: Vec<Id> = found.iter().filter(|id| !drawn.contains_key(id)).collect();
        let position = |id: &Id| hidden.binary_search(id).ok().map(|at| at as u32);
        let next: Vec<Vec<u32>> =
            hidden.iter().map(|id| graph.deps(*id).iter().filter_map(position).collect()).collect();
        let circle = walk::circles(&next, &walk::turned(&next));
        let mut members = vec![Vec::new(); circle.iter().max().map_or(0, |last| *last as usize + 1)];
        hidden.iter().zip(circle).for_each(|(id, circle)| members[circle as usize].push(*id));
        let mut needs = Needs { graph, drawn, through: HashMap::new() };
        // What leads to a circle has a lower number.
        for members in members.into_iter().rev() {
            let nearest = needs.nearest(members.iter().copied());
            needs.through.extend(members.into_iter().map(|id| (id, Rc::clone(&nearest))));
        }
        needs
    }

    /// The nearest that are drawn of what a target needs, itself aside.
    pub fn of(&self, id: Id) -> BTreeSet<Id> {
        let mut nearest = Rc::unwrap_or_clone(self.nearest([id]));
        nearest.remove(&id);
        nearest
    }

    fn nearest(&self, ids: impl IntoIterator<Item = Id>) -> Rc<BTreeSet<Id>> {
        let mut nearest: Rc<BTreeSet<Id>> = Rc::default();
        for dep in ids.into_iter().flat_map(|id| self.graph.deps(id)) {
            if self.drawn.contains_key(dep) {
                Rc::make_mut(&mut nearest).insert(*dep);
            } else if let Some(more) = self.through.get(dep).filter(|more| !more.is_subset(&nearest)) {
                if nearest.is_empty() {
                    nearest = Rc::clone(more);
                } else {
                    Rc::make_mut(&mut nearest).extend(more.iter());
                }
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::query::toy;

    /// A walk from each that ends at what is drawn.
    fn plainly(id: Id, found: &TargetSet, drawn: &HashMap<Id, usize>, graph: &dyn QueryGraph) -> BTreeSet<Id> {
        let (mut needed, mut seen) = (BTreeSet::new(), HashSet::from([id]));
        let mut open: Vec<Id> = graph.deps(id).to_vec();
        while let Some(next) = open.pop() {
            if found.contains(next) && seen.insert(next) {
                if drawn.contains_key(&next) {
                    needed.insert(next);
                } else {
                    open.extend(graph.deps(next));
                }
            }
        }
        needed
    }

    #[test]
    fn ways_lead_through_what_is_not_drawn_circles_too_and_end_at_what_is() {
        let mut state = 7_u64;
        let mut next = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        for count in 4..40_u64 {
            let mut target = |at: u64| {
                let deps: String = (0..next(4)).map(|_| format!(" //a:t{}", next(count))).collect();
                format!("//a:t{at} layer ->{deps}; ")
            };
            let text: String = (0..count).map(&mut target).collect();
            toy::ask(toy::read(&text), |graph| {
                let found: TargetSet = (0..graph.len() as u32).filter(|id| id % 7 != 0).collect();
                let drawn: HashMap<Id, usize> = found.iter().filter(|id| id % 3 == 0).zip(0..).collect();
                let needs = Needs::new(&found, &drawn, graph);
                for id in drawn.keys() {
                    assert_eq!(needs.of(*id), plainly(*id, &found, &drawn, graph), "{text}: {id}");
                }
            });
        }
    }
}
