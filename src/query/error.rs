//! What can be wrong with a query: its text (syntax) or what it asks for (evaluation).
//!
//! Texts follow Bazel's, which users know. Exit codes are `cli`'s matter: 2 for syntax, 7 for evaluation.

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
    pub fn render(&self, query: &str, color: bool) -> String {
        let mut sources = Sources::default();
        let file = sources.add("query".into(), query.into());
        let mut diagnostic = Diagnostic::error(&self.message).at(Span::new(file, self.span.clone()), &self.label);
        diagnostic.help.extend(self.help.clone());
        diagnostic.render(&sources, color)
    }
}
