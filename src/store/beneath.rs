//! Opening what lies below a folder and nowhere else, whatever links say.
//!
//! Takes paths relative to the folder; `EXDEV` where one leads out. Knows nothing of what is opened.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A folder that is opened below.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Without following a last link, and without waiting where a pipe took the file's place.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Root {
    pub(super) fn open(path: &Path) -> Result<Root, Errno> {
        rustix::fs::open(path, FOLDER, Mode::empty()).map(Root)
    }

    /// Opens a folder to look from; the empty path is the root itself.
    pub(super) fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        self.open_beneath(path, FOLDER)
    }

    /// Opens a file for reading; `ELOOP` where the path itself is a link.
    pub(super) fn file(&self, path: &Path) -> Result<File, Errno> {
        self.open_beneath(path, FILE).map(File::from)
    }

    fn open_beneath(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve) {
                // A folder on the way was renamed just now; or a signal came.
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Linux before 5.6, or a container that forbids what it doesn't know.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_plain(path, flags),
                result => return result,
            }
        }
    }

    /// Without the kernel's help only the path's text is checked.
    fn open_plain(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        if path.is_absolute() || path.components().any(|part| part.as_os_str() == OsStr::new("..")) {
            return Err(Errno::XDEV);
        }
        rustix::io::retry_on_intr(|| rustix::fs::openat(&self.0, path, flags, Mode::empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_kernels_help_the_text_of_a_path_is_still_checked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/b"), "").unwrap();
        let root = Root::open(dir.path()).unwrap();
        root.open_plain(Path::new("a/b"), FILE).unwrap();
        for path in ["/etc/hostname", "../x", "a/../../x"] {
            assert_eq!(root.open_plain(Path::new(path), FILE).unwrap_err(), Errno::XDEV, "{path}");
        }
    }
}
