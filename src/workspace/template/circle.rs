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

/// The steps from a rule back to itself: each rule, and its part that leads on.
fn back_to<'a>(start: &'a Rule, rules: &'a Rules) -> Option<Vec<(&'a Rule, &'a Part)>> {
    let mut paths: Vec<Vec<(&Rule, &Part)>> = vec![Vec::new()];
    let mut seen = BTreeSet::new();
    let mut at = 0;
    while at < paths.len() {
        let rule = paths[at].last().map_or(Some(start), |(_, part)| rules.by_name.get(part.rule.as_str()));
        for part in rule.iter().flat_map(|rule| &rule.parts) {
            let path = [paths[at].clone(), rule.map(|rule| (rule, part)).into_iter().collect()].concat();
            if part.rule == *start.name {
                return Some(path);
            }
            if rules.by_name.contains_key(part.rule.as_str()) && seen.insert(part.rule.as_str()) {
                paths.push(path);
            }
        }
        at += 1;
    }
    None
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
