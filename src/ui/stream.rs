//! An output stream that may be written from several threads: stdout, stderr, or memory in tests.
//!
//! A reader that went away (`| head`) is no error: what is written afterwards is dropped. Any other failure is
//! reported to whoever writes. Knows nothing of what is written.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A shared output stream; clones write to the same place.
#[derive(Clone)]
pub struct Stream {
    shared: Arc<Mutex<Shared>>,
    /// Whether a person looks at it.
    terminal: bool,
    /// Asks for the terminal's size now, which a person may change.
    size: fn() -> Option<Size>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

struct Shared {
    writer: Box<dyn Write + Send>,
    reader_gone: bool,
}

impl Stream {
    /// A stream over any writer.
    pub fn new(writer: Box<dyn Write + Send>, terminal: bool) -> Stream {
        Stream { shared: Arc::new(Mutex::new(Shared { writer, reader_gone: false })), terminal, size: || None }
    }

    /// The process's standard output, buffered: flush before the end.
    pub fn stdout() -> Stream {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let stream = Stream::new(Box::new(BufWriter::with_capacity(1 << 16, stdout)), terminal);
        Stream { size: || terminal_size(&io::stdout()), ..stream }
    }

    /// The process's standard error, unbuffered.
    pub fn stderr() -> Stream {
        let stderr = io::stderr();
        let terminal = stderr.is_terminal();
        let stream = Stream::new(Box::new(stderr), terminal);
        Stream { size: || terminal_size(&io::stderr()), ..stream }
    }

    /// A stream into memory, and the memory: for tests.
    pub fn memory() -> (Stream, Captured) {
        let captured = Captured::default();
        (Stream::new(Box::new(captured.clone()), false), captured)
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The terminal's size; 80 × 24 where there is none to ask.
    pub fn size(&self) -> Size {
        (self.size)().unwrap_or(Size { columns: 80, rows: 24 })
    }

    /// Writes a whole line at once, for text that nobody can be told about when it doesn't arrive.
    pub fn line(&self, text: &str) {
        let mut shared = self.lock();
        let _ = shared.write_all(format!("{text}\n").as_bytes()).and_then(|()| shared.flush());
    }

    /// As [`Stream::line`], but gives up when another thread is writing: for a signal's handler.
    pub fn line_if_free(&self, text: &str) {
        if let Ok(mut shared) = self.shared.try_lock() {
            let _ = shared.write_all(format!("{text}\n").as_bytes()).and_then(|()| shared.flush());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn terminal_size(terminal: &impl AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    // A pseudo-terminal whose size nobody set says 0 × 0.
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size { columns: size.ws_col, rows: size.ws_row })
}

impl Shared {
    fn unless_reader_gone<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.reader_gone = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reader_gone {
            return Ok(bytes.len());
        }
        let result = self.writer.write(bytes);
        self.unless_reader_gone(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.reader_gone {
            return Ok(());
        }
        let result = self.writer.flush();
        self.unless_reader_gone(result, ())
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lock().write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

/// What was written to [`Stream::memory`].
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All text so far; what isn't UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        let mut gone = Stream::new(Box::new(Failing(io::ErrorKind::BrokenPipe)), false);
        gone.write_all(b"first").unwrap();
        gone.write_all(b"second").unwrap();
        let mut full = Stream::new(Box::new(Failing(io::ErrorKind::StorageFull)), false);
        assert_eq!(full.write_all(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
