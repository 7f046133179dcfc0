//! Where a key that is written twice was written first.
//!
//! The TOML parser reports the second place only; the first is looked up in the text. Used on the error path alone, so
//! it may be slow; where it is misled, the place is missing and the error still stands.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Span};

/// The diagnostic for a duplicate key at `second`; `None` where it follows from a table header that is written twice.
pub fn describe(text: &str, second: Range<usize>, file: FileId) -> Option<Diagnostic> {
    let line = line_start(text, second.start);
    let key = &text[second.clone()];
    let error = match header(&text[line..]) {
        Some(table) => duplicate_table(text, line, table),
        None => duplicate_key(text, line, key, second.start)?,
    };
    let Found { message, first } = error;
    let diagnostic = Diagnostic::error(message).at(Span::new(file, second), "and again here");
    let diagnostic = diagnostic.help("keep one, or rename one");
    Some(match first {
        Some(first) => diagnostic.also(Span::new(file, first), "first here"),
        None => diagnostic,
    })
}

struct Found {
    message: String,
    first: Option<Range<usize>>,
}

fn duplicate_table(text: &str, line: usize, table: &str) -> Found {
    let parts: Vec<&str> = table.split('.').collect();
    let message = match parts[..] {
        ["rule", name] => format!("two rules are named `{name}`"),
        [_, name] => format!("two targets are named `{name}`"),
        _ => format!("the table `[{table}]` is written twice"),
    };
    let first = lines_before(text, line).find(|(_, line)| header(line) == Some(table));
    Found { message, first: first.map(|(start, line)| key_in_header(start, line)) }
}

/// The last key of a header line, which names the target.
fn key_in_header(start: usize, line: &str) -> Range<usize> {
    let end = line.find(']').unwrap_or(line.len());
    let from = line[..end].rfind(['.', '[']).map_or(0, |at| at + 1);
    start + from..start + end
}

/// Looks back as far as the table's header: a twice-written header makes all keys of the second table look duplicate.
fn duplicate_key(text: &str, line: usize, key: &str, second: usize) -> Option<Found> {
    let message = format!("the key `{key}` is written twice");
    let opens_line = text[line..second].trim().is_empty();
    let from_line = |(start, line): (usize, &str)| assigns(line, key).map(|at| start + at..start + at + key.len());
    if !opens_line && let Some(at) = text[line..second].rfind(key) {
        return Some(Found { message, first: Some(line + at..line + at + key.len()) });
    }
    let block = lines_before(text, line).take_while(|(_, line)| header(line).is_none());
    if let Some(first) = block.filter_map(from_line).next() {
        return Some(Found { message, first: Some(first) });
    }
    let own = lines_before(text, line).find_map(|(start, line)| Some((start, header(line)?)));
    let follows =
        own.is_some_and(|(start, table)| lines_before(text, start).any(|(_, line)| header(line) == Some(table)));
    (!follows).then_some(Found { message, first: None })
}

/// Where in a line a value is given to the key.
fn assigns(line: &str, key: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let rest = line.trim_start().strip_prefix(key)?.trim_start();
    rest.starts_with(['=', '.']).then_some(indent)
}

/// The name inside `[…]`, when a line is a table's header.
fn header(line: &str) -> Option<&str> {
    let line = line.lines().next()?.trim();
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    let of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'"' | b'\'' | b' ');
    (!name.is_empty() && name.bytes().all(of_key) && !line.ends_with(',')).then_some(name)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The lines that end before `end`, nearest first, with their offsets.
fn lines_before(text: &str, end: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut end = end;
    std::iter::from_fn(move || {
        let line = text[..end].strip_suffix('\n')?;
        let start = line_start(line, line.len());
        end = start;
        Some((start, &line[start..]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use crate::span::Sources;

    fn shown(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let file = sources.add("p/layers.toml".into(), text.into());
        parse(text, file).diagnostics.iter().map(|diagnostic| diagnostic.render(&sources, false)).collect()
    }

    #[test]
    fn a_table_written_twice_names_both_places_once() {
        let shown = shown("[files.a]\nsrcs = [\"x\"]\n\n[files.a]\nsrcs = [\"y\"]\n");
        assert_eq!(shown.len(), 1, "{shown:#?}");
        assert!(shown[0].contains("two targets are named `a`"), "{}", shown[0]);
        assert!(shown[0].contains("p/layers.toml:4:8"), "{}", shown[0]);
        assert!(shown[0].contains("first here") && shown[0].contains("1 | [files.a]"), "{}", shown[0]);
    }

    #[test]
    fn a_key_written_twice_names_both_places() {
        let shown = shown("[files.a]\ndest = \"x\"\nsrcs = []\ndest = \"y\"\nlinks = { a = \"1\", a = \"2\" }\n");
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[0].contains("the key `dest` is written twice"), "{}", shown[0]);
        assert!(shown[0].contains("2 | dest") && shown[0].contains("4 | dest"), "{}", shown[0]);
        assert!(shown[1].contains("the key `a` is written twice") && shown[1].contains("first here"), "{}", shown[1]);
    }
}
