//! Lines → text, in our style.
//!
//! Keys of lines that follow each other are aligned, and so are the comments behind them. An array is broken where it
//! would pass the width, holds a comment, or is written so with a comma at its end. An inline table that is written over
//! several lines has one for each key; no other is broken, however long, as older readers of TOML take none of several.

use super::WIDTH;
use super::lines::{Comment, Line, List, Value};

const INDENT: usize = 4;
/// Between a value and the comment behind it, at least.
const GAP: usize = 2;

/// The whole text.
pub fn write(lines: &[Line<'_>], newline: &str) -> String {
    let mut rows = Layout { newline }.rows(lines, 0, "");
    while rows.last().is_some_and(Row::is_blank) {
        rows.pop();
    }
    align_comments(&mut rows);
    separate_tables(rows).iter().map(|row| row.text() + newline).collect()
}

/// A line as it is written, or several of one value.
#[derive(Default)]
struct Row<'t> {
    code: String,
    comment: Option<Comment<'t>>,
    kind: Kind,
}

#[derive(Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Blank,
    Comment,
    Header,
    Entry,
}

impl Row<'_> {
    fn is_blank(&self) -> bool {
        self.kind == Kind::Blank
    }

    /// Whether its comment is aligned with others.
    fn is_aligned(&self) -> bool {
        self.comment.is_some() && !self.code.contains('\n')
    }

    /// Where a comment may stand.
    fn end(&self) -> usize {
        last_width(&self.code) + GAP
    }

    fn text(&self) -> String {
        let Some(comment) = &self.comment else { return self.code.clone() };
        // Aligned ones got their column; what stands behind several lines has none in common with others.
        let column = if self.is_aligned() { comment.column } else { self.end() };
        let blanks = " ".repeat(column.saturating_sub(last_width(&self.code)));
        format!("{}{blanks}{}", self.code, comment.text)
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn last_width(text: &str) -> usize {
    width(text.rsplit('\n').next().unwrap_or_default())
}

/// Gives the comments of each block one column: the one that they share already, else the nearest.
fn align_comments(rows: &mut [Row<'_>]) {
    for block in rows.split_mut(Row::is_blank) {
        let aligned = || block.iter().filter(|row| row.is_aligned());
        let least = aligned().map(Row::end).max().unwrap_or_default();
        let mut columns = aligned().filter_map(|row| row.comment.map(|comment| comment.column));
        let first = columns.next().unwrap_or_default();
        let column = if first >= least && columns.all(|column| column == first) { first } else { least };
        for comment in block.iter_mut().filter(|row| row.is_aligned()).filter_map(|row| row.comment.as_mut()) {
            comment.column = column;
        }
    }
}

/// Sets a blank line before each table, and before the comment over it.
fn separate_tables(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let mut separated: Vec<Row<'_>> = Vec::with_capacity(rows.len());
    for row in rows {
        if row.kind == Kind::Header {
            let comments = separated.iter().rev().take_while(|row| row.kind == Kind::Comment).count();
            let at = separated.len() - comments;
            if at > 0 && !separated[at - 1].is_blank() {
                separated.insert(at, Row::default());
            }
        }
        separated.push(row);
    }
    separated
}

struct Layout<'n> {
    newline: &'n str,
}

impl Layout<'_> {
    /// `end`: stands behind each entry.
    fn rows<'t>(&self, lines: &[Line<'t>], indent: usize, end: &str) -> Vec<Row<'t>> {
        let blanks = " ".repeat(indent);
        let mut rows = Vec::with_capacity(lines.len());
        for block in blocks(lines) {
            let keys = block.iter().filter_map(|line| key(line).map(width)).max().unwrap_or_default();
            for line in block {
                rows.push(match line {
                    Line::Blank => Row::default(),
                    Line::Comment(text) => Row { code: format!("{blanks}{text}"), comment: None, kind: Kind::Comment },
                    Line::Header { text, comment } => Row { code: text.clone(), comment: *comment, kind: Kind::Header },
                    Line::Entry { key, value, comment } => {
                        let key = key.as_ref().map(|key| format!("{key:keys$} = ")).unwrap_or_default();
                        let value = self.value(value, indent, Some(indent + width(&key) + end.len()));
                        Row { code: format!("{blanks}{key}{value}{end}"), comment: *comment, kind: Kind::Entry }
                    }
                });
            }
        }
        rows
    }

    /// `before`: how much of its line stands around it; `None`: it is not broken for its width.
    fn value(&self, value: &Value<'_>, indent: usize, before: Option<usize>) -> String {
        match value {
            Value::Scalar(text) => (*text).to_owned(),
            Value::Array(list) => {
                let flat = (!must_break(value)).then(|| self.flat(list, indent, ["[", "]"]));
                let fits = |flat: &String| before.is_none_or(|before| first_fits(flat, before));
                flat.filter(fits).unwrap_or_else(|| self.broken(list, indent, ["[", "]"]))
            }
            Value::Table(list) if is_spread(list) => self.broken(list, indent, ["{", "}"]),
            Value::Table(list) => self.flat(list, indent, ["{ ", " }"]),
        }
    }

    fn flat(&self, list: &List<'_>, indent: usize, [open, close]: [&str; 2]) -> String {
        let items: Vec<String> = list.lines.iter().filter_map(|line| self.item(line, indent)).collect();
        if items.is_empty() {
            return format!("{}{}", open.trim_end(), close.trim_start());
        }
        format!("{open}{}{close}", items.join(", "))
    }

    fn item(&self, line: &Line<'_>, indent: usize) -> Option<String> {
        let Line::Entry { key, value, .. } = line else { return None };
        let key = key.as_ref().map(|key| format!("{key} = ")).unwrap_or_default();
        Some(format!("{key}{}", self.value(value, indent, None)))
    }

    fn broken(&self, list: &List<'_>, indent: usize, [open, close]: [&str; 2]) -> String {
        let mut rows = self.rows(&list.lines, indent + INDENT, ",");
        align_comments(&mut rows);
        let newline = self.newline;
        let rows: String = rows.iter().map(|row| row.text() + newline).collect();
        format!("{open}{newline}{rows}{}{close}", " ".repeat(indent))
    }
}

/// Whether the longest line keeps within the width. `before`: columns around the first.
fn first_fits(text: &str, before: usize) -> bool {
    text.lines().enumerate().all(|(at, line)| width(line) + if at == 0 { before } else { 0 } <= WIDTH)
}

/// Whether it stands over several lines however short it is.
fn must_break(value: &Value<'_>) -> bool {
    let Value::Array(list) = value else { return false };
    let inner = |line: &Line<'_>| matches!(line, Line::Entry { value, .. } if must_break(value));
    list.has_comments() || list.spread && list.comma || list.lines.iter().any(inner)
}

/// Whether an inline table stands over several lines, itself or by another in it.
fn is_spread(list: &List<'_>) -> bool {
    let holds_one = |line: &Line<'_>| matches!(line, Line::Entry { value: Value::Table(list), .. } if is_spread(list));
    !list.lines.is_empty() && (list.spread || list.lines.iter().any(holds_one))
}

fn key<'l>(line: &'l Line<'_>) -> Option<&'l str> {
    if let Line::Entry { key, .. } = line { key.as_deref() } else { None }
}

/// Lines whose keys are aligned with each other: a blank line, a table and a text of several lines end a block.
fn blocks<'l, 't>(lines: &'l [Line<'t>]) -> impl Iterator<Item = &'l [Line<'t>]> {
    let ends = |line: &Line<'_>| match line {
        Line::Blank | Line::Header { .. } => true,
        Line::Comment(_) => false,
        Line::Entry { value, .. } => holds_lines(value),
    };
    lines.chunk_by(move |line, next| !ends(line) && !ends(next))
}

/// Whether a text of several lines is in it.
fn holds_lines(value: &Value<'_>) -> bool {
    match value {
        Value::Scalar(text) => text.contains('\n'),
        Value::Array(list) | Value::Table(list) => {
            list.lines.iter().any(|line| matches!(line, Line::Entry { value, .. } if holds_lines(value)))
        }
    }
}
