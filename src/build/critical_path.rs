//! Which chain of dependent actions took longest.

use std::time::Duration;

use crate::action::{ActionGraph, ActionId};

/// The chain that took longest, first to last, with the time of each; empty where nothing ran. `times`: by action, zero
/// for what did not run.
pub fn critical_path(graph: &ActionGraph, times: &[Duration]) -> Vec<(ActionId, Duration)> {
    let mut totals: Vec<Option<(Duration, Option<ActionId>)>> = vec![None; times.len()];
    let busy: Vec<ActionId> = graph.ids().filter(|id| !times[id.index()].is_zero()).collect();
    for id in &busy {
        total(*id, graph, times, &mut totals);
    }
    let last = busy.into_iter().max_by_key(|id| totals[id.index()].map(|(total, _)| total));
    let mut chain: Vec<_> =
        std::iter::successors(last, |id| totals[id.index()]?.1).map(|id| (id, times[id.index()])).collect();
    chain.reverse();
    chain
}

/// Time of the longest chain that ends in an action. Only actions that ran are followed; without recursion, since a
/// chain of images may be long.
fn total(id: ActionId, graph: &ActionGraph, times: &[Duration], totals: &mut [Option<(Duration, Option<ActionId>)>]) {
    let mut stack = vec![id];
    while let Some(top) = stack.last().copied() {
        let inputs: Vec<ActionId> =
            graph.get(top).operation.inputs().into_iter().filter(|input| !times[input.index()].is_zero()).collect();
        let open: Vec<ActionId> = inputs.iter().copied().filter(|input| totals[input.index()].is_none()).collect();
        if open.is_empty() {
            let before = inputs.into_iter().filter_map(|input| Some((totals[input.index()]?.0, input))).max();
            let sum = before.map_or(Duration::ZERO, |(sum, _)| sum) + times[top.index()];
            totals[top.index()] = Some((sum, before.map(|(_, input)| input)));
            stack.pop();
        } else {
            stack.extend(open);
        }
    }
}
