//! The text of a layers.toml → a tree of values with places, every syntax error reported.
//!
//! What could be read is given even where the syntax is wrong. Knows nothing of what a key means.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeFloat, DeInteger, DeTable, DeValue};

use super::duplicate;
use super::value::{Entry, Node, Table, Value};
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Span};

/// A file as far as it could be read.
#[derive(Debug, Default)]
pub struct Parsed {
    /// What is written, in written order.
    pub table: Table,
    /// Where the syntax is wrong, ascending: what stands around these places is not to be judged.
    pub broken: Vec<u32>,
    /// One a syntax error.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file's text.
pub fn parse(text: &str, file: FileId) -> Parsed {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file, diagnostics: Vec::new() };
    let table = reader.table(root.into_inner());
    let mut diagnostics = reader.diagnostics;
    diagnostics.extend(errors.iter().filter_map(|error| describe(error, text, file)));
    diagnostics.sort_by_key(start);
    diagnostics.dedup();
    Parsed { table, broken: diagnostics.iter().map(start).collect(), diagnostics }
}

fn start(diagnostic: &Diagnostic) -> u32 {
    diagnostic.primary.as_ref().map_or(0, |place| place.span.start)
}

/// `None` for an error that only follows from another one.
fn describe(error: &toml::de::Error, text: &str, file: FileId) -> Option<Diagnostic> {
    let Some(range) = error.span() else { return Some(too_deep(text, file)) };
    if error.message() == "duplicate key" {
        return duplicate::describe(text, range, file);
    }
    let diagnostic = Diagnostic::error(error.message()).at(Span::new(file, visible(text, range)), "");
    Some(if error.message().contains("string values must be quoted") {
        diagnostic.help("put the text in double quotes")
    } else {
        diagnostic
    })
}

/// The one mistake that `toml` names no place for: a key of too many parts, which stands in the line with the most dots.
fn too_deep(text: &str, file: FileId) -> Diagnostic {
    let lines = text.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((line, *end - line.len()))
    });
    let (line, at) = lines.max_by_key(|(line, _)| line.matches('.').count()).unwrap_or_default();
    Diagnostic::error("the key has too many parts").at(Span::new(file, at..at + line.trim_end().len()), "")
}

/// An empty range cannot be underlined: takes in the character before or behind it, on the same line where possible.
fn visible(text: &str, range: Range<usize>) -> Range<usize> {
    if !range.is_empty() {
        return range;
    }
    let at = range.start.min(text.len());
    let width = |character: Option<char>| character.filter(|found| *found != '\n').map_or(0, char::len_utf8);
    match width(text[at..].chars().next()) {
        0 => at - width(text[..at].chars().next_back())..at,
        next => at..at + next,
    }
}

struct Reader {
    file: FileId,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// The parser's table is sorted by key; ours is in written order.
    fn table(&mut self, table: DeTable<'_>) -> Table {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let key_span = Span::new(self.file, key.span());
            entries.push(Entry { key: key.into_inner().into_owned(), key_span, value: self.value(value) });
        }
        entries.sort_unstable_by_key(|entry: &Entry| entry.key_span.start);
        Table(entries)
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>) -> Value {
        let span = Span::new(self.file, value.span());
        let node = match value.into_inner() {
            DeValue::String(text) => Node::String(text.into_owned()),
            DeValue::Boolean(flag) => Node::Boolean(flag),
            DeValue::Integer(number) => self.integer(&number, span),
            DeValue::Float(number) => self.float(&number, span),
            DeValue::Datetime(date) => Node::Datetime(date.to_string()),
            DeValue::Array(items) => self.array(items),
            DeValue::Table(table) => Node::Table(self.table(table)),
        };
        Value { span, node }
    }

    fn array(&mut self, items: DeArray<'_>) -> Node {
        Node::Array(items.into_iter().map(|item| self.value(item)).collect())
    }

    fn integer(&mut self, number: &DeInteger<'_>, span: Span) -> Node {
        Node::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| self.too_large(span)))
    }

    fn float(&mut self, number: &DeFloat<'_>, span: Span) -> Node {
        let read: Option<f64> = number.as_str().parse().ok();
        let fits = read.filter(|read| read.is_finite() || number.as_str().ends_with(|last: char| last.is_alphabetic()));
        Node::Float(fits.unwrap_or_else(|| self.too_large(span)))
    }

    fn too_large<T: Default>(&mut self, span: Span) -> T {
        self.diagnostics.push(Diagnostic::error("the number is too large").at(span, "does not fit into 64 bits"));
        T::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Sources;

    fn shown(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let file = sources.add("p/layers.toml".into(), text.into());
        parse(text, file).diagnostics.iter().map(|diagnostic| diagnostic.render(&sources, false)).collect()
    }

    #[test]
    fn entries_stand_in_written_order_with_their_places() {
        let parsed = parse("[files.b]\nsrcs = [\"x\"]\n[files.a]\nn = 0x10\n", FileId(0));
        let files = parsed.table.get("files").and_then(Value::as_table).expect("a table");
        let keys: Vec<&str> = files.0.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!(files.0[0].key_span.range(), 7..8);
        let number = files.get("a").and_then(Value::as_table).and_then(|table| table.get("n")).expect("a value");
        assert_eq!(number.node, Node::Integer(16));
    }

    #[test]
    fn every_syntax_error_is_reported_with_its_line() {
        let shown = shown("[files.a]\nsrcs = [app]\n\n[files.b]\ndest = /opt\n");
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[0].contains("p/layers.toml:2:9") && shown[0].contains("double quotes"), "{}", shown[0]);
        assert!(shown[1].contains("p/layers.toml:5:8"), "{}", shown[1]);
    }

    #[test]
    fn a_key_of_too_many_parts_is_underlined() {
        let text = format!("[files.a]\nsrcs = 1.5\n{}b = 1\n", "a.".repeat(100));
        let shown = shown(&text);
        assert!(shown[0].contains("too many parts") && shown[0].contains("p/layers.toml:3:1"), "{shown:#?}");
    }

    #[test]
    fn an_error_at_the_end_of_the_file_is_still_underlined() {
        let shown = shown("[files.a]\nsrcs = [\"x\"");
        assert!(shown[0].contains("p/layers.toml:2:") && shown[0].contains('^'), "{}", shown[0]);
    }

    #[test]
    fn a_number_beyond_64_bits_is_an_error_and_not_a_panic() {
        let shown = shown("a = 99999999999999999999\nb = 1e999\nc = inf\n");
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[0].contains("p/layers.toml:1:5"), "{}", shown[0]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([\\[\\]{}=.,\"'# \n]|a|b|é|0|\\$|files){0,40}") {
            shown(&text);
        }
    }
}
