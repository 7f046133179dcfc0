//! A stream as indicatif wants to see a terminal: cursor movements as ANSI sequences, written a drawing at a time.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;

use super::stream::Stream;

/// A terminal that draws to a stream.
#[derive(Debug)]
pub struct Terminal {
    to: Stream,
    /// What was drawn since the last flush: written at once, so that nothing flickers or mixes.
    drawn: Mutex<String>,
}

impl Terminal {
    /// Draws to a stream.
    pub fn new(to: Stream) -> Terminal {
        Terminal { to, drawn: Mutex::default() }
    }

    fn draw(&self, text: &str) -> io::Result<()> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    fn move_cursor(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.draw(&format!("\x1b[{n}{direction}")) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.to.size().columns
    }

    fn height(&self) -> u16 {
        self.to.size().rows
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.draw(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let text = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        let mut to = self.to.clone();
        to.write_all(text.as_bytes())?;
        to.flush()
    }
}
