//! Plain lines for events.
use super::stream::Stream;
use super::style::Style;
use crate::event::{Event, Listener};

/// Plain lines.
#[derive(Debug)]
pub struct Plain {
    to: Stream,
    style: Style,
}

impl Plain {
    /// To a stream.
    pub fn new(to: Stream, style: Style) -> Plain {
        Plain { to, style }
    }
}

impl Listener for Plain {
    fn event(&self, event: Event) {
        if let Event::Warning(text) = event {
            self.to.line(&format!("{} {text}", self.style.warning("warning:")));
        }
    }
}
