//! One rule, described: what it is for, its attributes, an example, and what a rule of the workspace's own makes.

use std::fmt::Write as _;

use crate::span::Sources;
use crate::workspace::print;
use crate::workspace::schema::{Attribute, RuleSchema, Type};
use crate::workspace::template::{Condition, Parameter, Part, Rule, Which};

/// No line is longer than this, in characters, unless a word is.
const WIDTH: usize = 100;

/// The whole description. `sources`: those of the workspace.
pub fn describe(rule: Which<'_>, sources: &Sources) -> String {
    match rule {
        Which::BuiltIn(schema) => built_in(schema),
        Which::Own(rule) => own(rule, sources),
    }
}

fn built_in(schema: &RuleSchema) -> String {
    let mut out = format!("{}: {}\n", schema.name, schema.purpose.describe());
    paragraph(&mut out, schema.doc);
    out.push_str("\nAttributes:\n");
    attributes(&mut out, schema.attributes, 2);
    example(&mut out, schema.example);
    out
}

fn own(rule: &Rule, sources: &Sources) -> String {
    let mut out = format!("{}: a rule of this workspace, {}\n", rule.name, sources.place(rule.span));
    paragraph(&mut out, &rule.doc);
    if !rule.attributes.is_empty() {
        out.push_str("\nAttributes:\n");
    }
    for it in &rule.attributes {
        attribute(&mut out, &it.name, &takes(it), &it.doc, 2);
    }
    out.push_str("\nMakes:\n");
    let name = |part: &Part| if part.name.is_empty() { "NAME".to_owned() } else { format!("NAME.{}", part.name) };
    let width = rule.parts.iter().map(|part| name(part).len()).max().unwrap_or_default();
    for part in &rule.parts {
        let _ = writeln!(out, "  {:width$}  {}{}", name(part), part.rule, condition(part, rule));
    }
    example(&mut out, &rule.example);
    out
}

fn takes(it: &Parameter) -> String {
    let pattern = it.pattern().map(|pattern| format!(" that matches `{pattern}`")).unwrap_or_default();
    let default = it.default.as_ref().map(|value| format!("; default: {}", print::value(value))).unwrap_or_default();
    format!("{}{pattern}{}{default}", it.describe(), if it.required { ", required" } else { "" })
}

fn condition(part: &Part, rule: &Rule) -> String {
    let name = |at: usize| &rule.attributes[at].name;
    match &part.condition {
        None => String::new(),
        Some(Condition::Set(at)) => format!(", where `{}` is set", name(*at)),
        Some(Condition::OneOf(wanted)) => {
            let values = |values: &[_]| values.iter().map(print::value).collect::<Vec<_>>().join(" or ");
            let each = wanted.iter().map(|(at, of)| format!("`{}` is {}", name(*at), values(of)));
            format!(", where {}", each.collect::<Vec<_>>().join(" and "))
        }
    }
}

fn attributes(out: &mut String, of: &[Attribute], indent: usize) {
    for it in of {
        let required = if it.required { ", required" } else { "" };
        attribute(out, it.name, &format!("{}{required}", it.ty.describe()), it.doc, indent);
        inner(out, &it.ty, indent + 4);
    }
}

/// The keys of a table inside an attribute.
fn inner(out: &mut String, ty: &Type, indent: usize) {
    match ty {
        Type::Table(of) => attributes(out, of, indent),
        Type::List(of) | Type::Map(of) => inner(out, of, indent),
        Type::Either(types) => types.iter().for_each(|ty| inner(out, ty, indent)),
        _ => {}
    }
}

fn attribute(out: &mut String, name: &str, takes: &str, doc: &str, indent: usize) {
    let _ = writeln!(out, "{:indent$}{name}: {takes}", "");
    wrap(out, doc, indent + 4);
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        out.push('\n');
        wrap(out, text, 0);
    }
}

fn example(out: &mut String, text: &str) {
    if !text.is_empty() {
        out.push_str("\nExample:\n");
        for line in text.trim_end().lines() {
            out.push_str(format!("  {line}").trim_end());
            out.push('\n');
        }
    }
}

/// Lines of at most [`WIDTH`].
fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{:indent$}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}
