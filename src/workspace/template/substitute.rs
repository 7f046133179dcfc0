//! A template and the values of a call → a value.
//!
//! What mentions an attribute without a value is left out: the key, or the item of the list. A value keeps the place
//! where it was written, so that what is wrong with it is shown there.

use super::super::schema::Type;
use super::super::value::{Entry, Node, Table, Value};
use super::model::{Condition, Field, Fields, Item, Parameter, Reference, Segment, Template};
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Where values come from.
pub trait Source {
    /// The value of an attribute; `None`: it has none. `here`: the text in which it is wanted.
    fn attribute(&self, at: usize, here: Span) -> Option<Value>;
    /// The call's name.
    fn name(&self, here: Span) -> Value;
    /// The label of a part; `None` where it isn't made.
    fn part(&self, at: usize, here: Span) -> Option<Value>;
}

/// Values of the right kind, for judging a template that nobody calls: each stands where it is wanted.
pub struct Sample<'a>(pub &'a [Parameter]);

impl Source for Sample<'_> {
    fn attribute(&self, at: usize, here: Span) -> Option<Value> {
        Some(sample(self.0[at].ty, here))
    }

    fn name(&self, here: Span) -> Value {
        text("x".to_owned(), here)
    }

    fn part(&self, _: usize, here: Span) -> Option<Value> {
        Some(text(":x".to_owned(), here))
    }
}

fn sample(ty: &Type, span: Span) -> Value {
    let node = match ty {
        Type::Boolean => Node::Boolean(true),
        Type::Integer => Node::Integer(1),
        Type::List(of) => Node::Array(vec![sample(of, span)]),
        Type::Map(of) => {
            let entry = Entry { key: "x".to_owned(), key_span: span, value: sample(of, span) };
            Node::Table(Table(vec![entry]))
        }
        _ => Node::String("x".to_owned()),
    };
    Value { span, node }
}

fn text(text: String, span: Span) -> Value {
    Value { span, node: Node::String(text) }
}

/// Whether a part is made.
pub fn holds(condition: Option<&Condition>, source: &dyn Source, here: Span) -> bool {
    match condition {
        None => true,
        Some(Condition::Set(at)) => source.attribute(*at, here).is_some_and(|it| it.node != Node::Boolean(false)),
        Some(Condition::OneOf(wanted)) => wanted.iter().all(|(at, values)| {
            source.attribute(*at, here).is_some_and(|value| values.iter().any(|wanted| wanted.node == value.node))
        }),
    }
}

/// The table of a target's template.
pub fn target(template: &Template, source: &dyn Source) -> (Table, Vec<Diagnostic>) {
    let mut filler = Filler { source, diagnostics: Vec::new() };
    let table = match filler.value(template).map(|value| value.node) {
        Some(Node::Table(table)) => table,
        _ => Table::default(),
    };
    (table, filler.diagnostics)
}

struct Filler<'a> {
    source: &'a dyn Source,
    diagnostics: Vec<Diagnostic>,
}

impl Filler<'_> {
    fn value(&mut self, template: &Template) -> Option<Value> {
        match template {
            Template::Plain(value) => Some(value.clone()),
            Template::Whole(reference, span) => self.reference(*reference, *span),
            Template::Text(segments, span) => {
                let (filled, from) = self.text(segments, *span)?;
                Some(text(filled, from))
            }
            Template::List(items, span) => {
                let items = items.iter().flat_map(|item| self.item(item)).collect();
                Some(Value { span: *span, node: Node::Array(items) })
            }
            Template::Table(fields, span) => Some(Value { span: *span, node: Node::Table(self.table(fields, *span)) }),
        }
    }

    fn item(&mut self, item: &Item) -> Vec<Value> {
        match item {
            Item::One(template) => self.value(template).into_iter().collect(),
            Item::Spread(reference, span) => match self.reference(*reference, *span).map(|value| value.node) {
                Some(Node::Array(items)) => items,
                _ => Vec::new(),
            },
        }
    }

    fn table(&mut self, fields: &Fields, span: Span) -> Table {
        let mut table = Table(Vec::with_capacity(fields.fields.len()));
        for field in &fields.fields {
            self.field(field, &mut table);
        }
        for reference in &fields.over {
            lay_over(&mut table, self.reference(*reference, span));
        }
        table
    }

    fn field(&mut self, field: &Field, table: &mut Table) {
        let Some((key, key_span)) = self.text(&field.key, field.key_span) else { return };
        let Some(value) = self.value(&field.value) else { return };
        match table.entry(&key) {
            Some(first) => self.diagnostics.push(
                Diagnostic::error(format!("the key `{key}` is written twice"))
                    .at(field.key_span, "comes to the same")
                    .also(first.key_span, "as this one"),
            ),
            None => table.0.push(Entry { key, key_span, value }),
        }
    }

    /// A text, and the place of the first value in it that has one of its own.
    fn text(&self, segments: &[Segment], here: Span) -> Option<(String, Span)> {
        let (mut filled, mut from) = (String::new(), None);
        for segment in segments {
            match segment {
                Segment::Text(text) => filled.push_str(text),
                Segment::Value(reference) => {
                    let value = self.reference(*reference, here)?;
                    from = from.or((*reference != Reference::Name).then_some(value.span));
                    match value.node {
                        Node::String(text) => filled.push_str(&text),
                        Node::Integer(number) => filled.push_str(&number.to_string()),
                        Node::Boolean(flag) => filled.push_str(if flag { "true" } else { "false" }),
                        _ => {}
                    }
                }
            }
        }
        Some((filled, from.unwrap_or(here)))
    }

    fn reference(&self, reference: Reference, here: Span) -> Option<Value> {
        match reference {
            Reference::Name => Some(self.source.name(here)),
            Reference::Attribute(at) => self.source.attribute(at, here),
            Reference::Part(at) => self.source.part(at, here),
        }
    }
}

/// Lays a map over a table: what both have, the map says.
fn lay_over(table: &mut Table, over: Option<Value>) {
    let Some(Node::Table(over)) = over.map(|value| value.node) else { return };
    for entry in over.0 {
        match table.0.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => table.0.push(entry),
        }
    }
}
