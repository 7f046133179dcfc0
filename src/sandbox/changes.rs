//! What a step changed: an overlay's upper directory against what lay below, as a [`Tree`].
//!
//! What came out as it was is left out, so that only content counts: neither times nor inodes enter. Deleted names become
//! whiteouts (OCI image-spec, "Whiteouts"). Sockets and devices are told as unfit. Knows nothing of tar.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use globset::GlobSet;

use super::lay_out::{OPAQUE, OPAQUE_ATTRIBUTE, WHITEOUT};
use super::xattrs;
use crate::layer_path::LayerPath;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};

/// How an overlay that root of the host mounted marks a directory as opaque.
const OPAQUE_OF_ROOT: &str = "trusted.overlay.opaque";

/// What can't become a layer.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// A file can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// As the step saw it.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Things that no layer holds; a sentence for each.
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
}

/// The tree of what stands in `upper` and differs from `lower`, both as directories of the host.
///
/// `ignore` is matched against absolute paths; a directory that it names goes with all that is in it. `mtime`: of every
/// entry, in seconds since 1970. Contents stay where they are.
pub fn changes(upper: &Path, lower: &Path, ignore: &GlobSet, mtime: u64) -> Result<Tree, ChangesError> {
    let mut walk =
        Walk { upper, lower, ignore, mtime, tree: Tree::default(), links: HashMap::new(), unfit: Vec::new() };
    walk.directory(&LayerPath::default(), lower.is_dir())?;
    walk.link();
    if walk.unfit.is_empty() { Ok(walk.tree) } else { Err(ChangesError::Unfit(walk.unfit)) }
}

struct Walk<'a> {
    upper: &'a Path,
    lower: &'a Path,
    ignore: &'a GlobSet,
    mtime: u64,
    tree: Tree,
    /// Names of one file, by device and inode.
    links: HashMap<(u64, u64), Vec<LayerPath>>,
    unfit: Vec<String>,
}

impl Walk<'_> {
    /// What is in a directory. `below`: whether what lies below shines through. Says whether anything was added.
    fn directory(&mut self, path: &LayerPath, below: bool) -> Result<bool, ChangesError> {
        let folder = place(self.upper, path);
        let read = |source| ChangesError::Read { path: path.to_string(), source };
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(read)?;
        let mut added = false;
        for entry in entries {
            let Ok(path) = path.join(entry.file_name().as_bytes()) else { continue };
            if !self.ignore.is_match(path.to_string()) {
                added |= self.one(&path, below)?;
            }
        }
        Ok(added)
    }

    fn one(&mut self, path: &LayerPath, below: bool) -> Result<bool, ChangesError> {
        let at = place(self.upper, path);
        let fail = |source| ChangesError::Read { path: path.to_string(), source };
        let meta = fs::symlink_metadata(&at).map_err(fail)?;
        let before = if below { fs::symlink_metadata(place(self.lower, path)).ok() } else { None };
        let kind = meta.file_type();
        if kind.is_char_device() && meta.rdev() == 0 {
            return Ok(before.is_some() && self.hide(path));
        }
        if kind.is_dir() {
            return self.folder(path, &meta, before.as_ref());
        }
        let kind = match () {
            () if kind.is_symlink() => {
                EntryKind::Symlink(fs::read_link(&at).map_err(fail)?.as_os_str().as_bytes().into())
            }
            () if kind.is_fifo() => EntryKind::Fifo,
            () if kind.is_file() => EntryKind::File(Content::Range { path: at.clone(), offset: 0, size: meta.len() }),
            () => {
                let what = if kind.is_socket() { "a socket" } else { "a device" };
                self.unfit
                    .push(format!("{path} is {what}, which no layer can hold: remove it, or name it in `ignore`"));
                return Ok(false);
            }
        };
        if meta.nlink() > 1 {
            self.links.entry((meta.dev(), meta.ino())).or_default().push(path.clone());
        } else if before.is_some_and(|before| self.is_as_before(path, &meta, &before).unwrap_or(false)) {
            return Ok(false);
        }
        self.put(path, &meta, kind, false).map_err(fail)?;
        Ok(true)
    }

    fn folder(&mut self, path: &LayerPath, meta: &Metadata, before: Option<&Metadata>) -> Result<bool, ChangesError> {
        let fail = |source| ChangesError::Read { path: path.to_string(), source };
        let at = place(self.upper, path);
        let before = before.filter(|before| before.is_dir());
        let opaque = before.is_some() && is_opaque(&at).map_err(fail)?;
        let inside = self.directory(path, before.is_some() && !opaque)?;
        let same = match before {
            Some(before) if !opaque => self.is_dressed_as_before(path, meta, before).map_err(fail)?,
            _ => false,
        };
        if same && !inside {
            return Ok(false);
        }
        self.put(path, meta, EntryKind::Directory, same).map_err(fail)?;
        if opaque {
            self.mark(path, OPAQUE);
        }
        Ok(true)
    }

    fn put(&mut self, path: &LayerPath, meta: &Metadata, kind: EntryKind, implied: bool) -> io::Result<()> {
        let mode = if matches!(kind, EntryKind::Symlink(_)) { 0o777 } else { meta.mode() & 0o7777 };
        let xattrs = xattrs::read(&place(self.upper, path))?;
        let (uid, gid) = (meta.uid().into(), meta.gid().into());
        let entry = Entry { mode, uid, gid, mtime: self.mtime, xattrs, kind, implied };
        self.tree.entries.insert(path.clone(), entry);
        Ok(())
    }

    fn hide(&mut self, path: &LayerPath) -> bool {
        let name = [WHITEOUT, path.file_name()].concat();
        self.mark(&path.parent().unwrap_or_default(), &name);
        true
    }

    /// An empty file of root's.
    fn mark(&mut self, folder: &LayerPath, name: &[u8]) {
        let Ok(path) = folder.join(name) else { return };
        let (kind, xattrs) = (EntryKind::File(Content::Bytes([].into())), BTreeMap::new());
        let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: self.mtime, xattrs, kind, implied: false };
        self.tree.entries.insert(path, entry);
    }

    fn is_dressed_as_before(&self, path: &LayerPath, now: &Metadata, before: &Metadata) -> io::Result<bool> {
        let of = |meta: &Metadata| (meta.mode(), meta.uid(), meta.gid());
        Ok(of(now) == of(before) && xattrs::read(&place(self.upper, path))? == xattrs::read(&place(self.lower, path))?)
    }

    fn is_as_before(&self, path: &LayerPath, now: &Metadata, before: &Metadata) -> io::Result<bool> {
        if now.len() != before.len() || !self.is_dressed_as_before(path, now, before)? {
            return Ok(false);
        }
        let (one, other) = (place(self.upper, path), place(self.lower, path));
        match now.file_type() {
            kind if kind.is_symlink() => Ok(fs::read_link(one)? == fs::read_link(other)?),
            kind if kind.is_file() => same_content(&one, &other),
            _ => Ok(true),
        }
    }

    /// The first name of a file keeps its content, the others are links to it.
    fn link(&mut self) {
        for mut names in std::mem::take(&mut self.links).into_values() {
            names.sort_unstable();
            for name in &names[1..] {
                if let Some(entry) = self.tree.entries.get_mut(name) {
                    entry.kind = EntryKind::HardLink(names[0].clone());
                }
            }
        }
    }
}

fn place(root: &Path, path: &LayerPath) -> PathBuf {
    root.join(std::ffi::OsStr::from_bytes(path.as_bytes()))
}

fn is_opaque(at: &Path) -> io::Result<bool> {
    let says_so = |name: &str| Ok::<_, io::Error>(xattrs::get(at, name)?.as_deref() == Some(b"y"));
    Ok(says_so(OPAQUE_ATTRIBUTE)? || says_so(OPAQUE_OF_ROOT)?)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}
