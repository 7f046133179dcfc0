//! An archive as a [`Tree`]: names normalised and judged, contents left where they are in the plain tar.
//!
//! Extracts nothing. Whatever could reach outside, or mean two things, is an error that names the member. Knows nothing of rules.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::layer_path::{LayerPath, LayerPathError};
use crate::oci::tar_members::{FormatError, Members, RawMember};
use crate::oci::tree::{Content, Entry, EntryKind, Kind, NotADirectory, Tree};
use crate::oci::unpack::{self, UnpackError};

/// How an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TarOptions {
    /// Modification time of every entry, in seconds since 1970: the archive's own are dropped.
    pub mtime: u64,
}

/// Why an archive is no layer.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Its compression can't be undone.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It can't be opened.
    #[error("can't read `{path}`")]
    Read {
        /// The archive.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no tar, or not a whole one.
    #[error("`{path}`: {source}")]
    Format {
        /// The archive, also when it was compressed.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A member can't stand in a layer.
    #[error("`{path}`: member `{member}` {problem}")]
    Member {
        /// The archive.
        path: PathBuf,
        /// The member's name as the archive has it; bytes that are no UTF-8 as U+FFFD.
        member: String,
        /// Why.
        problem: MemberError,
    },
}

/// Why a member can't stand in a layer. Reads on after its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Its name begins with `/`.
    #[error("has an absolute name")]
    Absolute,
    /// Its name holds `..` or a NUL byte.
    #[error("has an unsafe name: {0}")]
    Name(#[from] LayerPathError),
    /// Its name is empty, or it would put something else in the root directory's place.
    #[error("has no name")]
    NoName,
    /// It stands below something that is no directory: extracted, it would land elsewhere.
    #[error("lies below {0}")]
    Below(#[from] NotADirectory),
    /// An earlier member of its name is something else.
    #[error("is a {later}, but an earlier member of the same name is a {earlier}")]
    TypeChange {
        /// What stood there.
        earlier: Kind,
        /// What would take its place.
        later: Kind,
    },
    /// A hard link to an absolute name, or out of the archive.
    #[error("is a hard link to `{0}`, which leads out of the archive")]
    LinkEscapes(String),
    /// A hard link to what is not there, or only later, or is a directory.
    #[error("is a hard link to `{0}`, which is no earlier file of the archive")]
    LinkMissing(String),
    /// A symlink to nothing.
    #[error("is a symlink without a target")]
    EmptyLink,
    /// A type of member that no file system has.
    #[error("is of unknown type `{0}`")]
    UnknownType(char),
}

/// Reads an archive: plain, gzip, zstd or xz.
///
/// Contents point into the archive itself if it is plain, else into `spool`, where the plain tar is written: it has to stay as long
/// as the tree is used. `spool` is not touched for a plain archive.
pub fn read_archive(archive: &Path, spool: &Path, options: &TarOptions) -> Result<Tree, TarError> {
    let plain = match unpack::packing(archive)? {
        None => archive,
        Some(packing) => {
            unpack::unpack(archive, packing, spool)?;
            spool
        }
    };
    let unreadable = |source| TarError::Read { path: plain.to_owned(), source };
    let file = File::open(plain).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut builder = Builder { tree: Tree::default(), linked: BTreeSet::new(), plain, mtime: options.mtime };
    for member in Members::new(&file, length) {
        let member = member.map_err(|source| TarError::Format { path: archive.to_owned(), source })?;
        let shown = String::from_utf8_lossy(&member.name).into_owned();
        builder.add(member).map_err(|problem| TarError::Member { path: archive.to_owned(), member: shown, problem })?;
    }
    Ok(builder.tree)
}

struct Builder<'a> {
    tree: Tree,
    /// Entries that hard links name.
    linked: BTreeSet<LayerPath>,
    plain: &'a Path,
    mtime: u64,
}

impl Builder<'_> {
    fn add(&mut self, member: RawMember) -> Result<(), MemberError> {
        let path = member_path(&member.name)?;
        let kind = self.kind(&member)?;
        if path.is_root() {
            // The root's own mode and owner are no layer's to set.
            return if kind == EntryKind::Directory { Ok(()) } else { Err(MemberError::NoName) };
        }
        if kind == EntryKind::HardLink(path.clone()) {
            // GNU tar writes this when it is given one name twice.
            return Ok(());
        }
        self.tree.imply_parents(&path, self.mtime)?;
        self.make_way(&path, &kind)?;
        let RawMember { mode, uid, gid, xattrs, .. } = member;
        let entry = Entry { mode: mode & 0o7777, uid, gid, mtime: self.mtime, xattrs, kind, implied: false };
        self.tree.entries.insert(path, entry);
        Ok(())
    }

    fn kind(&mut self, member: &RawMember) -> Result<EntryKind, MemberError> {
        let (major, minor) = member.device;
        Ok(match member.type_flag {
            // Before ustar, a directory was a file whose name ends in a slash.
            b'0' | 0 if member.name.ends_with(b"/") => EntryKind::Directory,
            b'0' | 0 | b'7' => EntryKind::File(Content::Range {
                path: self.plain.to_owned(),
                offset: member.offset,
                size: member.size,
            }),
            b'1' => EntryKind::HardLink(self.link_target(&member.link)?),
            b'2' if member.link.is_empty() => return Err(MemberError::EmptyLink),
            b'2' => EntryKind::Symlink(member.link.clone()),
            b'3' => EntryKind::CharDevice { major, minor },
            b'4' => EntryKind::BlockDevice { major, minor },
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            other => return Err(MemberError::UnknownType(char::from(other))),
        })
    }

    /// The entry with the content that a hard link names, never another hard link.
    fn link_target(&mut self, link: &[u8]) -> Result<LayerPath, MemberError> {
        let shown = || String::from_utf8_lossy(link).into_owned();
        let target = member_path(link).map_err(|_| MemberError::LinkEscapes(shown()))?;
        match self.tree.entries.get(&target).map(|entry| &entry.kind) {
            None | Some(EntryKind::Directory) => Err(MemberError::LinkMissing(shown())),
            Some(EntryKind::HardLink(first)) => Ok(first.clone()),
            Some(_) => Ok(target),
        }
    }

    /// A later member takes an earlier one's place, as it would when extracted, if both are of one type.
    fn make_way(&mut self, path: &LayerPath, kind: &EntryKind) -> Result<(), MemberError> {
        if let Some(old) = self.tree.entries.get(path) {
            let (earlier, later) = (self.file_kind(&old.kind), self.file_kind(kind));
            if earlier != later {
                return Err(MemberError::TypeChange { earlier, later });
            }
            self.pass_on_content(path);
        }
        if let EntryKind::HardLink(target) = kind {
            self.linked.insert(target.clone());
        }
        Ok(())
    }

    /// What stands at the end of a hard link.
    fn file_kind(&self, kind: &EntryKind) -> Kind {
        match kind {
            EntryKind::HardLink(target) => self.tree.entries.get(target).map_or(Kind::File, |entry| entry.kind.kind()),
            kind => kind.kind(),
        }
    }

    /// A file that is replaced lives on under its other names.
    fn pass_on_content(&mut self, path: &LayerPath) {
        if !self.linked.remove(path) {
            return;
        }
        let Some(old) = self.tree.entries.get(path).cloned() else { return };
        let mut heir: Option<LayerPath> = None;
        for (name, entry) in &mut self.tree.entries {
            if entry.kind == EntryKind::HardLink(path.clone()) {
                match &heir {
                    Some(heir) => entry.kind = EntryKind::HardLink(heir.clone()),
                    None => (*entry, heir) = (old.clone(), Some(name.clone())),
                }
            }
        }
        self.linked.extend(heir);
    }
}

fn member_path(name: &[u8]) -> Result<LayerPath, MemberError> {
    match name.first() {
        None => Err(MemberError::NoName),
        Some(b'/') => Err(MemberError::Absolute),
        Some(_) => Ok(LayerPath::new(name)?),
    }
}
