//! What is wrong with a rule whoever calls it: told once, at the rule's own lines.
//!
//! Each template is filled with values of the right kinds and held against the rule of the target that it makes.

use super::super::check::{self, Open, Owner};
use super::super::schema::{RuleSchema, Type, quoted};
use super::arguments;
use super::circle;
use super::known::{Known, Which};
use super::model::{Parameter, Part, Reference, Rule, Rules};
use super::size;
use super::substitute::{self, Sample};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::PackagePath;
use crate::span::Span;

/// Judges all rules; those that are wrong, that need themselves, or that make too much are not sound any more.
pub fn judge(rules: &mut Rules, schemas: &[&'static RuleSchema]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut unsound = Vec::new();
    let known = Known { schemas, rules };
    for rule in known.rules.by_name.values() {
        diagnostics.extend(shadowed(rule, schemas));
        let found: Vec<Diagnostic> = rule.parts.iter().flat_map(|part| template(rule, part, known)).collect();
        // What is wrong with a rule's own lines is told already; what seems wrong besides may follow from it.
        if rule.sound && !found.is_empty() {
            unsound.push(rule.name.clone());
            diagnostics.extend(found);
        }
        diagnostics.extend(unused(rule).into_iter().filter(|_| rule.sound));
    }
    let circles = circle::find(rules);
    diagnostics.extend(circles.diagnostics);
    unsound.extend(circles.members);
    unsound.iter().for_each(|name| spoil(name, rules));
    let (too_large, told) = size::find(Known { schemas, rules });
    too_large.iter().for_each(|name| spoil(name, rules));
    diagnostics.extend(told);
    diagnostics
}

fn spoil(name: &str, rules: &mut Rules) {
    rules.by_name.get_mut(name).into_iter().for_each(|rule| rule.sound = false);
}

fn template(rule: &Rule, part: &Part, known: Known<'_>) -> Vec<Diagnostic> {
    let Some(which) = known.rule(&part.rule) else {
        return known.rules.complete.then(|| unknown_rule(part, known)).into_iter().collect();
    };
    let mut open = Open::new();
    part.template.each(&mut |_, span| _ = open.insert(span));
    let (table, mut found) = substitute::target(&part.template, &Sample(&rule.attributes));
    let root = PackagePath::default();
    match which {
        Which::BuiltIn(schema) => {
            let owner = Owner { name: schema.name, span: part.span };
            found.extend(check::check_template(&table, schema.attributes, owner, &root, &open).diagnostics);
        }
        Which::Own(inner) if inner.sound => {
            found.extend(arguments::read(&table, inner, part.span, &root, &open).diagnostics);
        }
        Which::Own(_) => {}
    }
    found.into_iter().map(|mistake| advised(mistake, rule, part)).collect()
}

/// What to write where a placeholder gives a value of the wrong kind.
fn advised(mut mistake: Diagnostic, rule: &Rule, part: &Part) -> Diagnostic {
    let at = mistake.primary.as_ref().map(|place| place.span);
    part.template.each(&mut |reference, span| {
        let Reference::Attribute(index) = reference else { return };
        let Parameter { name, ty, .. } = &rule.attributes[index];
        let (kind, help) = match ty {
            Type::List(_) => ("an array", format!("within a list, `\"${{attr.{name}...}}\"` stands for its items")),
            Type::Integer => ("an integer", format!("`\"${{text.{name}}}\"` is the number as a text")),
            Type::Boolean => ("a boolean", format!("`\"${{text.{name}}}\"` is the text `true` or `false`")),
            _ => return,
        };
        if at == Some(span) && mistake.message.ends_with(kind) {
            mistake.help = vec![help];
        }
    });
    mistake
}

fn unknown_rule(part: &Part, known: Known<'_>) -> Diagnostic {
    let names = known.names();
    let wrong = Diagnostic::error(format!("unknown rule `{}`", part.rule)).at(part.rule_span, "no rule has this name");
    match nearest(&part.rule, names.iter().copied()) {
        Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
        None => wrong.help(format!("the rules are {}", quoted(&names))),
    }
}

/// A rule that was there before layerbuild had one of this name goes on to mean what it meant.
fn shadowed(rule: &Rule, schemas: &[&'static RuleSchema]) -> Option<Diagnostic> {
    let built_in = schemas.iter().any(|schema| schema.name == &*rule.name);
    built_in.then(|| {
        Diagnostic::warning(format!("layerbuild has a rule `{}` of its own", rule.name))
            .at(rule.span, "this one is taken")
            .help("rename this one to use layerbuild's")
    })
}

/// Attributes that change nothing.
fn unused(rule: &Rule) -> Vec<Diagnostic> {
    let mut used = vec![false; rule.attributes.len()];
    for part in &rule.parts {
        part.condition.iter().flat_map(|condition| condition.attributes()).for_each(|at| used[at] = true);
        part.template.each(&mut |reference: Reference, _: Span| {
            if let Reference::Attribute(at) = reference {
                used[at] = true;
            }
        });
    }
    let unused = rule.attributes.iter().zip(used).filter(|(_, used)| !used);
    let told = |name: &str, span| {
        Diagnostic::warning(format!("the attribute `{name}` changes nothing"))
            .at(span, "never used")
            .help(format!("write `${{attr.{name}}}` where it is wanted, or take it away"))
    };
    unused.map(|(attribute, _)| told(&attribute.name, attribute.span)).collect()
}
