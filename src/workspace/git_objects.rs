//! Blobs of git's by their names: what they hold, and how much.
//!
//! Knows nothing of paths, and of what git makes of a blob when it is checked out.

use std::io;

use super::git::Git;
use super::git_pipe::{Kept, Pipe};

/// A repository's blobs. Shared by threads.
#[derive(Debug, Default)]
pub struct Objects {
    contents: Kept,
    sizes: Kept,
}

/// So many questions are asked at once: neither they nor the answers fill a pipe.
const AT_ONCE: usize = 200;

impl Objects {
    /// The bytes of a blob. A repository that lacks it, as a partial clone may, is an error.
    pub fn read(&self, name: &str, git: &Git) -> io::Result<Vec<u8>> {
        let read = self.contents.ask(|| git.command(&["cat-file", "--batch"]), |pipe| content(name, pipe))?;
        read.ok_or_else(|| io::Error::other(format!("git has no object {name}")))
    }

    /// How many bytes each of these blobs has; `None` for one that the repository lacks.
    pub fn sizes(&self, names: &[&str], git: &Git) -> io::Result<Vec<Option<u64>>> {
        let mut sizes = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let command = || git.command(&["cat-file", "--batch-check=%(objectsize)"]);
            sizes.extend(self.sizes.ask(command, |pipe| some_sizes(some, pipe))?);
        }
        Ok(sizes)
    }
}

/// `NAME SP TYPE SP SIZE LF CONTENT LF`, or `NAME SP missing LF`, which is `None`.
fn content(name: &str, pipe: &mut Pipe) -> io::Result<Option<Vec<u8>>> {
    pipe.write(&format!("{name}\n"))?;
    let header = String::from_utf8_lossy(&pipe.line()?).into_owned();
    let size = header.trim_end().rsplit_once(' ').and_then(|(_, size)| size.parse::<usize>().ok());
    let Some(size) = size else { return Ok(None) };
    let bytes = pipe.bytes(size)?;
    pipe.bytes(1)?;
    Ok(Some(bytes))
}

fn some_sizes(names: &[&str], pipe: &mut Pipe) -> io::Result<Vec<Option<u64>>> {
    pipe.write(&names.iter().flat_map(|name| [name, "\n"]).collect::<String>())?;
    let size = |line: Vec<u8>| String::from_utf8_lossy(&line).trim_end().parse().ok();
    names.iter().map(|_| pipe.line().map(size)).collect()
}
