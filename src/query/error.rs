//! What can be wrong with a query: its text (syntax) or what it asks for (evaluation).
//!
//! Texts follow Bazel's, which users know. Exit codes are `cli`'s matter: 2 for syntax, 7 for evaluation.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::span::{Sources, Span};

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// In which step it was found.
    pub kind: ErrorKind,
    /// A lower-case phrase.
    pub message: String,
    /// The offending bytes of the query; empty at its end.
    pub span: Range<usize>,
    /// What to say beside the offending text; may be empty.
    pub label: String,
    /// What to do; may be absent.
    pub help: Option<String>,
}

/// In which step an error was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no query.
    Syntax,
    /// It is a query, but can't be answered: an unknown target or variable.
    Evaluation,
}

impl QueryError {
    /// The text is no query.
    pub fn syntax(message: impl Into<String>, span: Range<usize>) -> QueryError {
        QueryError::new(ErrorKind::Syntax, message, span)
    }

    /// The query can't be answered.
    pub fn evaluation(message: impl Into<String>, span: Range<usize>) -> QueryError {
        QueryError::new(ErrorKind::Evaluation, message, span)
    }

    fn new(kind: ErrorKind, message: impl Into<String>, span: Range<usize>) -> QueryError {
        QueryError { kind, message: message.into(), span, label: String::new(), help: None }
    }

    /// Says something beside the offending text.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> QueryError {
        self.label = text.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: Option<String>) -> QueryError {
        self.help = text;
        self
    }

    /// The error as a person sees it, the place underlined. `query`: the text that was parsed; `color`: with ANSI styles.
    /// Of a long text, what stands around the place.
    pub fn render(&self, query: &str, color: bool) -> String {
        let (shown, span) = window(query, self.span.clone());
        let mut sources = Sources::default();
        let file = sources.add("query".into(), shown.into());
        let mut diagnostic = Diagnostic::error(&self.message).at(Span::new(file, span), &self.label);
        diagnostic.help.extend(self.help.clone());
        diagnostic.render(&sources, color)
    }
}

/// The most bytes of a query that are shown whole.
const WHOLE: usize = 600;
/// Bytes shown on each side of a place, and of the place itself.
const AROUND: usize = 60;

/// A part of a text around a place, and the place in it.
fn window(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    if text.len() <= WHOLE {
        return (text.to_owned(), span);
    }
    let start = text.floor_char_boundary(span.start.saturating_sub(AROUND));
    let stop = text.ceil_char_boundary(span.end.min(span.start + AROUND));
    let end = text.ceil_char_boundary((stop + AROUND).min(text.len()));
    let before = if start > 0 { "…" } else { "" };
    let after = if end < text.len() { "…" } else { "" };
    let shift = |at: usize| at - start + before.len();
    (format!("{before}{}{after}", &text[start..end]), shift(span.start)..shift(stop))
}

/// The beginning of a text that would be too long for a message.
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= AROUND {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(AROUND)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_query_the_surroundings_of_the_place_are_shown() {
        let text = format!("{}é + $ö{}", "a + ".repeat(50_000), " + b".repeat(50_000));
        let at = text.find('$').unwrap();
        let shown = QueryError::evaluation("wrong", at..at + 1).render(&text, false);
        assert!(shown.len() < 800 && shown.contains("$ö + b"), "{shown}");
        let end = QueryError::syntax("premature end of input", text.len()..text.len()).render(&text, false);
        assert!(end.contains("a + ") || end.contains("+ b"), "{end}");
        let all = QueryError::evaluation("all of it", 0..text.len()).render(&text, false);
        assert!(all.len() < 800, "{all}");
    }
}
