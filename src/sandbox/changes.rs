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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use globset::{Glob, GlobSetBuilder};
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

    use super::*;

    /// A lower and an upper directory.
    struct Pair(tempfile::TempDir);

    impl Pair {
        /// With these files below: path and content, a directory where the path ends with `/`.
        fn over(lower: &[(&str, &str)]) -> Pair {
            let pair = Pair(tempfile::tempdir().unwrap());
            ["lower", "upper"].iter().for_each(|name| fs::create_dir(pair.0.path().join(name)).unwrap());
            lower.iter().for_each(|(path, text)| pair.put("lower", path, text));
            pair
        }

        fn at(&self, side: &str, path: &str) -> PathBuf {
            self.0.path().join(side).join(path)
        }

        fn put(&self, side: &str, path: &str, text: &str) {
            let at = self.at(side, path);
            fs::create_dir_all(if path.ends_with('/') { &at } else { at.parent().unwrap() }).unwrap();
            if !path.ends_with('/') {
                fs::write(&at, text).unwrap();
            }
        }

        fn write(self, path: &str, text: &str) -> Pair {
            self.put("upper", path, text);
            self
        }

        /// As an overlay notes that a name is gone.
        fn delete(self, path: &str) -> Pair {
            let at = self.at("upper", path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            mknodat(CWD, &at, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)).unwrap();
            self
        }

        fn tree(&self, ignore: &[&str]) -> Result<Tree, ChangesError> {
            let mut set = GlobSetBuilder::new();
            ignore.iter().for_each(|glob| _ = set.add(Glob::new(glob).unwrap()));
            changes(&self.at("upper", ""), &self.at("lower", ""), &set.build().unwrap(), 0)
        }

        fn paths(&self, ignore: &[&str]) -> Vec<String> {
            self.tree(ignore).unwrap().entries.keys().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn what_is_new_or_other_is_in_the_tree_and_what_came_out_as_it_was_is_not() {
        let pair = Pair::over(&[("etc/same", "same"), ("etc/other", "one"), ("var/touched/", "")])
            .write("etc/same", "same")
            .write("etc/other", "two")
            .write("etc/new", "new")
            .write("var/touched/", "")
            .write("srv/", "");
        assert_eq!(pair.paths(&[]), ["/etc", "/etc/new", "/etc/other", "/srv"]);
        let tree = pair.tree(&[]).unwrap();
        let implied: Vec<bool> = tree.entries.values().map(|entry| entry.implied).collect();
        assert_eq!(implied, [true, false, false, false], "only what was there before is implied");
    }

    #[test]
    fn another_mode_is_a_change() {
        let pair = Pair::over(&[("bin/tool", "x")]).write("bin/tool", "x");
        assert!(pair.paths(&[]).is_empty());
        fs::set_permissions(pair.at("upper", "bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(pair.paths(&[]), ["/bin", "/bin/tool"]);
    }

    #[test]
    fn what_is_gone_is_a_whiteout_unless_it_was_never_there() {
        let pair = Pair::over(&[("etc/a", "a")]).delete("etc/a").delete("etc/never");
        assert_eq!(pair.paths(&[]), ["/etc", "/etc/.wh.a"]);
    }

    #[test]
    fn a_directory_in_place_of_another_is_opaque_in_both_families_of_attributes() {
        for name in [OPAQUE_ATTRIBUTE, OPAQUE_OF_ROOT] {
            let pair = Pair::over(&[("etc/d/old", "old")]).write("etc/d/new", "new");
            if xattrs::set(&pair.at("upper", "etc/d"), name, b"y").is_err() {
                assert_eq!(name, OPAQUE_OF_ROOT, "only root sets this one");
                continue;
            }
            assert_eq!(pair.paths(&[]), ["/etc", "/etc/d", "/etc/d/.wh..wh..opq", "/etc/d/new"], "{name}");
            assert!(pair.tree(&[]).unwrap().entries.values().all(|entry| entry.xattrs.is_empty()), "{name}");
        }
    }

    #[test]
    fn what_is_ignored_goes_with_all_below_it() {
        let pair = Pair::over(&[]).write("var/log/apt/term.log", "x").write("etc/passwd-", "x").write("etc/x", "x");
        assert_eq!(pair.paths(&["/var/log", "/etc/*-"]), ["/etc", "/etc/x", "/var"]);
    }

    #[test]
    fn names_of_one_file_are_links_to_the_first_by_bytes() {
        let pair = Pair::over(&[]).write("a/b", "text");
        fs::hard_link(pair.at("upper", "a/b"), pair.at("upper", "a-b")).unwrap();
        symlink("a/b", pair.at("upper", "link")).unwrap();
        let tree = pair.tree(&[]).unwrap();
        let kind = |path: &str| tree.entries[&LayerPath::new(path).unwrap()].kind.clone();
        assert!(matches!(kind("/a-b"), EntryKind::File(_)));
        assert_eq!(kind("/a/b"), EntryKind::HardLink(LayerPath::new("/a-b").unwrap()));
        assert_eq!(kind("/link"), EntryKind::Symlink(b"a/b".to_vec()));
    }

    #[test]
    fn a_socket_is_named_and_can_be_ignored() {
        let pair = Pair::over(&[]).write("run/", "");
        let _listener = UnixListener::bind(pair.at("upper", "run/s")).unwrap();
        let error = pair.tree(&[]).unwrap_err().to_string();
        assert!(error.contains("/run/s is a socket") && error.contains("`ignore`"), "{error}");
        assert_eq!(pair.paths(&["/run/s"]), ["/run"]);
    }
}
