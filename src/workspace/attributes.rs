//! Reading a checked target's attributes by name: what the rules use.
//!
//! The loader has held every value against its schema before a rule sees it, so nothing here reports an error: a key
//! that is not written is `None` or empty. Knows no rule and no default.

use super::value::{Entry, Node, Table, Value};
use crate::label::{Label, PackagePath};
use crate::span::Span;

/// Something read from a file, and the text that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// One entry of a map attribute.
#[derive(Debug, Clone, Copy)]
pub struct MapEntry<'a> {
    /// The free key.
    pub key: Spanned<&'a str>,
    /// Its value, which for a map of tables opens with [`MapEntry::table`].
    pub value: &'a Value,
    package: &'a PackagePath,
}

/// The attributes of one target, or the keys of one table inside it.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    table: &'a Table,
    package: &'a PackagePath,
}

impl<'a> Attributes<'a> {
    /// A checked table; labels in it are relative to `package`.
    pub fn new(table: &'a Table, package: &'a PackagePath) -> Attributes<'a> {
        Attributes { table, package }
    }

    /// The value as it is written.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key)
    }

    /// Where the value stands, for messages.
    pub fn span(&self, key: &str) -> Option<Span> {
        self.get(key).map(|value| value.span)
    }

    /// Where the key itself stands, for messages about what is written there.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.table.0.iter().find(|entry| entry.key == key).map(|entry| entry.key_span)
    }

    /// Whether the key is written.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A string.
    pub fn str(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// A string with its place.
    pub fn text(&self, key: &str) -> Option<Spanned<&'a str>> {
        text(self.get(key)?)
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key)?.node {
            Node::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)?.node {
            Node::Boolean(flag) => Some(flag),
            _ => None,
        }
    }

    /// A list of strings with their places, in written order; a lone string is a list of one. Empty where the key is
    /// not written: [`Attributes::has`] tells the two apart.
    pub fn strings(&self, key: &str) -> Vec<Spanned<&'a str>> {
        self.items(key).iter().filter_map(text).collect()
    }

    /// A label.
    pub fn label(&self, key: &str) -> Option<Spanned<Label>> {
        label(self.get(key)?, self.package)
    }

    /// A list of labels, in written order; a lone label is a list of one.
    pub fn labels(&self, key: &str) -> Vec<Spanned<Label>> {
        self.items(key).iter().filter_map(|item| label(item, self.package)).collect()
    }

    /// A table with fixed keys.
    pub fn table(&self, key: &str) -> Option<Attributes<'a>> {
        Some(Attributes::new(self.get(key)?.as_table()?, self.package))
    }

    /// A table with free keys, in written order; empty where the key is not written.
    pub fn map(&self, key: &str) -> impl Iterator<Item = MapEntry<'a>> + use<'a> {
        let entries: &'a [Entry] = self.get(key).and_then(Value::as_table).map_or(&[], |table| table.0.as_slice());
        let package = self.package;
        entries.iter().map(move |entry| MapEntry {
            key: Spanned { value: &entry.key, span: entry.key_span },
            value: &entry.value,
            package,
        })
    }

    /// A list's items, a lone value being a list of one.
    fn items(&self, key: &str) -> &'a [Value] {
        self.get(key).map_or(&[], |value| value.as_array().unwrap_or(std::slice::from_ref(value)))
    }
}

impl<'a> MapEntry<'a> {
    /// The value, where it is a string.
    pub fn str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The value, where it is a string, with its place.
    pub fn text(&self) -> Option<Spanned<&'a str>> {
        text(self.value)
    }

    /// The value, where it is a table with fixed keys.
    pub fn table(&self) -> Option<Attributes<'a>> {
        Some(Attributes::new(self.value.as_table()?, self.package))
    }

    /// The value, where it is a label.
    pub fn label(&self) -> Option<Spanned<Label>> {
        label(self.value, self.package)
    }

    /// The value as a list of strings; a lone string is a list of one.
    pub fn strings(&self) -> Vec<Spanned<&'a str>> {
        self.value.as_array().unwrap_or(std::slice::from_ref(self.value)).iter().filter_map(text).collect()
    }
}

fn text(value: &Value) -> Option<Spanned<&str>> {
    value.as_str().map(|text| Spanned { value: text, span: value.span })
}

fn label(value: &Value, package: &PackagePath) -> Option<Spanned<Label>> {
    let label = Label::parse(value.as_str()?, package).ok()?;
    Some(Spanned { value: label, span: value.span })
}
