//! The part of a graph that an answer holds: its targets, and the edges between them, each once.

use std::collections::HashMap;

use super::graph::{Id, QueryGraph};
use super::set::TargetSet;
use super::walk;

/// Targets by position, in the order of their labels, and the edges between them.
#[derive(Debug)]
pub struct Subgraph {
    /// The targets.
    pub ids: Vec<Id>,
    /// By position, what each needs, by position and in its order.
    pub deps: Vec<Vec<u32>>,
    /// By position, what needs each.
    pub rdeps: Vec<Vec<u32>>,
}

impl Subgraph {
    /// The part that a set is.
    pub fn new(targets: &TargetSet, graph: &dyn QueryGraph) -> Subgraph {
        let ids: Vec<Id> = targets.iter().collect();
        let position = |id: &Id| ids.binary_search(id).ok().map(|at| at as u32);
        let inner = |id: &Id| {
            let mut deps: Vec<u32> = graph.deps(*id).iter().filter_map(position).collect();
            deps.sort_unstable();
            deps.dedup();
            deps
        };
        let deps: Vec<Vec<u32>> = ids.iter().map(inner).collect();
        let rdeps = walk::turned(&deps);
        Subgraph { ids, deps, rdeps }
    }

    /// The same with what can't be told apart by its edges in one: those of one group need the same, and the same need
    /// them. Gives the members of each, in the order of their first labels, and what groups need.
    pub fn factored(&self) -> (Vec<Vec<Id>>, Vec<Vec<u32>>) {
        let mut known: HashMap<(&[u32], &[u32]), u32> = HashMap::new();
        let mut groups: Vec<Vec<Id>> = Vec::new();
        let mut group_of = Vec::new();
        for (at, id) in self.ids.iter().enumerate() {
            let group = *known.entry((&self.deps[at], &self.rdeps[at])).or_insert(groups.len() as u32);
            if group as usize == groups.len() {
                groups.push(Vec::new());
            }
            groups[group as usize].push(*id);
            group_of.push(group);
        }
        let mut deps = vec![Vec::new(); groups.len()];
        for (at, group) in group_of.iter().enumerate() {
            deps[*group as usize].extend(self.deps[at].iter().map(|to| group_of[*to as usize]));
        }
        deps.iter_mut().for_each(|deps: &mut Vec<u32>| {
            deps.sort_unstable();
            deps.dedup();
        });
        (groups, deps)
    }

    /// The members, each alone, and what each needs.
    pub fn single(&self) -> (Vec<Vec<Id>>, Vec<Vec<u32>>) {
        (self.ids.iter().map(|id| vec![*id]).collect(), self.deps.clone())
    }

    /// By position: how many steps it is away from what nothing needs, by the longest or the shortest way. What is in one
    /// circle has one rank.
    pub fn ranks(&self, longest: bool) -> Vec<u32> {
        let circle = walk::circles(&self.deps, &self.rdeps);
        let count = circle.iter().max().map_or(0, |last| *last as usize + 1);
        let mut between: Vec<Vec<u32>> = vec![Vec::new(); count];
        for (at, deps) in self.deps.iter().enumerate() {
            let outer = deps.iter().map(|to| circle[*to as usize]).filter(|to| *to != circle[at]);
            between[circle[at] as usize].extend(outer);
        }
        let mut ranks: Vec<Option<u32>> = vec![None; count];
        // What leads to a circle has a lower number.
        for (from, to) in between.iter().enumerate().flat_map(|(from, all)| all.iter().map(move |to| (from, *to))) {
            let rank = ranks[from].unwrap_or(0) + 1;
            let known = &mut ranks[to as usize];
            *known = Some(known.map_or(rank, |known| if longest { known.max(rank) } else { known.min(rank) }));
        }
        circle.iter().map(|circle| ranks[*circle as usize].unwrap_or(0)).collect()
    }
}
