//! Where a value comes from: who wrote it, and in which line.
//!
//! Knows nothing of what a value is for.

use crate::span::{Sources, Span};

/// Whose text it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The workspace's own: `[workspace]`, `[vars]`, a target.
    Workspace,
    /// `[profile.NAME]`.
    Profile(String),
    /// The developer's own file.
    Local,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is written in a file.
    Written(By, Span),
    /// A flag of the call, as it is spelled.
    Flag(String),
    /// A variable of the environment, by name.
    Variable(String),
}

impl By {
    /// A value that they wrote.
    pub fn at(&self, span: Span) -> Origin {
        Origin::Written(self.clone(), span)
    }
}

impl Origin {
    /// Where it is written; `None` for what stands in no file.
    pub fn span(&self) -> Option<Span> {
        match self {
            Origin::Written(_, span) => Some(*span),
            Origin::Flag(_) | Origin::Variable(_) => None,
        }
    }

    /// In words, with file and line: "profile dev, layers.toml:7".
    pub fn describe(&self, sources: &Sources) -> String {
        match self {
            Origin::Written(By::Profile(name), span) => format!("profile {name}, {}", line(sources, *span)),
            Origin::Written(_, span) => line(sources, *span),
            Origin::Flag(flag) => flag.clone(),
            Origin::Variable(name) => format!("the variable {name}"),
        }
    }
}

/// `path:line`.
pub fn line(sources: &Sources, span: Span) -> String {
    let place = sources.place(span);
    place.rsplit_once(':').map_or(place.clone(), |(line, _)| line.to_owned())
}
