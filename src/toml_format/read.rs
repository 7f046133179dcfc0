//! A text → lines, of the events of toml's own parser.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind as Kind, RecursionGuard, parse_document};

use super::lines::{Comment, Line, List, Value};

/// So deep may values lie in each other; toml itself takes no more.
const DEPTH: u32 = 80;

/// The lines; `None` where the syntax is wrong.
pub fn read(text: &str) -> Option<Vec<Line<'_>>> {
    let tokens = Source::new(text).lex().into_vec();
    let (mut events, mut error) = (Vec::new(), None);
    let mut take = |event: Event| events.push(event);
    parse_document(&tokens, &mut RecursionGuard::new(&mut take, DEPTH), &mut error);
    if error.is_some() { None } else { Reader { text, events: events.into_iter() }.document() }
}

struct Reader<'t> {
    text: &'t str,
    events: std::vec::IntoIter<Event>,
}

impl<'t> Reader<'t> {
    fn document(mut self) -> Option<Vec<Line<'t>>> {
        let mut lines = Lines::default();
        while let Some(event) = self.events.next() {
            match event.kind() {
                Kind::Newline => lines.end_of_line(),
                Kind::Comment => lines.comment(self.comment(&event)),
                Kind::StdTableOpen | Kind::ArrayTableOpen => lines.push(self.header(&event)?),
                Kind::SimpleKey => lines.push(self.pair(&event)?),
                Kind::Whitespace | Kind::StdTableClose | Kind::ArrayTableClose => {}
                _ => return None,
            }
        }
        Some(lines.all)
    }

    fn raw(&self, event: &Event) -> &'t str {
        &self.text[event.span().start()..event.span().end()]
    }

    fn comment(&self, event: &Event) -> Comment<'t> {
        let before = &self.text[..event.span().start()];
        let line = before.rfind('\n').map_or(before, |at| &before[at + 1..]);
        Comment { text: self.raw(event).trim_end(), column: line.chars().count() }
    }

    fn header(&mut self, open: &Event) -> Option<Line<'t>> {
        let mut text = self.raw(open).to_owned();
        loop {
            let event = self.events.next()?;
            match event.kind() {
                Kind::Whitespace => {}
                Kind::StdTableClose | Kind::ArrayTableClose => {
                    text.push_str(self.raw(&event));
                    return Some(Line::Header { text, comment: None });
                }
                _ => text.push_str(self.raw(&event)),
            }
        }
    }

    /// A key, begun, and its value.
    fn pair(&mut self, first: &Event) -> Option<Line<'t>> {
        let mut key = self.raw(first).to_owned();
        loop {
            let event = self.events.next()?;
            match event.kind() {
                Kind::Whitespace => {}
                Kind::KeyValSep => break,
                _ => key.push_str(self.raw(&event)),
            }
        }
        loop {
            let event = self.events.next()?;
            if event.kind() != Kind::Whitespace {
                return Some(Line::Entry { key: Some(key), value: self.value(&event)?, comment: None });
            }
        }
    }

    fn value(&mut self, begin: &Event) -> Option<Value<'t>> {
        match begin.kind() {
            Kind::Scalar => Some(Value::Scalar(self.raw(begin))),
            Kind::ArrayOpen => Some(Value::Array(self.list()?)),
            Kind::InlineTableOpen => Some(Value::Table(self.list()?)),
            _ => None,
        }
    }

    fn list(&mut self) -> Option<List<'t>> {
        let (mut lines, mut spread, mut comma) = (Lines::default(), false, false);
        loop {
            let event = self.events.next()?;
            match event.kind() {
                Kind::ArrayClose | Kind::InlineTableClose => return Some(List { lines: lines.list(), spread, comma }),
                Kind::Whitespace => {}
                Kind::Newline => {
                    spread = true;
                    lines.end_of_line();
                }
                Kind::Comment => lines.comment(self.comment(&event)),
                Kind::ValueSep => comma = true,
                kind => {
                    comma = false;
                    lines.push(if kind == Kind::SimpleKey { self.pair(&event)? } else { self.item(&event)? });
                }
            }
        }
    }

    fn item(&mut self, begin: &Event) -> Option<Line<'t>> {
        Some(Line::Entry { key: None, value: self.value(begin)?, comment: None })
    }
}

/// Lines as they are gathered.
#[derive(Default)]
struct Lines<'t> {
    all: Vec<Line<'t>>,
    /// Whether something stands on the present line.
    begun: bool,
}

impl<'t> Lines<'t> {
    fn push(&mut self, line: Line<'t>) {
        self.all.push(line);
        self.begun = true;
    }

    fn end_of_line(&mut self) {
        if !self.begun && !matches!(self.all.last(), None | Some(Line::Blank)) {
            self.all.push(Line::Blank);
        }
        self.begun = false;
    }

    /// A comment belongs to what stands before it on its line.
    fn comment(&mut self, comment: Comment<'t>) {
        match self.all.last_mut() {
            Some(Line::Header { comment: behind, .. } | Line::Entry { comment: behind, .. }) if self.begun => {
                *behind = Some(comment);
            }
            _ => self.push(Line::Comment(comment.text)),
        }
    }

    /// Of a list: its first line holds the bracket, and blank lines before the end separate nothing.
    fn list(mut self) -> Vec<Line<'t>> {
        while matches!(self.all.last(), Some(Line::Blank)) {
            self.all.pop();
        }
        self.all
    }
}
