//! Which chain of dependent actions took longest.

use std::time::Duration;

use crate::action::{ActionGraph, ActionId};

/// The chain that took longest, first to last, with the time of each; empty where nothing ran. `times`: by action, zero
/// for what did not run.
pub fn critical_path(graph: &ActionGraph, times: &[Duration]) -> Vec<(ActionId, Duration)> {
    // Of each action that ran: the time of the longest chain that ends in it, and the action before it there.
    let mut totals: Vec<Option<(Duration, Option<ActionId>)>> = vec![None; times.len()];
    for id in graph.inputs_first().into_iter().filter(|id| !times[id.index()].is_zero()) {
        let inputs = graph.get(id).operation.inputs().into_iter();
        let before = inputs.filter_map(|input| Some((totals[input.index()]?.0, input))).max();
        let sum = before.map_or(Duration::ZERO, |(sum, _)| sum) + times[id.index()];
        totals[id.index()] = Some((sum, before.map(|(_, input)| input)));
    }
    let busy = graph.ids().filter(|id| totals[id.index()].is_some());
    let last = busy.max_by_key(|id| totals[id.index()].map(|(total, _)| total));
    let mut chain: Vec<_> =
        std::iter::successors(last, |id| totals[id.index()]?.1).map(|id| (id, times[id.index()])).collect();
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, Fetch, ImageAction, Operation};
    use crate::digest::Digest;
    use crate::label::{Label, PackagePath};

    fn action(operation: Operation) -> Action {
        Action { label: Label::parse(":a", &PackagePath::default()).unwrap(), variant: None, operation }
    }

    fn fetch() -> Action {
        action(Operation::Fetch(Fetch { url: String::new(), digest: Digest::of(b"") }))
    }

    #[test]
    fn the_longest_chain_of_what_ran_is_given_first_to_last() {
        let layers = vec![ActionId(1), ActionId(2)];
        let image = action(Operation::Image(Box::new(ImageAction { base: None, layers, spec: Default::default() })));
        // The image stands before what it needs.
        let graph = ActionGraph { actions: vec![image, fetch(), fetch(), fetch()] };
        let times = [1, 5, 3, 4].map(Duration::from_secs);
        let chain = critical_path(&graph, &times);
        assert_eq!(chain, [(ActionId(1), times[1]), (ActionId(0), times[0])]);
        assert_eq!(critical_path(&graph, &[Duration::ZERO; 4]), []);
    }
}
