//! What can go wrong in the store, as data: errors that end an operation, warnings that only cost a rebuild.
//!
//! Takes the system's errors and gives typed ones with the path. Knows nothing of exit codes or of how they are shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::reason::reason;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer layerbuild made the store; nothing in it was touched.
    #[error("the store `{}` was made by a newer layerbuild (store version {found}, this one knows {known}); use another --cache-dir or upgrade", path.display())]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// The version that its VERSION file names.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// The folder holds something, but no store.
    #[error("`{}` is not a layerbuild store: {why}; use another --cache-dir, or an empty folder", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What speaks against it, as a phrase.
        why: String,
    },
    /// Another process holds the store's lock and waiting was declined.
    #[error("the store `{}` is locked by another layerbuild", path.display())]
    Locked {
        /// The store's folder.
        path: PathBuf,
    },
    /// The disk, or the user's quota on it, is full.
    #[error("the disk is full: cannot {doing} `{}`{}", path.display(), Needed(*needed))]
    DiskFull {
        /// What was being done, as in "write".
        doing: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// Bytes that the file was to have, as far as known then.
        needed: Option<u64>,
    },
    /// The file system refuses: permissions, or mounted read-only.
    #[error("cannot {doing} `{}`: {}", path.display(), reason(source))]
    Refused {
        /// What was being done, as in "write".
        doing: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A blob's bytes are not what its digest says.
    #[error("blob {digest} in the store is damaged: `{}`", path.display())]
    Corrupt {
        /// The blob asked for.
        digest: Digest,
        /// Its file.
        path: PathBuf,
    },
    /// The store doesn't hold the blob.
    #[error("blob {digest} is not in the store")]
    Missing {
        /// The blob asked for.
        digest: Digest,
    },
    /// A value too long for a journal (4 GiB).
    #[error("a record of {0} bytes is too long for the store")]
    TooLong(usize),
    /// Anything else the system reports.
    #[error("cannot {doing} `{}`: {}", path.display(), reason(source))]
    Io {
        /// What was being done, as in "write".
        doing: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

struct Needed(Option<u64>);

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|bytes| write!(f, " ({bytes} bytes so far)"))
    }
}

impl StoreError {
    /// Types an error of the system. A store error that travelled inside an `io::Error` comes out again as it was.
    pub fn io(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> StoreError {
        let source = match source.into().downcast::<StoreError>() {
            Ok(inner) => return inner,
            Err(source) => source,
        };
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull { doing, path, needed: None }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::Refused { doing, path, source }
            }
            _ => StoreError::Io { doing, path, source },
        }
    }

    /// Adds how many bytes the file was to have, where the disk is full.
    pub(super) fn needing(self, bytes: u64) -> StoreError {
        match self {
            StoreError::DiskFull { doing, path, .. } => StoreError::DiskFull { doing, path, needed: Some(bytes) },
            other => other,
        }
    }

    /// Wraps it for `Read` and `Write`, keeping the kind; [`StoreError::io`] unwraps it.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            StoreError::DiskFull { .. } => io::ErrorKind::StorageFull,
            StoreError::Corrupt { .. } => io::ErrorKind::InvalidData,
            StoreError::Missing { .. } => io::ErrorKind::NotFound,
            StoreError::Refused { source, .. } | StoreError::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

/// Something in the store was damaged; it was left out, and is made anew where it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreWarning {
    /// The damaged file.
    pub path: PathBuf,
    /// What was found and what became of it, as a phrase.
    pub what: String,
}

impl fmt::Display for StoreWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(errno: rustix::io::Errno) -> StoreError {
        StoreError::io("write", Path::new("/cache/x"), errno)
    }

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart_from_other_failures() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let error = typed(errno).needing(12);
            assert!(matches!(&error, StoreError::DiskFull { needed: Some(12), .. }), "{error:?}");
            assert_eq!(error.to_string(), "the disk is full: cannot write `/cache/x` (12 bytes so far)");
        }
        assert!(matches!(typed(rustix::io::Errno::IO), StoreError::Io { .. }));
    }

    #[test]
    fn permissions_and_read_only_mounts_are_refusals_with_the_path() {
        for errno in [rustix::io::Errno::ACCESS, rustix::io::Errno::ROFS, rustix::io::Errno::PERM] {
            assert!(matches!(typed(errno), StoreError::Refused { path, .. } if path == Path::new("/cache/x")));
        }
    }

    #[test]
    fn a_store_error_survives_the_way_through_an_io_error() {
        let error = StoreError::Missing { digest: Digest::of(b"x") };
        let back = StoreError::io("read", Path::new("elsewhere"), error.into_io());
        assert!(matches!(back, StoreError::Missing { .. }));
    }
}
