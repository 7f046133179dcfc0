//! Circles among targets, drawn.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use super::target_graph::{Dependency, TargetGraph, TargetId};
use crate::diagnostic::Diagnostic;

/// A shortest circle through the first of some targets that all reach each other, with every place that closes it;
/// `None` where there is but one target and it does not need itself.
pub fn describe(graph: &TargetGraph<'_>, members: &[TargetId]) -> Option<Diagnostic> {
    let start = *members.iter().min()?;
    let steps = shortest(graph, start, members)?;
    let label = |id: TargetId| graph.target(id).label.to_string();
    let mut names = vec![label(start)];
    names.extend(steps.iter().map(|step| label(step.target)));
    let mut diagnostic = Diagnostic::error(format!("targets need each other in a circle: {}", names.join(" → ")));
    for (index, step) in steps.iter().enumerate() {
        let text = format!("`{}` needs `{}`", names[index], names[index + 1]);
        diagnostic = if index == 0 { diagnostic.at(step.span, text) } else { diagnostic.also(step.span, text) };
    }
    Some(graph.target(start).traced(diagnostic))
}

/// The steps from `start` back to itself.
fn shortest(graph: &TargetGraph<'_>, start: TargetId, members: &[TargetId]) -> Option<Vec<Dependency>> {
    let members: HashSet<TargetId> = members.iter().copied().collect();
    let mut came: HashMap<TargetId, (TargetId, Dependency)> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(from) = open.pop_front() {
        for step in graph.deps(from).filter(|step| members.contains(&step.target)) {
            if let Entry::Vacant(unseen) = came.entry(step.target) {
                unseen.insert((from, step));
                open.push_back(step.target);
            }
            if step.target == start {
                return Some(back(&came, start));
            }
        }
    }
    None
}

fn back(came: &HashMap<TargetId, (TargetId, Dependency)>, start: TargetId) -> Vec<Dependency> {
    let mut steps = Vec::new();
    let mut at = start;
    while let Some((from, step)) = came.get(&at) {
        steps.push(*step);
        at = *from;
        if at == start {
            break;
        }
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;

    use crate::workspace::testing::ROOT;

    #[test]
    fn a_circle_is_drawn_with_every_place() {
        let tree = Tree::new(&[
            ROOT,
            ("a/layers.toml", "[image.x]\nbase = \"//b:y\"\n"),
            ("b/layers.toml", "[image.y]\nbase = \"//a:x\"\n[image.self]\nbase = \":self\"\n"),
        ]);
        let problems = tree.problems(&["//..."]);
        assert_eq!(problems.len(), 2, "{problems:#?}");
        for part in ["//a:x → //b:y → //a:x", "a/layers.toml:2:8", "b/layers.toml:2:8", "`//b:y` needs `//a:x`"] {
            assert!(problems[0].contains(part), "{}", problems[0]);
        }
        assert!(problems[1].contains("//b:self → //b:self"), "{}", problems[1]);
    }

    #[test]
    fn a_circle_behind_a_long_chain_does_not_overflow_the_stack() {
        let link = |n: usize| format!("[image.i{n}]\nbase = \":i{}\"\n", if n == 9_999 { n } else { n + 1 });
        let text: String = (0..10_000).map(link).collect();
        let tree = Tree::new(&[ROOT, ("p/layers.toml", &text)]);
        let problems = tree.problems(&["//..."]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("//p:i9999 → //p:i9999"), "{}", problems[0]);
    }
}
