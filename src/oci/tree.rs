//! One layer's content as a value: paths and what stands at them.
//!
//! Knows nothing of tar, compression or where the tree came from. Everything that makes a layer's bytes
//! is here and nothing else is: no `stat` of the host enters.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Digest;
use crate::file_stat::Stamp;
use crate::layer_path::LayerPath;

/// A layer's content, sorted by the bytes of its paths. Every parent of an entry is an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// What stands at each path; the root itself is never listed.
    pub entries: BTreeMap<LayerPath, Entry>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Modification time in seconds since 1970.
    pub mtime: u64,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// What it is.
    pub kind: EntryKind,
    /// A directory that nobody asked for by name: it is here only because something stands below it.
    pub implied: bool,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link and its target, as written.
    Symlink(Vec<u8>),
    /// Another name of a file of the same tree.
    HardLink(LayerPath),
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// What an entry is, without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// Another name of a file.
    HardLink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Directory => "directory",
            Kind::File => "file",
            Kind::Symlink => "symlink",
            Kind::HardLink => "hard link",
            Kind::CharDevice => "character device",
            Kind::BlockDevice => "block device",
            Kind::Fifo => "named pipe",
        })
    }
}

impl EntryKind {
    /// What it is, without what is in it.
    pub fn kind(&self) -> Kind {
        match self {
            EntryKind::Directory => Kind::Directory,
            EntryKind::File(_) => Kind::File,
            EntryKind::Symlink(_) => Kind::Symlink,
            EntryKind::HardLink(_) => Kind::HardLink,
            EntryKind::CharDevice { .. } => Kind::CharDevice,
            EntryKind::BlockDevice { .. } => Kind::BlockDevice,
            EntryKind::Fifo => Kind::Fifo,
        }
    }
}

/// An entry that would have to be a directory, because something stands below it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is a {kind}, not a directory")]
pub struct NotADirectory {
    /// The entry.
    pub path: LayerPath,
    /// What it is.
    pub kind: Kind,
}

impl Tree {
    /// Adds the directories above a path that aren't there yet: implied, 0755, owned by 0:0.
    pub fn imply_parents(&mut self, path: &LayerPath, mtime: u64) -> Result<(), NotADirectory> {
        let above = std::iter::successors(path.parent(), LayerPath::parent);
        for path in above.take_while(|path| !path.is_root()) {
            match self.entries.get(&path).map(|entry| entry.kind.kind()) {
                Some(Kind::Directory) => break,
                Some(kind) => return Err(NotADirectory { path, kind }),
                None => self.entries.insert(path, Entry::implied_directory(mtime)),
            };
        }
        Ok(())
    }
}

impl Entry {
    /// A directory that nobody asked for by name.
    pub fn implied_directory(mtime: u64) -> Entry {
        let (kind, xattrs) = (EntryKind::Directory, BTreeMap::new());
        Entry { mode: 0o755, uid: 0, gid: 0, mtime, xattrs, kind, implied: true }
    }
}

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// A whole file of the host. Reading fails when it has another size or digest by then.
    File {
        /// Where it is now; not part of the layer.
        path: PathBuf,
        /// In bytes.
        size: u64,
        /// Digest of the content that the caller's action key was made with.
        digest: Digest,
        /// Vouches for the digest as long as the file has it; `None`: it is hashed as it is read.
        stamp: Option<Stamp>,
    },
    /// A part of a file of the host: a member of an uncompressed archive.
    Range {
        /// The archive.
        path: PathBuf,
        /// First byte of the content.
        offset: u64,
        /// In bytes.
        size: u64,
    },
}

impl Content {
    /// In bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File { size, .. } | Content::Range { size, .. } => *size,
        }
    }
}
