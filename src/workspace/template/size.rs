//! Rules that make too much: so many targets, by rules of rules, that no memory holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::known::{Known, Which};
use super::model::Rule;
use crate::diagnostic::Diagnostic;

/// A call makes no more targets than this.
const MOST: usize = 1000;
/// Rules use rules that use rules, and so on, no deeper than this.
const DEEPEST: usize = 32;

/// The rules that make too much, and one diagnostic for each that does so though none of those that it uses does. None of
/// the sound ones may need itself.
pub fn find(known: Known<'_>) -> (BTreeSet<Arc<str>>, Vec<Diagnostic>) {
    let mut measure = Measure { known, sizes: BTreeMap::new(), diagnostics: Vec::new() };
    let (mut too_large, rules) = (BTreeSet::new(), known.rules.by_name.values());
    for rule in rules.filter(|rule| rule.sound) {
        if measure.size(rule, DEEPEST).is_none() {
            measure.sizes.insert(&rule.name, None);
            too_large.insert(rule.name.clone());
        }
    }
    (too_large, measure.diagnostics)
}

/// What a rule makes.
#[derive(Clone, Copy, Default)]
struct Size {
    /// So many targets, at most.
    targets: usize,
    /// Rules within rules, this one counted.
    depth: usize,
}

struct Measure<'a> {
    known: Known<'a>,
    /// What is known so far; `None`: too much.
    sizes: BTreeMap<&'a str, Option<Size>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Measure<'a> {
    /// `None` for too much. `left`: so deep it may go on; what lies deeper is measured, and told, by itself.
    fn size(&mut self, rule: &'a Rule, left: usize) -> Option<Size> {
        if let Some(size) = self.sizes.get(&*rule.name) {
            return *size;
        }
        let mut size = Size::default();
        for part in &rule.parts {
            let inner = match self.known.rule(&part.rule) {
                Some(Which::Own(inner)) if inner.sound => self.size(inner, left.checked_sub(1)?)?,
                _ => Size { targets: 1, depth: 0 },
            };
            size.targets += inner.targets;
            size.depth = size.depth.max(inner.depth + 1);
            if let Some(what) = size.is_too_much() {
                let message = format!("the rule `{}` {what}", rule.name);
                self.diagnostics.push(Diagnostic::error(message).at(part.rule_span, "with this"));
                self.sizes.insert(&rule.name, None);
                return None;
            }
        }
        self.sizes.insert(&rule.name, Some(size));
        Some(size)
    }
}

impl Size {
    fn is_too_much(self) -> Option<String> {
        match self {
            Size { targets, .. } if targets > MOST => Some(format!("makes more than {MOST} targets of one")),
            Size { depth, .. } if depth > DEEPEST => {
                Some(format!("uses rules that use rules, more than {DEEPEST} deep"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{ROOT, Tree, expect};

    fn told(rules: &str, call: &str) -> (usize, Vec<String>) {
        let tree = Tree::new(&[ROOT, ("rules/k.toml", rules), ("p/layers.toml", call)]);
        let (workspace, problems) = tree.load(&["//..."]);
        (workspace.packages.iter().map(|package| package.targets.len()).sum(), problems)
    }

    #[test]
    fn rules_that_make_ten_of_the_next_each_are_told_where_it_gets_too_much() {
        let mut rules = "[rule.r0.target.image]\n".to_owned();
        for number in 1..20 {
            let inner = format!("r{}", number - 1);
            rules += &format!("[rule.r{number}.target.{inner}]\n");
            (1..10).for_each(|part| rules += &format!("[rule.r{number}.parts.{inner}.p{number}x{part}]\n"));
        }
        let (targets, problems) = told(&rules, "[r3.x]\n[r19.y]\n");
        assert_eq!(targets, 1000);
        expect(&problems, &[&["the rule `r4` makes more than 1000 targets of one", "rules/k.toml:33:16"]]);
    }

    #[test]
    fn rules_of_rules_go_only_so_deep() {
        let mut rules = "[rule.r0.target.image]\n".to_owned();
        (1..500).for_each(|number| rules += &format!("[rule.r{number:03}.target.r{:03}]\n", number - 1));
        let rules = rules.replace("rule.r0.", "rule.r000.");
        let (targets, problems) = told(&rules, "[r030.x]\n[r499.y]\n");
        assert_eq!((targets, problems.len()), (1, 1), "{problems:?}");
        expect(&problems, &[&["the rule `r032` uses rules that use rules, more than 32 deep", "rules/k.toml:33:19"]]);
    }
}
