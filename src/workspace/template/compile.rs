//! Placeholders in a template's values: `${attr.NAME}`, `${attr.NAME...}`, `${text.NAME}` and `${part.NAME}`, each looked up.
//!
//! `$$` before one writes it as plain text. `${vars.…}` is replaced here too, in the texts between placeholders: what a
//! variable says is never read as a placeholder.

use super::super::schema::Type;
use super::super::value::{Entry, Node, Table, Value};
use super::super::vars::Vars;
use super::super::{dollars, marks, replace};
use super::model::{Condition, Field, Fields, Item, Parameter, Reference, Segment, Template};
use crate::diagnostic::{Diagnostic, nearest};
use crate::span::Span;

/// An attribute's value, its text, and the label of a part.
const KINDS: [&str; 3] = ["attr", TEXT, "part"];
const TEXT: &str = "text";

/// The key of the maps that lie over a table.
pub const OVER: &str = "...";

/// What a rule's placeholders may name.
pub struct Names<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// Its attributes.
    pub attributes: &'a [Parameter],
    /// Its parts' names; empty for the target that has the call's own.
    pub parts: &'a [&'a str],
    /// The workspace's variables.
    pub vars: &'a Vars,
}

/// Compiles the values of one rule.
pub struct Compiler<'a> {
    names: Names<'a>,
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a text waits for what git says.
    pub asks_git: bool,
}

/// A placeholder as it is written at the beginning of a text.
struct Written<'a> {
    kind: &'a str,
    name: &'a str,
    spread: bool,
    behind: &'a str,
}

impl<'a> Written<'a> {
    /// `None` where the text does not begin with one.
    fn read(text: &'a str) -> Option<Written<'a>> {
        let (inside, behind) = text.strip_prefix("${")?.split_once('}')?;
        let (kind, name) = inside.split_once('.').filter(|(kind, _)| KINDS.contains(kind))?;
        let bare = name.strip_suffix("...");
        Some(Written { kind, name: bare.unwrap_or(name), spread: bare.is_some(), behind })
    }
}

impl<'a> Compiler<'a> {
    /// For one rule.
    pub fn new(names: Names<'a>) -> Compiler<'a> {
        Compiler { names, diagnostics: Vec::new(), asks_git: false }
    }

    /// A target's table.
    pub fn target(&mut self, table: Table, span: Span) -> Template {
        self.value(Value { span, node: Node::Table(table) })
    }

    /// What `when` says; `None` where that is wrong.
    pub fn condition(&mut self, value: &Value) -> Option<Condition> {
        let text = value.as_str().and_then(|text| Written::read(text).filter(|it| it.behind.is_empty() && !it.spread));
        match (&value.node, text) {
            (_, Some(written)) if written.kind == "attr" && written.name != "name" => {
                match self.reference(&written, value.span)? {
                    Reference::Attribute(at) => Some(Condition::Set(at)),
                    _ => None,
                }
            }
            (Node::Table(table), _) => {
                let wanted: Vec<_> = table.0.iter().filter_map(|entry| self.wanted(entry)).collect();
                Some(Condition::OneOf(wanted))
            }
            _ => {
                let wrong = Diagnostic::error("`when` is not a condition").at(value.span, "");
                let help =
                    "write `when = \"${attr.NAME}\"` for where an attribute is set, or `when = { NAME = \"value\" }`";
                self.diagnostics.push(wrong.help(help));
                None
            }
        }
    }

    fn wanted(&mut self, entry: &Entry) -> Option<(usize, Vec<Value>)> {
        let at = self.attribute(&entry.key, entry.key_span)?;
        let values = entry.value.as_array().unwrap_or(std::slice::from_ref(&entry.value)).to_vec();
        for value in &values {
            let mistakes =
                super::arguments::mistakes(value, &self.names.attributes[at], &Default::default(), &Default::default());
            self.diagnostics.extend(mistakes);
        }
        Some((at, values))
    }

    fn value(&mut self, value: Value) -> Template {
        let span = value.span;
        match value.node {
            Node::String(text) => self.string(&text, span),
            Node::Array(items) => self.list(items, span),
            Node::Table(table) => self.table(table, span),
            node => Template::Plain(Value { span, node }),
        }
    }

    fn string(&mut self, text: &str, span: Span) -> Template {
        if let Some(written) = Written::read(text).filter(|it| it.behind.is_empty() && it.kind != TEXT) {
            self.refuse_spread(&written, span);
            let reference = self.reference(&written, span);
            return reference.map_or_else(|| empty(span), |reference| Template::Whole(reference, span));
        }
        let segments = self.segments(text, span, true);
        match plain(&segments) {
            Some(text) => Template::Plain(Value { span, node: Node::String(text) }),
            None => Template::Text(segments, span),
        }
    }

    fn list(&mut self, items: Vec<Value>, span: Span) -> Template {
        let items: Vec<Item> = items.into_iter().map(|item| self.item(item)).collect();
        let whole = |item: &Item| match item {
            Item::One(Template::Plain(value)) => Some(value.clone()),
            _ => None,
        };
        match items.iter().map(whole).collect() {
            Some(items) => Template::Plain(Value { span, node: Node::Array(items) }),
            None => Template::List(items, span),
        }
    }

    fn item(&mut self, item: Value) -> Item {
        let (span, text) = (item.span, item.as_str().unwrap_or_default());
        let Some(written) = Written::read(text).filter(|it| it.behind.is_empty() && it.spread) else {
            return Item::One(self.value(item));
        };
        let is_list = |ty: &Type| matches!(ty, Type::List(_));
        match self.collection(&written, span, is_list, "a list") {
            Some(reference) => Item::Spread(reference, span),
            None => Item::One(empty(span)),
        }
    }

    fn table(&mut self, table: Table, span: Span) -> Template {
        let mut fields = Fields::default();
        for entry in table.0 {
            if entry.key == OVER {
                fields.over.extend(self.over(&entry.value));
                continue;
            }
            let key = self.segments(&entry.key, entry.key_span, false);
            fields.fields.push(Field { key, key_span: entry.key_span, value: self.value(entry.value) });
        }
        let whole = |field: &Field| match &field.value {
            Template::Plain(value) => {
                Some(Entry { key: plain(&field.key)?, key_span: field.key_span, value: value.clone() })
            }
            _ => None,
        };
        match fields.fields.iter().map(whole).collect() {
            Some(entries) if fields.over.is_empty() => {
                Template::Plain(Value { span, node: Node::Table(Table(entries)) })
            }
            _ => Template::Table(fields, span),
        }
    }

    /// The maps that `... = "${attr.NAME}"`, or a list of such, lays over a table.
    fn over(&mut self, value: &Value) -> Vec<Reference> {
        let texts = value.as_array().unwrap_or(std::slice::from_ref(value));
        let mut found = Vec::new();
        for value in texts {
            let text = value.as_str().unwrap_or_default();
            let Some(written) = Written::read(text).filter(|written| written.behind.is_empty()) else {
                let wrong = Diagnostic::error("`...` lays maps over a table").at(value.span, "not a placeholder");
                self.diagnostics.push(wrong.help("write `\"...\" = \"${attr.NAME}\"`, for an attribute that is a map"));
                continue;
            };
            let is_map = |ty: &Type| matches!(ty, Type::Map(_));
            found.extend(self.collection(&written, value.span, is_map, "a map"));
        }
        found
    }

    /// An attribute that has to be a list or map.
    fn collection(
        &mut self,
        written: &Written<'_>,
        span: Span,
        fits: impl Fn(&Type) -> bool,
        what: &str,
    ) -> Option<Reference> {
        let reference = self.reference(written, span)?;
        let ty = self.ty(reference);
        if fits(ty) {
            return Some(reference);
        }
        let message = format!("`{}` takes {}, and {what} is wanted here", written.name, ty.describe());
        self.diagnostics.push(Diagnostic::error(message).at(span, ""));
        None
    }

    /// The pieces of a text. `vars`: whether `${vars.…}` counts in it, as it does in values and not in keys.
    fn segments(&mut self, text: &str, span: Span, vars: bool) -> Vec<Segment> {
        let (mut found, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find("${") {
            let Some(written) = Written::read(&rest[at..]) else {
                plain.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
                continue;
            };
            let length = rest.len() - written.behind.len() - at;
            if let Some(before) = rest[..at].strip_suffix('$') {
                plain.extend([before, &rest[at..at + length]]);
            } else {
                plain.push_str(&rest[..at]);
                found.extend(self.text(std::mem::take(&mut plain), span, vars));
                let place = dollars::part(span, text, text.len() - rest.len() + at, length);
                found.extend(self.within(&written, place).map(Segment::Value));
            }
            rest = written.behind;
        }
        plain.push_str(rest);
        found.extend(self.text(plain, span, vars));
        found
    }

    fn text(&mut self, text: String, span: Span, vars: bool) -> Option<Segment> {
        let ours = vars && text.contains("${");
        let text = if ours { replace::replace_text(&text, span, self.names.vars, &mut self.diagnostics) } else { text };
        self.asks_git |= marks::is_marked(&text);
        (!text.is_empty()).then_some(Segment::Text(text))
    }

    /// A placeholder in a longer text: what it stands for has to be a text itself, or a number or boolean.
    fn within(&mut self, written: &Written<'_>, span: Span) -> Option<Reference> {
        self.refuse_spread(written, span);
        let reference = self.reference(written, span)?;
        let ty = self.ty(reference);
        if matches!(ty, Type::List(_) | Type::Map(_)) {
            let message = format!("`{}` is {}, and can't stand within a text", written.name, ty.describe());
            let wrong = Diagnostic::error(message).at(span, "");
            self.diagnostics.push(wrong.help(format!("let it stand alone: `\"${{attr.{}}}\"`", written.name)));
        }
        Some(reference)
    }

    fn refuse_spread(&mut self, written: &Written<'_>, span: Span) {
        if written.spread {
            let wrong = Diagnostic::error("`...` stands only where a placeholder is a list's item").at(span, "");
            let (kind, name) = (written.kind, written.name);
            self.diagnostics.push(wrong.help(format!("write `[\"${{{kind}.{name}...}}\"]`, or leave the dots out")));
        }
    }

    fn ty(&self, reference: Reference) -> &'static Type {
        match reference {
            Reference::Attribute(at) => self.names.attributes[at].ty,
            Reference::Name | Reference::Part(_) => &Type::String,
        }
    }

    fn reference(&mut self, written: &Written<'_>, span: Span) -> Option<Reference> {
        match (written.kind, written.name) {
            ("part", name) => self.part(name, span).map(Reference::Part),
            (_, "name") => Some(Reference::Name),
            (_, name) => self.attribute(name, span).map(Reference::Attribute),
        }
    }

    fn attribute(&mut self, name: &str, span: Span) -> Option<usize> {
        let names = || self.names.attributes.iter().map(|attribute| attribute.name.as_str());
        let found = names().position(|known| known == name);
        if found.is_none() {
            let wrong = Diagnostic::error(format!("the rule `{}` has no attribute `{name}`", self.names.rule));
            let help = match nearest(name, names().chain(["name"])) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add `{name} = {{ … }}` to `[rule.{}.attributes]`", self.names.rule),
            };
            self.diagnostics.push(wrong.at(span, "").help(help));
        }
        found
    }

    fn part(&mut self, name: &str, span: Span) -> Option<usize> {
        let names = || self.names.parts.iter().copied().filter(|part| !part.is_empty());
        let found = self.names.parts.iter().position(|known| !name.is_empty() && *known == name);
        if found.is_none() {
            let wrong = Diagnostic::error(format!("the rule `{}` has no part `{name}`", self.names.rule));
            let help = match nearest(name, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add `[rule.{}.parts.RULE.{name}]`", self.names.rule),
            };
            self.diagnostics.push(wrong.at(span, "").help(help));
        }
        found
    }
}

/// What stands for a text that is wrong.
fn empty(span: Span) -> Template {
    Template::Plain(Value { span, node: Node::String(String::new()) })
}

/// The text of pieces without a placeholder.
fn plain(segments: &[Segment]) -> Option<String> {
    let text = |segment: &Segment| match segment {
        Segment::Text(text) => Some(text.clone()),
        Segment::Value(_) => None,
    };
    segments.iter().map(text).collect()
}
