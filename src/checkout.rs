//! A checkout: the files of a workspace as they stand somewhere. Here those on disk; `workspace::revision` has those of a
//! git commit, which nobody checked out.
//!
//! Paths are absolute, and a commit's files stand where a checkout of it would have them. Knows nothing of what files mean.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::fs::{self, FileType};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name there.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// Files by absolute path. Errors are those that the disk would give.
pub trait Checkout: Sync + Debug {
    /// A file's bytes; links are followed.
    fn read(&self, path: &Utf8Path) -> io::Result<Vec<u8>>;

    /// What stands at a path; a link at its end is not followed.
    fn kind(&self, path: &Utf8Path) -> io::Result<Kind>;

    /// What stands in a folder, in no order.
    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<Entry>>;

    /// The path without links, `.` and `..`; an error where nothing is there.
    fn resolve(&self, path: &Utf8Path) -> io::Result<Utf8PathBuf>;

    /// Whether a file is there; links are followed.
    fn is_file(&self, path: &Utf8Path) -> bool;

    /// Whether a folder is there; links are followed.
    fn is_folder(&self, path: &Utf8Path) -> bool;

    /// Whether a folder whose `name` is no text has a file `file`. Of a commit nobody knows: nothing there has a path.
    fn holds(&self, _above: &Utf8Path, _name: &OsStr, _file: &str) -> bool {
        false
    }
}

/// What is on disk.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

/// Where nothing else is said, the disk counts.
impl Default for &dyn Checkout {
    fn default() -> Self {
        &Disk
    }
}

impl Checkout for Disk {
    /// Of a pipe nobody knows whether anything comes, and of some devices no end does.
    fn read(&self, path: &Utf8Path) -> io::Result<Vec<u8>> {
        if kind(fs::metadata(path)?.file_type()) == Kind::Other {
            return Err(io::Error::other("it is a pipe, a socket or a device"));
        }
        fs::read(path)
    }

    fn kind(&self, path: &Utf8Path) -> io::Result<Kind> {
        path.symlink_metadata().map(|metadata| kind(metadata.file_type()))
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<Entry>> {
        let entry = |entry: fs::DirEntry| Ok(Entry { name: entry.file_name(), kind: kind(entry.file_type()?) });
        fs::read_dir(folder)?.map(|found| found.and_then(entry)).collect()
    }

    fn resolve(&self, path: &Utf8Path) -> io::Result<Utf8PathBuf> {
        path.canonicalize_utf8()
    }

    fn is_file(&self, path: &Utf8Path) -> bool {
        path.is_file()
    }

    fn is_folder(&self, path: &Utf8Path) -> bool {
        path.is_dir()
    }

    fn holds(&self, above: &Utf8Path, name: &OsStr, file: &str) -> bool {
        above.as_std_path().join(name).join(file).is_file()
    }
}

fn kind(of: FileType) -> Kind {
    match of {
        _ if of.is_file() => Kind::File,
        _ if of.is_dir() => Kind::Folder,
        _ if of.is_symlink() => Kind::Link,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::FileType;

    use super::*;

    #[test]
    fn what_is_on_disk_is_told_by_its_kind_and_links_are_followed_where_said() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/f"), "text").unwrap();
        std::os::unix::fs::symlink("d", root.join("l")).unwrap();
        let mut entries = Disk.list(root).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let kinds: Vec<Kind> = entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Kind::Folder, Kind::Link]);
        assert_eq!(Disk.kind(&root.join("l")).unwrap(), Kind::Link);
        assert!(Disk.is_folder(&root.join("l")) && Disk.is_file(&root.join("l/f")) && !Disk.is_file(&root.join("d")));
        assert_eq!(Disk.read(&root.join("l/f")).unwrap(), b"text");
        assert_eq!(Disk.resolve(&root.join("l/f")).unwrap(), Disk.resolve(&root.join("d/f")).unwrap());
        assert_eq!(Disk.kind(&root.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("zero")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe").as_str(), FileType::Fifo, 0o600.into(), 0).unwrap();
        for name in ["zero", "pipe"] {
            let error = Disk.read(&root.join(name)).unwrap_err();
            assert!(error.to_string().contains("a pipe, a socket or a device"), "{name}: {error}");
        }
        assert_eq!(Disk.read(root).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
