//! Rules → JSON schemas of their targets, and of the templates of such. Knows no rule by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::print;
use super::super::schema::{RuleSchema, Type};
use super::super::template::{Known, OVER, Parameter, Rule, WHEN, Which};
use super::{names, types};

/// The table of a rule's targets by name.
pub fn targets(rule: Which<'_>) -> Value {
    let (target, example, published) = match rule {
        Which::BuiltIn(schema) => (types::table(schema.attributes), schema.example, schema.purpose.is_published()),
        Which::Own(rule) => (call(rule), &*rule.example, false),
    };
    let example = example.trim_end();
    let doc = match example {
        "" => rule.doc().to_owned(),
        example => format!("{}\n\n```toml\n{example}\n```", rule.doc()),
    };
    let mut table = types::described(types::map(target), &doc);
    table["propertyNames"] = names::target(published);
    table
}

/// What may be set of targets by their labels: a label does not tell the rule, so each attribute is as any rule takes it.
pub fn overrides(known: Known<'_>) -> Value {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for rule in known.names().into_iter().filter_map(|name| known.rule(name)) {
        let properties = match rule {
            Which::BuiltIn(schema) => types::properties(schema.attributes),
            Which::Own(rule) => rule.attributes.iter().map(|it| (it.name.clone(), parameter(it))).collect(),
        };
        for (name, what) in properties {
            let known = all.entry(name).or_default();
            if !known.contains(&what) {
                known.push(what);
            }
        }
    }
    let either = |mut these: Vec<Value>| if these.len() > 1 { json!({ "anyOf": these }) } else { these.remove(0) };
    let properties = all.into_iter().map(|(name, these)| (name, either(these))).collect();
    let mut table = types::map(types::closed(properties, &[]));
    table["propertyNames"] = names::whole_label();
    table
}

/// One target of a rule of the workspace's own.
fn call(rule: &Rule) -> Value {
    let properties = rule.attributes.iter().map(|it| (it.name.clone(), parameter(it))).collect();
    let required: Vec<&str> = rule.attributes.iter().filter(|it| it.required).map(|it| it.name.as_str()).collect();
    types::closed(properties, &required)
}

fn parameter(it: &Parameter) -> Value {
    let pattern = it.pattern();
    let text = match (&it.words, pattern.filter(|pattern| is_common(pattern))) {
        (Some(words), _) => types::words(words),
        (None, Some(pattern)) => {
            let whole = format!("^(?:{pattern})$");
            json!({ "type": "string", "anyOf": [{ "pattern": whole }, { "pattern": names::OPEN }] })
        }
        (None, None) => types::of(&Type::String),
    };
    let mut said = vec![it.doc.trim().to_owned()];
    said.extend(pattern.map(|pattern| format!("Matches `{pattern}`.")));
    said.extend(it.default.as_ref().map(|value| format!("Default: `{}`.", print::value(value))));
    said.retain(|said| !said.is_empty());
    types::described(holding(it.ty, &text), &said.join(" "))
}

/// A type whose texts are these.
fn holding(ty: &Type, text: &Value) -> Value {
    match ty {
        Type::String => text.clone(),
        Type::List(item) => types::list(holding(item, text)),
        Type::Map(value) => types::map(holding(value, text)),
        other => types::of(other),
    }
}

/// Whether an expression means the same to JavaScript's engine, which schemas are written for: no flags, no classes by
/// name or property, no ends of text, no sets within sets.
fn is_common(pattern: &str) -> bool {
    let groups = pattern.match_indices("(?").all(|(at, _)| pattern[at..].starts_with("(?:"));
    let foreign = [r"\A", r"\z", r"\p", r"\P", r"\x{", r"\u{", r"\U", r"\<", r"\>", r"\b{", "[[", "&&", "--", "~~"];
    groups && !foreign.iter().any(|part| pattern.contains(part))
}

/// What targets of every rule may be made by: each attribute may be a placeholder, and what is required may come from a
/// map that is laid over the table. So keys are known, and their values left open.
pub fn templates(known: Known<'_>, shape: impl Fn(Value) -> Value) -> Map<String, Value> {
    let rules = known.names().into_iter().filter_map(|name| known.rule(name));
    rules.map(|rule| (rule.name().to_owned(), types::described(shape(template(rule)), rule.doc()))).collect()
}

fn template(rule: Which<'_>) -> Value {
    let open = |name: &str, doc: &str| (name.to_owned(), types::described(json!({}), doc));
    let built_in = |schema: &RuleSchema| schema.attributes.iter().map(|it| open(it.name, it.doc)).collect();
    let mut properties: Map<String, Value> = match rule {
        Which::BuiltIn(schema) => built_in(schema),
        Which::Own(rule) => rule.attributes.iter().map(|it| open(&it.name, &it.doc)).collect(),
    };
    properties.extend([
        open(WHEN, "When the part is made: where an attribute is set, or has one of some values."),
        open(OVER, "Maps that are laid over the rest."),
    ]);
    types::closed(properties, &[])
}
