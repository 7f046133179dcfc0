//! A written table against the attributes that may stand in it.
//!
//! Reports every mistake and gathers the labels on the way. Knows no rule, and not whether a label's target exists.

use super::schema::{Attribute, Purpose, Type, quoted};
use super::value::{Entry, Node, Table, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath};
use crate::span::Span;

/// A label that an attribute holds.
#[derive(Debug, Clone)]
pub struct LabelUse {
    /// The target's attribute that holds it, perhaps deep inside.
    pub attribute: &'static str,
    /// What it names.
    pub label: Label,
    /// Where it stands.
    pub span: Span,
    /// What its target may be for.
    pub purposes: &'static [Purpose],
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The mistakes.
    pub diagnostics: Vec<Diagnostic>,
    /// The labels, those beside a mistake too, in written order.
    pub labels: Vec<LabelUse>,
}

/// Whose table it is, for messages.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Its rule or table: `files`, `[workspace]`.
    pub name: &'a str,
    /// Where it stands, to be underlined when a key is missing.
    pub span: Span,
}

/// Checks a table whose labels are relative to `here`.
pub fn check(table: &Table, attributes: &'static [Attribute], owner: Owner<'_>, here: &PackagePath) -> Findings {
    let mut checker = Checker { here, top: None, found: Findings::default() };
    checker.table(table, attributes, owner);
    checker.found
}

struct Checker<'a> {
    here: &'a PackagePath,
    top: Option<&'static str>,
    found: Findings,
}

impl Checker<'_> {
    fn table(&mut self, table: &Table, attributes: &'static [Attribute], owner: Owner<'_>) {
        let outermost = self.top.is_none();
        for entry in &table.0 {
            let Some(attribute) = attributes.iter().find(|attribute| attribute.name == entry.key) else {
                self.found.diagnostics.push(unknown(entry, attributes, owner));
                continue;
            };
            if outermost {
                self.top = Some(attribute.name);
            }
            self.value(&entry.value, &attribute.ty, attribute.name);
        }
        let missing = attributes.iter().filter(|attribute| attribute.required && table.get(attribute.name).is_none());
        self.found.diagnostics.extend(missing.map(|attribute| lacks(attribute, owner)));
        if outermost {
            self.top = None;
        }
    }

    fn value(&mut self, value: &Value, ty: &'static Type, name: &str) {
        if !ty.fits(&value.node) {
            return self.found.diagnostics.push(mismatch(value, ty, name));
        }
        match (ty, &value.node) {
            (Type::Enum(words), Node::String(text)) if !words.contains(&text.as_str()) => {
                self.found.diagnostics.push(not_one_of(value.span, text, words, name));
            }
            (Type::Label(purposes), Node::String(text)) => self.label(value.span, text, purposes),
            (Type::List(item), Node::Array(items)) => items.iter().for_each(|value| self.value(value, item, name)),
            (Type::Map(of), Node::Table(table)) => {
                table.0.iter().for_each(|entry| self.value(&entry.value, of, &entry.key));
            }
            (Type::Table(attributes), Node::Table(table)) => {
                self.table(table, attributes, Owner { name, span: value.span });
            }
            (Type::Either(types), node) => {
                if let Some(ty) = types.iter().find(|ty| ty.fits(node)) {
                    self.value(value, ty, name);
                }
            }
            _ => {}
        }
    }

    fn label(&mut self, span: Span, text: &str, purposes: &'static [Purpose]) {
        match Label::parse(text, self.here) {
            Ok(label) => {
                let attribute = self.top.unwrap_or_default();
                self.found.labels.push(LabelUse { attribute, label, span, purposes });
            }
            Err(error) => self.found.diagnostics.push(
                Diagnostic::error(error.to_string())
                    .at(span, "")
                    .help("write `//package:name`, or `:name` for a target of this package"),
            ),
        }
    }
}

fn unknown(entry: &Entry, attributes: &[Attribute], owner: Owner<'_>) -> Diagnostic {
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
    let diagnostic = Diagnostic::error(format!("unknown attribute `{}`", entry.key))
        .at(entry.key_span, format!("not an attribute of `{}`", owner.name));
    match nearest(&entry.key, names.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("`{}` takes {}", owner.name, quoted(&names))),
    }
}

fn lacks(attribute: &Attribute, owner: Owner<'_>) -> Diagnostic {
    Diagnostic::error(format!("`{}` is missing", attribute.name))
        .at(owner.span, format!("`{}` needs it", owner.name))
        .help(format!("add `{} = …`, {}: {}", attribute.name, attribute.ty.describe(), attribute.doc))
}

fn mismatch(value: &Value, ty: &Type, name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("`{name}` takes {}, not {}", ty.describe(), value.kind()))
        .at(value.span, format!("this is {}", value.kind()));
    match (ty, &value.node) {
        (Type::List(item), Node::String(text)) if item.fits(&value.node) => {
            diagnostic.help(format!("write a list: `{name} = [{text:?}]`"))
        }
        (Type::Boolean, Node::String(_)) => diagnostic.help("write it without quotes"),
        (Type::String | Type::Enum(_), Node::Integer(number)) => {
            diagnostic.help(format!("put it in quotes: `\"{number}\"`"))
        }
        (Type::Integer, Node::String(text)) if text.parse::<i64>().is_ok() => {
            diagnostic.help(format!("write it without quotes: `{name} = {text}`"))
        }
        _ => diagnostic,
    }
}

fn not_one_of(span: Span, text: &str, words: &[&str], name: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(format!("`{name}` can't be `{text}`")).at(span, format!("expected one of {}", quoted(words)));
    match nearest(text, words.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic,
    }
}
