//! The few colours that we use, and none where none are wanted.
//!
//! Knows nothing of terminals or flags: whoever makes a [`Style`] has decided.

use std::fmt::Display;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
}

impl Style {
    /// Bold red: errors.
    pub fn error(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    /// Bold yellow: warnings.
    pub fn warning(self, text: impl Display) -> String {
        self.paint("1;33", text)
    }

    /// Bold green: done.
    pub fn good(self, text: impl Display) -> String {
        self.paint("1;32", text)
    }

    /// Bold cyan: hints.
    pub fn hint(self, text: impl Display) -> String {
        self.paint("1;36", text)
    }

    /// Dim: what matters less.
    pub fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}
