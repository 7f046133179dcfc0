//! A file's text, or what is wrong with it.
//!
//! Knows nothing of TOML.

use camino::Utf8Path;

use crate::checkout::Checkout;
use crate::diagnostic::Diagnostic;
use crate::reason::reason;
use crate::span::{FileId, Span};

/// What was read.
pub struct Text {
    /// The text; as much of it as is one.
    pub text: String,
    /// Why it can't be read, or is none.
    pub mistake: Option<Diagnostic>,
}

/// Reads a file that messages call `shown`; what can't be read is an empty text and a mistake.
pub fn read_text(checkout: &dyn Checkout, path: &Utf8Path, shown: &str, file: FileId) -> Text {
    match checkout.read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Text { text, mistake: None },
        Ok(Err(error)) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let span = Span::new(file, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
            let mistake = Diagnostic::error("the file is not UTF-8").at(span, "this byte is not text");
            Text { text, mistake: Some(mistake.help("save it as UTF-8")) }
        }
        Err(error) => Text {
            text: String::new(),
            mistake: Some(Diagnostic::error(format!("`{shown}` can't be read: {}", reason(&error)))),
        },
    }
}
