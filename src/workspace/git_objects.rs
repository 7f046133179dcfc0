//! Blobs of git's by their names, from one `git cat-file --batch` that lives as long as they are asked for.
//!
//! Knows nothing of paths, and of what git makes of a blob when it is checked out.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use super::git::Git;

/// A repository's blobs. Shared by threads, which wait for one another.
#[derive(Debug, Default)]
pub struct Objects(Mutex<Option<Asked>>);

/// The program, while it runs.
#[derive(Debug)]
struct Asked {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// The bytes of a blob. A repository that lacks it, as a partial clone may, is an error.
    pub fn read(&self, name: &str, git: &Git) -> io::Result<Vec<u8>> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match &mut *asked {
            Some(running) => running.ask(name),
            None => asked.insert(Asked::start(git)?).ask(name),
        };
        if answer.is_err() {
            // Whatever it would say next is not the answer to the next question.
            *asked = None;
        }
        answer?.ok_or_else(|| io::Error::other(format!("git has no object {name}")))
    }
}

impl Asked {
    fn start(git: &Git) -> io::Result<Asked> {
        let mut command = git.command(&["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("git has no pipes"));
        };
        Ok(Asked { child, questions, answers: BufReader::new(answers) })
    }

    /// `NAME SP TYPE SP SIZE LF CONTENT LF`, or `NAME SP missing LF`, which is `None`.
    fn ask(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        writeln!(self.questions, "{name}")?;
        let mut header = String::new();
        if self.answers.read_line(&mut header)? == 0 {
            return Err(io::Error::other("`git cat-file` ended"));
        }
        let size = header.trim_end().rsplit_once(' ').and_then(|(_, size)| size.parse::<usize>().ok());
        let Some(size) = size else { return Ok(None) };
        let mut bytes = vec![0; size];
        self.answers.read_exact(&mut bytes)?;
        self.answers.read_exact(&mut [0])?;
        Ok(Some(bytes))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
