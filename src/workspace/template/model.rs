//! A rule of the workspace as a value: its attributes, and the templates of its targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::super::schema::Type;
use super::super::value::Value;
use crate::span::Span;

/// The rules of a workspace.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// By name.
    pub by_name: BTreeMap<Arc<str>, Rule>,
    /// Whether every file could be read, so that there are no others.
    pub complete: bool,
}

impl Rules {
    /// Whether a template of theirs waits for what git says.
    pub fn ask_git(&self) -> bool {
        self.by_name.values().any(|rule| rule.asks_git)
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, the first part of `[rule.name]` in packages.
    pub name: Arc<str>,
    /// Where the name stands.
    pub span: Span,
    /// What it is for; may be empty.
    pub doc: String,
    /// An example in TOML; may be empty.
    pub example: String,
    /// Its attributes, in written order.
    pub attributes: Vec<Parameter>,
    /// The targets that it makes; the first has the call's own name. Empty only of a rule that is not sound.
    pub parts: Vec<Part>,
    /// Whether nothing is wrong with the rule itself: only then do targets of it stand for something.
    pub sound: bool,
    /// Whether a text of its templates waits for what git says.
    pub asks_git: bool,
}

/// An attribute of a rule.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The key.
    pub name: String,
    /// Where the key stands.
    pub span: Span,
    /// What it takes, the words of a choice aside.
    pub ty: &'static Type,
    /// The words of a choice; `None`: any text will do.
    pub words: Option<Vec<String>>,
    /// What each string has to match as a whole; `None`: any will do.
    pub pattern: Option<Regex>,
    /// What holds where the call is silent; `None`: nothing does.
    pub default: Option<Value>,
    /// Whether leaving it out is an error.
    pub required: bool,
    /// What it is for.
    pub doc: String,
}

/// One target that a rule makes.
#[derive(Debug, Clone)]
pub struct Part {
    /// What stands behind the call's name and a dot; empty for the target that has the call's own name.
    pub name: String,
    /// Where its name stands, or its rule's where it has none.
    pub span: Span,
    /// Its rule, built in or the workspace's.
    pub rule: String,
    /// Where the rule's name stands.
    pub rule_span: Span,
    /// When it is made; `None`: always.
    pub condition: Option<Condition>,
    /// Its attributes.
    pub template: Template,
}

/// When a part is made.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Where the attribute of this number has a value that is not `false`.
    Set(usize),
    /// Where each attribute has one of these values.
    OneOf(Vec<(usize, Vec<Value>)>),
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The call's name.
    Name,
    /// The attribute of this number.
    Attribute(usize),
    /// The label of the part of this number.
    Part(usize),
}

/// A value with placeholders in it.
#[derive(Debug, Clone)]
pub enum Template {
    /// Nothing to fill in.
    Plain(Value),
    /// A placeholder alone: takes the value as it is.
    Whole(Reference, Span),
    /// Placeholders within a text.
    Text(Vec<Segment>, Span),
    /// A list.
    List(Vec<Item>, Span),
    /// A table.
    Table(Fields, Span),
}

/// A table's entries.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// In written order.
    pub fields: Vec<Field>,
    /// The maps that lie over them, the last one uppermost.
    pub over: Vec<Reference>,
}

/// One `key = value`.
#[derive(Debug, Clone)]
pub struct Field {
    /// The key, which may have placeholders too.
    pub key: Vec<Segment>,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Template,
}

/// A piece of a text.
#[derive(Debug, Clone)]
pub enum Segment {
    /// As it is.
    Text(String),
    /// A placeholder.
    Value(Reference),
}

/// An item of a list.
#[derive(Debug, Clone)]
pub enum Item {
    /// One value.
    One(Template),
    /// All items of a list.
    Spread(Reference, Span),
}

/// What makes an expression match a text as a whole.
pub const WHOLE: (&str, &str) = ("^(?:", ")$");

impl Rule {
    /// The position of an attribute; `None` for an unknown name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.attributes.iter().position(|attribute| attribute.name == name)
    }
}

impl Parameter {
    /// The regular expression as it is written; `None`: any text will do.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_ref()?.as_str().strip_prefix(WHOLE.0)?.strip_suffix(WHOLE.1)
    }

    /// What it takes, for messages and documentation.
    pub fn describe(&self) -> String {
        let Some(words) = &self.words else { return self.ty.describe() };
        let words = Type::one_of(&words.iter().map(String::as_str).collect::<Vec<_>>());
        match self.ty {
            Type::List(_) => format!("a list of {words}"),
            Type::Map(_) => format!("a table of {words}"),
            _ => words,
        }
    }
}

impl Condition {
    /// The attributes that it looks at.
    pub fn attributes(&self) -> Vec<usize> {
        match self {
            Condition::Set(at) => vec![*at],
            Condition::OneOf(wanted) => wanted.iter().map(|(at, _)| *at).collect(),
        }
    }
}

impl Template {
    /// Calls `visit` for each placeholder, with the place of the text that it stands in.
    pub fn each(&self, visit: &mut impl FnMut(Reference, Span)) {
        match self {
            Template::Plain(_) => {}
            Template::Whole(reference, span) => visit(*reference, *span),
            Template::Text(segments, span) => each_of(segments, *span, visit),
            Template::List(items, _) => items.iter().for_each(|item| match item {
                Item::One(template) => template.each(visit),
                Item::Spread(reference, span) => visit(*reference, *span),
            }),
            Template::Table(table, span) => {
                table.over.iter().for_each(|reference| visit(*reference, *span));
                for field in &table.fields {
                    each_of(&field.key, field.key_span, visit);
                    field.value.each(visit);
                }
            }
        }
    }
}

fn each_of(segments: &[Segment], span: Span, visit: &mut impl FnMut(Reference, Span)) {
    for segment in segments {
        if let Segment::Value(reference) = segment {
            visit(*reference, span);
        }
    }
}
