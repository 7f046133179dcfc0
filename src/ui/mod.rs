//! Shows events and results: live lines on a terminal, plain lines elsewhere, JSON for programs.
//!
//! Everything writes to a stream that it is given. Nothing but `cli` imports this module.

pub mod affected_report;
pub mod check_report;
pub mod json;
pub mod live;
pub mod plain;
pub mod quiet;
pub mod stream;
pub mod style;
pub mod table;
pub mod terminal;
pub mod text;

use crate::event::Listener;
use stream::Stream;
use style::Style;

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Warnings only.
    Quiet,
    /// One line for each thing that ended. `verbose`: also what was cached.
    Plain {
        /// Also what was cached.
        verbose: bool,
    },
    /// As plain, and below it what runs now.
    Live {
        /// Also what was cached.
        verbose: bool,
    },
    /// One JSON object a line.
    Json,
}

/// Shows events on a stream.
pub fn listener(mode: Mode, to: Stream, style: Style) -> Box<dyn Listener + Send> {
    match mode {
        Mode::Quiet => Box::new(quiet::Quiet::new(to, style)),
        Mode::Plain { verbose } => Box::new(plain::Plain::new(to, style, verbose)),
        Mode::Live { verbose } => Box::new(live::Live::new(to, style, verbose)),
        Mode::Json => Box::new(json::Json::new(to)),
    }
}
