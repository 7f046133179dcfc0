//! A git program that answers questions on its pipes, one line each, for as long as somebody asks.
//!
//! Knows nothing of what is asked.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A program that is started with the first question. Shared by threads, which wait for one another.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<Pipe>>);

/// The program, while it runs.
#[derive(Debug)]
pub struct Pipe {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Kept {
    /// Asks. After an error the program is not asked again: whatever it would say next is not the answer to the next question.
    pub fn ask<T>(
        &self,
        command: impl FnOnce() -> Command,
        question: impl FnOnce(&mut Pipe) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match &mut *kept {
            Some(running) => question(running),
            None => question(kept.insert(Pipe::start(command())?)),
        };
        if answer.is_err() {
            *kept = None;
        }
        answer
    }
}

impl Pipe {
    fn start(mut command: Command) -> io::Result<Pipe> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("git has no pipes"));
        };
        Ok(Pipe { child, questions, answers: BufReader::new(answers) })
    }

    /// Writes questions, at once.
    pub fn write(&mut self, lines: &str) -> io::Result<()> {
        self.questions.write_all(lines.as_bytes())
    }

    /// The next line of an answer, its end included.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        match self.answers.read_until(b'\n', &mut line)? {
            0 => Err(io::Error::other("git ended without an answer")),
            _ => Ok(line),
        }
    }

    /// So many bytes of an answer.
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.answers.read_exact(&mut bytes).map(|()| bytes)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
