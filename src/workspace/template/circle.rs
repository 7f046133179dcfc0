//! Rules that need themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::model::{Part, Rule, Rules};
use crate::diagnostic::Diagnostic;

/// The circles among rules.
#[derive(Debug, Default)]
pub struct Circles {
    /// One a circle, with every place that closes it.
    pub diagnostics: Vec<Diagnostic>,
    /// The rules that stand in one.
    pub members: BTreeSet<Arc<str>>,
}

/// Finds the circles: for each rule that stands in none found so far, a shortest one through it.
pub fn find(rules: &Rules) -> Circles {
    let mut circles = Circles::default();
    for rule in rules.by_name.values() {
        if circles.members.contains(&rule.name) {
            continue;
        }
        if let Some(steps) = back_to(rule, rules) {
            circles.members.extend(steps.iter().map(|(rule, _)| rule.name.clone()));
            circles.diagnostics.push(describe(&steps));
        }
    }
    circles
}

/// A step from a rule to one that it makes a target of, and the step before.
struct Step<'a> {
    before: Option<usize>,
    rule: &'a Rule,
    part: &'a Part,
}

/// The steps from a rule back to itself: each rule, and its part that leads on.
fn back_to<'a>(start: &'a Rule, rules: &'a Rules) -> Option<Vec<(&'a Rule, &'a Part)>> {
    let of = |rule: &'a Rule, before| rule.parts.iter().map(move |part| Step { before, rule, part });
    let mut steps: Vec<Step> = of(start, None).collect();
    let mut seen = BTreeSet::new();
    let mut at = 0;
    while let Some(Step { part, .. }) = steps.get(at) {
        if part.rule == *start.name {
            return Some(taken(&steps, at));
        }
        if let Some(next) = rules.by_name.get(part.rule.as_str()).filter(|next| seen.insert(&next.name)) {
            steps.extend(of(next, Some(at)));
        }
        at += 1;
    }
    None
}

/// The way to a step, from the first.
fn taken<'a>(steps: &[Step<'a>], last: usize) -> Vec<(&'a Rule, &'a Part)> {
    let mut way: Vec<_> = std::iter::successors(Some(last), |at| steps[*at].before).collect();
    way.reverse();
    way.into_iter().map(|at| (steps[at].rule, steps[at].part)).collect()
}

fn describe(steps: &[(&Rule, &Part)]) -> Diagnostic {
    let names: Vec<&str> =
        steps.iter().map(|(rule, _)| &*rule.name).chain(steps.first().map(|it| &*it.0.name)).collect();
    let mut diagnostic = Diagnostic::error(format!("rules need each other in a circle: {}", names.join(" → ")));
    for (index, (rule, part)) in steps.iter().enumerate() {
        let text = format!("`{}` makes a target of `{}`", rule.name, part.rule);
        let span = part.rule_span;
        diagnostic = if index == 0 { diagnostic.at(span, text) } else { diagnostic.also(span, text) };
    }
    diagnostic
}
