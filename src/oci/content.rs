//! Reads a file's bytes from where its [`Content`] says they are, into a buffer that the caller has.
//!
//! Fails rather than give bytes that the caller's keys weren't made with. Knows nothing of tar or compression.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::digest::{Digest, Hasher};
use crate::file_stat::{FileStat, Stamp};
use crate::oci::tree::Content;

/// Why a file's bytes can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It is gone, unreadable, no longer a regular file, or the disk fails.
    #[error("can't read `{path}`")]
    Unreadable {
        /// The file of the host.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It has another size or other bytes than when its digest was taken.
    #[error("file `{path}` changed while it was read")]
    Changed {
        /// The file of the host.
        path: PathBuf,
    },
}

/// Opens files, keeping the last archive open: members of one archive follow each other.
#[derive(Debug, Default)]
pub struct Reader {
    archive: Option<(PathBuf, File)>,
}

impl Reader {
    /// Puts a part of a content behind what `buffer` holds. A file is held against its stamp, where it has one, else against
    /// its digest; but the latter only where it is read whole: who reads it in parts hashes the parts, and compares with
    /// [`verify`].
    pub fn append(&mut self, buffer: &mut Vec<u8>, content: &Content, part: &Range<u64>) -> Result<(), ContentError> {
        match content {
            Content::Bytes(bytes) => {
                buffer.extend_from_slice(&bytes[part.start as usize..part.end as usize]);
                Ok(())
            }
            Content::File { path, size, digest, stamp } => {
                let file = Expected { path, size: *size, digest, stamp: stamp.as_ref() };
                file.append(buffer, part)
            }
            Content::Range { path, offset, .. } => {
                let archive = self.archive(path).map_err(|source| unreadable(path, source))?;
                append_range(buffer, archive, path, offset + part.start, part.end - part.start)
            }
        }
    }

    fn archive(&mut self, path: &Path) -> io::Result<&File> {
        if self.archive.as_ref().is_some_and(|(open, _)| open != path) {
            self.archive = None;
        }
        match &mut self.archive {
            Some((_, file)) => Ok(file),
            none => Ok(&none.insert((path.to_owned(), open(path)?)).1),
        }
    }
}

/// Whether who reads a content in parts has to hash them, and to compare with [`verify`].
pub fn wants_hashing(content: &Content) -> bool {
    matches!(content, Content::File { stamp: None, .. })
}

/// Compares the digest of all bytes that were read of a content with the one expected.
pub fn verify(content: &Content, found: Digest) -> Result<(), ContentError> {
    match content {
        Content::File { path, digest, .. } if *digest != found => Err(ContentError::Changed { path: path.clone() }),
        _ => Ok(()),
    }
}

/// A file, and what it was when its digest was taken.
struct Expected<'a> {
    path: &'a Path,
    size: u64,
    digest: &'a Digest,
    stamp: Option<&'a Stamp>,
}

impl Expected<'_> {
    fn append(&self, buffer: &mut Vec<u8>, part: &Range<u64>) -> Result<(), ContentError> {
        let fail = |source| unreadable(self.path, source);
        let start = buffer.len();
        let file = open(self.path).map_err(fail)?;
        let wanted = (part.end - part.start) as usize;
        // At the end one byte more is asked for: a file that has it has grown.
        buffer.resize(start + wanted + usize::from(part.end == self.size), 0);
        let read = read_at(&file, part.start, &mut buffer[start..], wanted).map_err(fail)?;
        buffer.truncate(start + wanted);
        if read == wanted && self.is_same(&file, &mut buffer[start..], part).map_err(fail)? {
            return Ok(());
        }
        Err(ContentError::Changed { path: self.path.to_owned() })
    }

    /// After reading: whatever was written before or meanwhile has left another stamp.
    fn is_same(&self, file: &File, bytes: &mut [u8], part: &Range<u64>) -> io::Result<bool> {
        let whole = *part == (0..self.size);
        match self.stamp {
            Some(stamp) if FileStat::of(file)?.stamp == *stamp => Ok(true),
            Some(_) if !whole => self.read_again(file, bytes, part),
            None if !whole => Ok(true),
            _ => Ok(Digest::of(bytes) == *self.digest),
        }
    }

    /// A link made or a mode set leaves another stamp as well. Reads the part once more, with all of the file hashed beside it
    /// while nothing changes.
    fn read_again(&self, mut file: &File, bytes: &mut [u8], part: &Range<u64>) -> io::Result<bool> {
        let before = FileStat::of(file)?;
        let mut hasher = Hasher::new();
        io::copy(&mut file, &mut hasher)?;
        file.read_exact_at(bytes, part.start)?;
        Ok(hasher.finish() == *self.digest && FileStat::of(file)? == before)
    }
}

/// Reads until what is wanted is there or the file ends: one call for most files.
fn read_at(file: &File, at: u64, buffer: &mut [u8], wanted: usize) -> io::Result<usize> {
    let mut read = 0;
    loop {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => return Ok(read),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if read >= wanted {
            return Ok(read);
        }
    }
}

/// The archive stays open between members, so no position is shared: each read says where.
fn append_range(buffer: &mut Vec<u8>, file: &File, path: &Path, start: u64, length: u64) -> Result<(), ContentError> {
    let from = buffer.len();
    buffer.resize(from + length as usize, 0);
    file.read_exact_at(&mut buffer[from..], start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ContentError::Changed { path: path.to_owned() },
        _ => unreadable(path, error),
    })
}

fn unreadable(path: &Path, source: io::Error) -> ContentError {
    ContentError::Unreadable { path: path.to_owned(), source }
}

/// Never through a symlink that has taken the file's place, and without waiting where a pipe has.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, bytes: &[u8]) -> Content {
        std::fs::write(path, bytes).unwrap();
        Content::File { path: path.to_owned(), size: bytes.len() as u64, digest: Digest::of(bytes), stamp: None }
    }

    fn read(content: &Content) -> Result<Vec<u8>, ContentError> {
        let mut buffer = Vec::new();
        Reader::default().append(&mut buffer, content, &(0..content.size())).map(|()| buffer)
    }

    #[test]
    fn a_file_that_grew_shrank_or_was_rewritten_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let content = file(&path, b"hello");
        assert_eq!(read(&content).unwrap(), b"hello");
        for other in [&b"hello!"[..], b"hell", b"jello", b""] {
            std::fs::write(&path, other).unwrap();
            assert!(matches!(read(&content), Err(ContentError::Changed { .. })), "{other:?}");
        }
    }

    #[test]
    fn a_stamp_vouches_for_the_digest_until_the_file_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"hello").unwrap();
        let stamp = FileStat::of(File::open(&path).unwrap()).unwrap().stamp;
        let content = |digest| Content::File { path: path.clone(), size: 5, digest, stamp: Some(stamp) };
        let (right, wrong) = (content(Digest::of(b"hello")), content(Digest::of(b"other")));
        assert_eq!(read(&wrong).unwrap(), b"hello", "it is not hashed");
        let part = |content| Reader::default().append(&mut Vec::new(), content, &(1..3));
        assert!(part(&right).is_ok());
        // Another stamp, the same content: enough where all of it is read.
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(read(&right).unwrap(), b"hello");
        assert!(matches!(read(&wrong), Err(ContentError::Changed { .. })));
        assert!(part(&right).is_ok());
        assert!(matches!(part(&wrong), Err(ContentError::Changed { .. })));
        std::fs::write(&path, b"hallo").unwrap();
        assert!(matches!(part(&right), Err(ContentError::Changed { .. })));
    }

    #[test]
    fn a_symlink_or_directory_or_nothing_in_the_files_place_is_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let content = file(&path, b"hello");
        std::fs::rename(&path, dir.path().join("b")).unwrap();
        assert!(matches!(read(&content), Err(ContentError::Unreadable { .. })), "nothing");
        std::os::unix::fs::symlink("b", &path).unwrap();
        assert!(matches!(read(&content), Err(ContentError::Unreadable { .. })), "a symlink");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(read(&content), Err(ContentError::Unreadable { .. })), "a directory");
    }

    #[test]
    fn a_range_beyond_the_archives_end_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        file(&path, b"hello");
        let range = |offset, size| Content::Range { path: path.clone(), offset, size };
        assert_eq!(read(&range(1, 3)).unwrap(), b"ell");
        assert!(matches!(read(&range(3, 3)), Err(ContentError::Changed { .. })));
    }
}
