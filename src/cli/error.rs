//! What a command that did not succeed ends with: an exit code, and what to tell the user.
//!
//! The one place where errors of the library become codes and text: `From<…>` for each stands here.

use std::io;

use crate::exit::Exit;
use crate::query::error::{ErrorKind, QueryError};
use crate::reason::reason;
use crate::registry::RegistryError;
use crate::store::StoreError;
use crate::ui::stream::Stream;
use crate::ui::style::Style;

/// The end of a command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong: a lower-case phrase without a full stop. Empty where the diagnostics say it all.
    pub message: String,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
    /// Diagnostics as rendered, shown before the message.
    pub diagnostics: Vec<String>,
}

impl CliError {
    /// An error with a message only.
    pub fn new(exit: Exit, message: impl Into<String>) -> CliError {
        CliError { exit, message: message.into(), hints: Vec::new(), diagnostics: Vec::new() }
    }

    /// The call or a `layers.toml` is wrong.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::new(Exit::Usage, message)
    }

    /// The environment failed.
    pub fn environment(message: impl Into<String>) -> CliError {
        CliError::new(Exit::Environment, message)
    }

    /// Diagnostics that say it all.
    pub fn diagnosed(exit: Exit, diagnostics: Vec<String>) -> CliError {
        CliError { exit, message: String::new(), hints: Vec::new(), diagnostics }
    }

    /// A query that can't be parsed or answered, its place underlined. `text`: the query; `color`: with ANSI styles.
    pub fn query(error: &QueryError, text: &str, color: bool) -> CliError {
        let exit = match error.kind {
            ErrorKind::Syntax => Exit::Usage,
            ErrorKind::Evaluation => Exit::QueryFailed,
        };
        CliError::diagnosed(exit, vec![error.render(text, color)])
    }

    /// An I/O error, with what was being done, as a phrase ("cannot write /a/b").
    pub fn io(doing: impl std::fmt::Display, error: &io::Error) -> CliError {
        CliError::environment(format!("{doing}: {}", reason(error)))
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> CliError {
        self.hints.push(text.into());
        self
    }

    /// Tells a person.
    pub fn show(&self, to: &Stream, style: Style) {
        let mut lines: Vec<String> = self.diagnostics.iter().map(|text| format!("{}\n", text.trim_end())).collect();
        if !self.message.is_empty() {
            lines.push(format!("{} {}", style.error("error:"), self.message));
        }
        lines.extend(self.hints.iter().map(|hint| format!("  {} {hint}", style.hint("hint:"))));
        if !lines.is_empty() {
            to.line(&lines.join("\n"));
        }
    }

    /// Tells a program: `{"event":"error","exit":2,"message":"…","hints":["…"],"diagnostics":["…"]}` on one line.
    pub fn show_json(&self, to: &Stream) {
        let object = serde_json::json!({
            "event": "error",
            "exit": self.exit.code(),
            "message": self.message,
            "hints": self.hints,
            "diagnostics": self.diagnostics,
        });
        to.line(&object.to_string());
    }
}

/// For `writeln!(cx.out, …)?` alone: any other I/O error says what was being done, by [`CliError::io`].
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        CliError::io("cannot write the output", &error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> CliError {
        let exit = if matches!(error, StoreError::Locked { .. }) { Exit::Locked } else { Exit::Environment };
        CliError::new(exit, error.to_string())
    }
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> CliError {
        let exit = if error.is_mistake() { Exit::Usage } else { Exit::Environment };
        CliError::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_diagnostics_then_message_then_hints() {
        let (stream, captured) = Stream::memory();
        let mut error = CliError::usage("1 error in `layers.toml`").hint("run `layerbuild init`");
        error.diagnostics.push("a.toml:1:1: unknown rule\n\n".into());
        error.show(&stream, Style::default());
        insta::assert_snapshot!(captured.text(), @r"
        a.toml:1:1: unknown rule

        error: 1 error in `layers.toml`
          hint: run `layerbuild init`
        ");
    }

    #[test]
    fn an_error_for_programs_is_one_line_of_json() {
        let (stream, captured) = Stream::memory();
        CliError::usage("two\nlines").show_json(&stream);
        assert_eq!(captured.text().lines().count(), 1);
        assert!(captured.text().contains(r#""exit":2"#));
    }
}
