//! A TOML value with the place where it stands.
//!
//! Owned, so that it outlives the text; knows nothing of rules or of what a key means.

use crate::span::Span;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The value's own text, quotes included.
    pub span: Span,
    /// What it is.
    pub node: Node,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A string, unescaped.
    String(String),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time, as written.
    Datetime(String),
    /// An array.
    Array(Vec<Value>),
    /// A table, in the order in which it is written.
    Table(Table),
}

/// A table's entries in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(pub Vec<Entry>);

/// One `key = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, unquoted.
    pub key: String,
    /// The key's text.
    pub key_span: Span,
    /// The value.
    pub value: Value,
}

impl Table {
    /// The value of a key; `None` where it is not written.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Shows every string in the values, and where it stands, to change it.
    pub fn each_text_mut(&mut self, visit: &mut dyn FnMut(&mut String, Span)) {
        self.0.iter_mut().for_each(|entry| entry.value.each_text_mut(visit));
    }

    /// The entry of a key; `None` where it is not written.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }
}

impl Value {
    /// The string; `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match &self.node {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items; `None` for anything but an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match &self.node {
            Node::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The table; `None` for anything else.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table, to be changed; `None` for anything else.
    pub fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Shows every string in the value, and where it stands; keys are none of them.
    pub fn each_text(&self, visit: &mut dyn FnMut(&str, Span)) {
        match &self.node {
            Node::String(text) => visit(text, self.span),
            Node::Array(items) => items.iter().for_each(|item| item.each_text(visit)),
            Node::Table(table) => table.0.iter().for_each(|entry| entry.value.each_text(visit)),
            _ => {}
        }
    }

    /// The same, to change them.
    pub fn each_text_mut(&mut self, visit: &mut dyn FnMut(&mut String, Span)) {
        match &mut self.node {
            Node::String(text) => visit(text, self.span),
            Node::Array(items) => items.iter_mut().for_each(|item| item.each_text_mut(visit)),
            Node::Table(table) => table.each_text_mut(visit),
            _ => {}
        }
    }

    /// What the value is, for messages: "a string", "an array", …
    pub fn kind(&self) -> &'static str {
        match self.node {
            Node::String(_) => "a string",
            Node::Integer(_) => "an integer",
            Node::Float(_) => "a number",
            Node::Boolean(_) => "a boolean",
            Node::Datetime(_) => "a date",
            Node::Array(_) => "an array",
            Node::Table(_) => "a table",
        }
    }
}
