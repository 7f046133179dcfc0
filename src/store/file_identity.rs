//! What a source file is, and why one is none: plain values.
//!
//! Knows nothing of how files are found, read and remembered.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::digest::Digest;
use crate::file_stat::Stamp;
use crate::reason::reason;

/// What a file is, as far as a digest of sources is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// Digest of the content; of the target for a symbolic link.
    pub digest: Digest,
    /// Bytes of content; of the target for a symbolic link.
    pub size: u64,
    /// Its owner may execute it (git's view, which no umask changes); false for a symbolic link.
    pub executable: bool,
    /// A file, or a link and its target.
    pub kind: FileKind,
}

/// A file's kind; others are [`FileError::NotAFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File {
        /// Vouches for the digest as long as the file has it; `None` where the file was written to too recently, or no stat
        /// is to be trusted.
        stamp: Option<Stamp>,
    },
    /// A symbolic link with its target, which is not followed.
    Symlink(Vec<u8>),
}

/// Why a file has no digest. Paths are as they were asked for, relative to the workspace's root.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("`{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// The path leaves the workspace, by `..` or through a symbolic link on the way.
    #[error("`{}` leads out of the workspace", .0.display())]
    Outside(PathBuf),
    /// A folder, device, pipe or socket.
    #[error("`{}` is a {what}, not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It was written to each time that it was read.
    #[error("`{}` keeps changing while it is read", .0.display())]
    KeepsChanging(PathBuf),
    /// The system refuses to read it.
    #[error("cannot read `{}`: {}", path.display(), reason(source))]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    pub(super) fn new(path: &Path, error: Errno) -> FileError {
        let path = path.to_owned();
        match error {
            Errno::NOENT | Errno::NOTDIR => FileError::Missing(path),
            Errno::XDEV => FileError::Outside(path),
            _ => FileError::Unreadable { path, source: error.into() },
        }
    }

    pub(super) fn not_a_file(path: &Path, kind: FileType) -> FileError {
        let what = match kind {
            FileType::Directory => "folder",
            FileType::Fifo => "pipe",
            FileType::Socket => "socket",
            _ => "device",
        };
        FileError::NotAFile { path: path.to_owned(), what }
    }
}
