//! A written table against the attributes that may stand in it.
//!
//! Reports every mistake and gathers the labels on the way. Knows no rule, and not whether a label's target exists.

use std::collections::HashSet;

use super::marks;
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
    /// What naming it means.
    pub naming: Naming,
}

/// What it means that a target names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It needs the other: [`Type::Label`].
    Edge,
    /// What the other is has to be known: [`Type::Mention`].
    Mention,
    /// It only tells of the other: [`Type::Aside`].
    Aside,
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

/// Texts whose kind is known and whose content is not yet: those that a template fills in.
pub type Open = HashSet<Span>;

/// Checks a table whose labels are relative to `here`.
pub fn check(table: &Table, attributes: &'static [Attribute], owner: Owner<'_>, here: &PackagePath) -> Findings {
    check_template(table, attributes, owner, here, &Open::new())
}

/// The same of a table in which some texts are still open.
pub fn check_template(
    table: &Table,
    attributes: &'static [Attribute],
    owner: Owner<'_>,
    here: &PackagePath,
    open: &Open,
) -> Findings {
    let mut checker = Checker { here, open, top: None, found: Findings::default() };
    checker.table(table, attributes, owner);
    checker.found
}

/// The mistakes in one value of an attribute that is called `name`.
pub fn check_value(value: &Value, ty: &'static Type, name: &str, here: &PackagePath, open: &Open) -> Vec<Diagnostic> {
    let mut checker = Checker { here, open, top: None, found: Findings::default() };
    checker.value(value, ty, name);
    checker.found.diagnostics
}

struct Checker<'a> {
    here: &'a PackagePath,
    open: &'a Open,
    top: Option<&'static str>,
    found: Findings,
}

impl Checker<'_> {
    fn table(&mut self, table: &Table, attributes: &'static [Attribute], owner: Owner<'_>) {
        let outermost = self.top.is_none();
        for entry in &table.0 {
            let Some(attribute) = attributes.iter().find(|attribute| attribute.name == entry.key) else {
                let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
                self.found.diagnostics.push(unknown(entry, &names, owner));
                continue;
            };
            if outermost {
                self.top = Some(attribute.name);
            }
            self.value(&entry.value, &attribute.ty, attribute.name);
        }
        let missing = attributes.iter().filter(|attribute| attribute.required && table.get(attribute.name).is_none());
        let lacking = missing.map(|it| lacks(it.name, &it.ty.describe(), it.doc, owner));
        self.found.diagnostics.extend(lacking);
        if outermost {
            self.top = None;
        }
    }

    fn value(&mut self, value: &Value, ty: &'static Type, name: &str) {
        if !ty.fits(&value.node) {
            return self.found.diagnostics.push(mismatch(value, ty, name));
        }
        match (ty, &value.node) {
            (Type::Enum(words), Node::String(text)) => self.word(value.span, text, words, name),
            (Type::Label(purposes), Node::String(text)) => self.label(value.span, text, purposes, Naming::Edge),
            (Type::Mention(purposes), Node::String(text)) => self.label(value.span, text, purposes, Naming::Mention),
            (Type::Aside(purposes), Node::String(text)) => self.label(value.span, text, purposes, Naming::Aside),
            (Type::List(item), Node::Array(items)) => items.iter().for_each(|value| {
                if item.fits(&value.node) {
                    self.value(value, item, name);
                } else {
                    let holds = format!("`{name}` takes {}, and holds {}", ty.describe(), value.kind());
                    self.found.diagnostics.push(Diagnostic { message: holds, ..mismatch(value, item, name) });
                }
            }),
            (Type::Map(of), Node::Table(table)) => {
                table.0.iter().for_each(|entry| self.value(&entry.value, of, &entry.key));
            }
            (Type::Table(attributes), Node::Table(table)) => {
                self.table(table, attributes, Owner { name, span: value.span });
            }
            (Type::Either(types), node) => match (chosen(types, node), node) {
                (Some(Type::Enum(words)), Node::String(text)) if !words.contains(&text.as_str()) => {
                    self.not_one_of(value.span, text, words, &ty.describe(), name);
                }
                (Some(ty), _) => self.value(value, ty, name),
                (None, _) => {}
            },
            _ => {}
        }
    }

    fn word(&mut self, span: Span, text: &str, words: &[&str], name: &str) {
        if !words.contains(&text) {
            self.not_one_of(span, text, words, &Type::one_of(words), name);
        }
    }

    fn not_one_of(&mut self, span: Span, text: &str, words: &[&str], expected: &str, name: &str) {
        if !self.open.contains(&span) {
            self.found.diagnostics.push(not_one_of(span, text, words, expected, name));
        }
    }

    fn label(&mut self, span: Span, text: &str, purposes: &'static [Purpose], naming: Naming) {
        match Label::parse(text, self.here) {
            Ok(label) => {
                let attribute = self.top.unwrap_or_default();
                self.found.labels.push(LabelUse { attribute, label, span, purposes, naming });
            }
            Err(_) if self.open.contains(&span) => {}
            Err(_) if marks::is_marked(text) => {
                let mistake = Diagnostic::error("a label can't depend on what git says").at(span, "");
                self.found.diagnostics.push(mistake.help("what there is to build must be known before git is asked"));
            }
            Err(error) => {
                let mistake = Diagnostic::error(error.to_string()).at(span, "");
                let mistake = mistake.help("write `//package:name`, or `:name` for a target of this package");
                let elsewhere = purposes.contains(&Purpose::Base).then_some(OF_A_REGISTRY);
                self.found.diagnostics.push(elsewhere.into_iter().fold(mistake, Diagnostic::help));
            }
        }
    }
}

/// The first type that fits; an enumeration gives way to a later one where it lacks the word.
fn chosen<'a>(types: &'a [Type], node: &Node) -> Option<&'a Type> {
    let mut fitting = types.iter().filter(|ty| ty.fits(node));
    let first = fitting.next()?;
    match (first, node) {
        (Type::Enum(words), Node::String(text)) if !words.contains(&text.as_str()) => fitting.next().or(Some(first)),
        _ => Some(first),
    }
}

const OF_A_REGISTRY: &str = "an image of a registry is a target too: declare it as `[pull.NAME]`, and write `:NAME`";

/// What to say of a key that is none of the attributes of these names.
pub fn unknown(entry: &Entry, names: &[&str], owner: Owner<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("unknown attribute `{}`", entry.key))
        .at(entry.key_span, format!("not an attribute of `{}`", owner.name));
    match nearest(&entry.key, names.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("`{}` takes {}", owner.name, quoted(names))),
    }
}

/// What to say where a required attribute is missing. `takes`: what its type takes.
pub fn lacks(name: &str, takes: &str, doc: &str, owner: Owner<'_>) -> Diagnostic {
    Diagnostic::error(format!("`{name}` is missing"))
        .at(owner.span, format!("`{}` needs it", owner.name))
        .help(format!("add `{name} = …`, {takes}: {doc}"))
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

/// What to say of a text that is none of some words.
pub fn not_one_of(span: Span, text: &str, words: &[&str], expected: &str, name: &str) -> Diagnostic {
    let text = marks::spelled(text);
    let text = text.as_str();
    let diagnostic = Diagnostic::error(format!("`{name}` can't be `{text}`")).at(span, format!("expected {expected}"));
    match nearest(text, words.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect, mistakes};

    #[test]
    fn an_unknown_attribute_is_underlined_with_the_nearest_one() {
        expect(
            &mistakes("[files.a]\ndest = \"/\"\nsrc = []\nzebra = 1\n"),
            &[
                &[
                    "unknown attribute `src`",
                    "p/layers.toml:3:1",
                    "^^^ not an attribute of `files`",
                    "did you mean `srcs`?",
                ],
                &["unknown attribute `zebra`", "p/layers.toml:4:1", "`files` takes `srcs`, `dest`, `mode`"],
            ],
        );
    }

    #[test]
    fn a_wrong_type_says_what_is_taken_and_how_to_write_it() {
        expect(
            &mistakes(
                "[files.a]\nsrcs = \"app/**\"\ndest = 7\nlevel = \"6\"\nstrict = \"true\"\n[image.b]\nlayers = [1]\n",
            ),
            &[
                &[
                    "`srcs` takes a list of strings, not a string",
                    "p/layers.toml:2:8",
                    "write a list: `srcs = [\"app/**\"]`",
                ],
                &["`dest` takes a string, not an integer", "p/layers.toml:3:8", "put it in quotes: `\"7\"`"],
                &["`level` takes a whole number, not a string", "write it without quotes: `level = 6`"],
                &["`strict` takes `true` or `false`, not a string", "p/layers.toml:5:10", "write it without quotes"],
                &["`layers` takes a list of labels, and holds an integer", "p/layers.toml:7:11"],
            ],
        );
    }

    #[test]
    fn a_missing_attribute_is_complained_of_at_the_target() {
        expect(
            &mistakes("\n[files.a]\nsrcs = []\n"),
            &[&["`dest` is missing", "p/layers.toml:2:8", "`files` needs it", "add `dest = …`, a string: where to"]],
        );
    }

    #[test]
    fn a_word_outside_an_enumeration_is_answered_with_the_nearest() {
        expect(
            &mistakes("[files.a]\ndest = \"/\"\nformat = \"gizp\"\n"),
            &[&[
                "`format` can't be `gizp`",
                "p/layers.toml:3:10",
                "expected one of `gzip`, `zstd`",
                "did you mean `gzip`?",
            ]],
        );
    }

    #[test]
    fn tables_inside_are_held_against_their_own_keys() {
        expect(
            &mistakes(
                "[files.a]\ndest = \"/\"\nmode = 1\n[files.a.dirs]\n\"/x\" = { mod = \"0755\" }\n\"/y\" = \"0755\"\n",
            ),
            &[
                &["`mode` takes a string or a table of strings, not an integer", "p/layers.toml:3:8"],
                &["unknown attribute `mod`", "p/layers.toml:5:10", "not an attribute of `/x`", "did you mean `mode`?"],
                &["`/y` takes a table, not a string", "p/layers.toml:6:8"],
            ],
        );
    }

    #[test]
    fn text_that_is_no_label_says_why() {
        expect(
            &mistakes("[image.a]\nbase = \"b c\"\n"),
            &[&["`b c` is not a label: a name is letters", "p/layers.toml:2:8", "write `//package:name`"]],
        );
    }
}
