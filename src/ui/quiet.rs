//! Shows warnings and nothing else: `--quiet`.

use super::stream::Stream;
use super::style::Style;
use super::text;
use crate::event::{Event, Listener};

/// Warnings only.
#[derive(Debug)]
pub struct Quiet {
    to: Stream,
    style: Style,
}

impl Quiet {
    /// Shows on a stream.
    pub fn new(to: Stream, style: Style) -> Quiet {
        Quiet { to, style }
    }
}

impl Listener for Quiet {
    fn event(&self, event: Event) {
        if let Event::Warning(message) = event {
            self.to.line(&text::warning(&message, self.style));
        }
    }
}
