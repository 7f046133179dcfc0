//! The files of a git commit as a checkout of it would have them, read from git's objects without one.
//!
//! Of a source that git says the work tree has unchanged, the work tree's is named: its digest is known. That is believed
//! only of files that git writes as its objects have them, and only with their size. Knows nothing of packages.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;

use super::git::{Git, GitError};
use super::git_changes::Changes;
use super::git_conversion::Conversion;
use super::git_objects::Objects;
use super::git_tree::{GitTree, Item};
use crate::checkout::{Checkout, Disk, Entry, Kind};
use crate::digest::Digest;

/// A commit's files. Shared by threads.
#[derive(Debug)]
pub struct Revision {
    git: Git,
    /// The workspace's root, as paths begin.
    root: Utf8PathBuf,
    /// The repository's top, without links.
    top: Utf8PathBuf,
    /// From the top to the root; empty where they are one.
    prefix: Utf8PathBuf,
    tree: GitTree,
    changes: Changes,
    objects: Objects,
    conversion: Conversion,
    unheld: Mutex<BTreeSet<Unheld>>,
}

/// Something that was looked at and that git doesn't hold. Paths are relative to the repository's top, but for those that
/// lie outside of it, which are absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unheld {
    /// A submodule: the repository holds only the name of its commit.
    Submodule(Utf8PathBuf),
    /// A file that LFS keeps: known by its digest.
    Lfs(Utf8PathBuf),
    /// A path that lies in no folder of the repository: taken as it is now.
    Outside(Utf8PathBuf),
}

/// What a source file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// What is on disk, if that has the size that the commit's has: see [`Revision::sizes`].
    OnDisk {
        /// The path, relative to the workspace's root.
        path: Utf8PathBuf,
        /// The same, relative to the repository's top.
        at: Utf8PathBuf,
        /// Whether it may be executed.
        executable: bool,
    },
    /// Something else.
    File {
        /// Of its content.
        digest: Digest,
        /// In bytes.
        size: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link and its target.
    Link(String),
}

/// Where a path leads.
enum Place {
    /// To what stands at a path relative to the top, links resolved.
    Inside(Utf8PathBuf),
    /// Out of the repository.
    Outside(Utf8PathBuf),
}

/// As Linux counts.
const MOST_LINKS: usize = 40;
/// What a file says that stands for one that LFS keeps.
const LFS: &str = "version https://git-lfs.github.com/spec/v1\n";

impl Revision {
    /// The files of a commit, of the repository that holds the workspace's `root`.
    pub fn open(root: &Utf8Path, commit: &str, git: Git) -> Result<Revision, GitError> {
        let prefix = git.line(&["rev-parse", "--show-prefix"])?.unwrap_or_default();
        let prefix = Utf8PathBuf::from(prefix.trim_end_matches('/'));
        let real = Disk.resolve(root).unwrap_or_else(|_| root.to_owned());
        let top = real.ancestors().nth(prefix.components().count()).unwrap_or(&real).to_owned();
        let listed = || git.bytes(&["ls-tree", "-r", "-t", "-z", "--full-tree", commit]);
        let (listed, changes) = rayon::join(listed, || Changes::since(commit, &git));
        let (tree, root, objects) = (GitTree::parse(&listed?), root.to_owned(), Objects::default());
        let changes = changes?.with_unknown_attributes(&tree, &top);
        let conversion = Conversion::of(&tree, (&top, changes.has_same_attributes()), &git, &objects)?;
        Ok(Revision { git, root, top, prefix, tree, changes, objects, conversion, unheld: Mutex::default() })
    }

    /// What a source file was, at a path relative to the root of a workspace that the repository holds; an error as a phrase
    /// that names the path.
    pub fn held(&self, root: &Utf8Path, path: &Utf8Path) -> Result<Held, String> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => format!("`{path}` does not exist"),
            _ => format!("cannot read `{path}`: {error}"),
        };
        let prefix = self.inside(root).unwrap_or_default();
        let at = match self.find(&root.join(path), false).map_err(gone)? {
            Place::Inside(at) if at.starts_with(&prefix) => at,
            _ => return Err(format!("`{path}` leads out of the workspace")),
        };
        match self.tree.item(at.as_str()) {
            Some(Item::File { executable, .. }) if self.is_same(&at) => {
                let path = at.strip_prefix(&prefix).unwrap_or(&at).to_owned();
                Ok(Held::OnDisk { path, at, executable: *executable })
            }
            Some(Item::File { blob, executable }) => self.file(&at, blob, *executable).map_err(gone),
            Some(Item::Link { blob }) => self.target(blob).map(Held::Link).map_err(gone),
            _ => Err(format!("`{path}` is a folder, not a file")),
        }
    }

    /// The sizes that the commit has of files that are [`Held::OnDisk`]: git knows a file by what it made of it, and may
    /// have taken line ends away. `None`: git can't say.
    pub fn sizes(&self, files: &[&Utf8Path]) -> Vec<Option<u64>> {
        let blob = |at: &&Utf8Path| match self.tree.item(at.as_str()) {
            Some(Item::File { blob, .. }) => &**blob,
            _ => "",
        };
        let blobs: Vec<&str> = files.iter().map(blob).collect();
        self.objects.sizes(&blobs, &self.git).unwrap_or_else(|_| vec![None; files.len()])
    }

    /// What a source file was that is [`Held::OnDisk`], from git's objects.
    pub fn from_objects(&self, at: &Utf8Path) -> Result<Held, String> {
        match self.tree.item(at.as_str()) {
            Some(Item::File { blob, executable }) => self.file(at, blob, *executable),
            _ => Err(Errno::NOENT.into()),
        }
        .map_err(|error| format!("cannot read `{at}`: {error}"))
    }

    /// Whether there is another file on disk at a path than was then, or one at all where none was.
    /// What lies outside of the repository is the same.
    pub fn is_changed(&self, path: &Utf8Path) -> bool {
        match self.inside(path).map(|_| self.find(path, true)) {
            Some(Ok(Place::Inside(at))) => !self.is_same(&at),
            Some(Err(_)) => Disk.kind(path).is_ok(),
            None | Some(Ok(Place::Outside(_))) => false,
        }
    }

    /// Whether the commit has anything at a path that is relative to the workspace's root.
    pub fn has(&self, path: &Utf8Path) -> bool {
        self.tree.item(self.prefix.join(path).as_str()).is_some()
    }

    /// What was looked at so far that git doesn't hold.
    pub fn unheld(&self) -> BTreeSet<Unheld> {
        self.unheld.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, unheld: Unheld) {
        self.unheld.lock().unwrap_or_else(PoisonError::into_inner).insert(unheld);
    }

    /// Whether git says that a file of the commit is the same on disk, and its word can be taken, but for the size.
    fn is_same(&self, at: &Utf8Path) -> bool {
        !self.changes.has(at) && !self.changes.may_be_converted(at) && !self.conversion.concerns(at)
    }

    fn file(&self, at: &Utf8Path, blob: &str, executable: bool) -> io::Result<Held> {
        let bytes = self.content(at, blob)?;
        let (digest, size) = match kept_by_lfs(&bytes) {
            Some(kept) => {
                // What git has for unchanged needs no word.
                if !self.is_same(at) {
                    self.note(Unheld::Lfs(at.to_owned()));
                }
                kept
            }
            None => (Digest::of(&bytes), bytes.len() as u64),
        };
        Ok(Held::File { digest, size, executable })
    }

    /// What a checkout would write; of what LFS keeps, the file that stands for it.
    fn content(&self, at: &Utf8Path, blob: &str) -> io::Result<Vec<u8>> {
        match self.conversion.concerns(at) {
            true => self.conversion.written(at, blob, &self.git),
            false => self.objects.read(blob, &self.git),
        }
    }

    fn target(&self, blob: &str) -> io::Result<String> {
        let bytes = self.objects.read(blob, &self.git)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("the target of the symbolic link is not UTF-8"))
    }

    /// A path relative to the top, `.` and `..` still in it; `None` for one that doesn't begin as the workspace or the top.
    fn inside(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        match path.strip_prefix(&self.root) {
            Ok(below) => Some(self.prefix.join(below)),
            Err(_) => path.strip_prefix(&self.top).ok().map(Utf8Path::to_owned),
        }
    }

    /// Follows a path; `last`: a link at its end too.
    fn find(&self, path: &Utf8Path, last: bool) -> io::Result<Place> {
        let outside = |path: Utf8PathBuf| {
            self.note(Unheld::Outside(path.clone()));
            Ok(Place::Outside(path))
        };
        let Some(inside) = self.inside(path) else { return outside(path.to_owned()) };
        let (mut at, mut links) = (Utf8PathBuf::new(), 0);
        let mut open: Vec<String> = parts(&inside).rev().collect();
        while let Some(part) = open.pop() {
            if part == ".." {
                if !at.pop() {
                    return outside(self.top.join("..").join(rest(&open)));
                }
                continue;
            }
            let next = at.join(&part);
            match self.tree.item(next.as_str()) {
                Some(Item::Link { blob }) if last || !open.is_empty() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = Utf8PathBuf::from(self.target(blob)?);
                    match self.inside(&target) {
                        Some(absolute) => (at, open) = (Utf8PathBuf::new(), chain(&absolute, open)),
                        None if target.is_absolute() => return outside(target.join(rest(&open))),
                        None => open = chain(&target, open),
                    }
                }
                Some(Item::File { .. } | Item::Link { .. }) if !open.is_empty() => {
                    return Err(Errno::NOTDIR.into());
                }
                Some(item) => {
                    if *item == Item::Submodule {
                        self.note(Unheld::Submodule(next.clone()));
                    }
                    at = next;
                }
                None => return Err(Errno::NOENT.into()),
            }
        }
        Ok(Place::Inside(at))
    }
}

/// The parts of a path that lead anywhere.
fn parts(path: &Utf8Path) -> impl DoubleEndedIterator<Item = String> {
    path.as_str().split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned)
}

/// What is still to be followed, as a path.
fn rest(open: &[String]) -> Utf8PathBuf {
    open.iter().rev().collect()
}

/// What is still to be followed, with a link's target before it.
fn chain(target: &Utf8Path, mut open: Vec<String>) -> Vec<String> {
    open.extend(parts(target).rev());
    open
}

/// Digest and size of the content for which such a file stands; `None` for any other.
fn kept_by_lfs(bytes: &[u8]) -> Option<(Digest, u64)> {
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(1024))?).ok()?.strip_prefix(LFS)?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    Some((value("oid ")?.parse().ok()?, value("size ")?.parse().ok()?))
}

impl Checkout for Revision {
    fn read(&self, path: &Utf8Path) -> io::Result<Vec<u8>> {
        let at = match self.find(path, true)? {
            Place::Inside(at) => at,
            Place::Outside(path) => return Disk.read(&path),
        };
        let Some(Item::File { blob, .. }) = self.tree.item(at.as_str()) else {
            return Err(Errno::ISDIR.into());
        };
        self.content(&at, blob)
    }

    fn kind(&self, path: &Utf8Path) -> io::Result<Kind> {
        match self.find(path, false)? {
            Place::Inside(at) => Ok(self.tree.item(at.as_str()).map_or(Kind::Folder, Item::kind)),
            Place::Outside(path) => Disk.kind(&path),
        }
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<Entry>> {
        match self.find(folder, true)? {
            Place::Inside(at) => match self.tree.list(at.as_str()) {
                Some(entries) => Ok(entries.to_vec()),
                None => Err(Errno::NOTDIR.into()),
            },
            Place::Outside(path) => Disk.list(&path),
        }
    }

    fn resolve(&self, path: &Utf8Path) -> io::Result<Utf8PathBuf> {
        match self.find(path, true)? {
            Place::Inside(at) => Ok(self.top.join(at)),
            Place::Outside(path) => Disk.resolve(&path),
        }
    }

    /// A folder that the commit lacks is held where git keeps files in it now: it came later.
    fn holds(&self, folder: &Utf8Path) -> bool {
        match self.inside(folder).map(|_| self.find(folder, true)) {
            Some(Ok(Place::Inside(at))) => self.tree.item(at.as_str()) == Some(&Item::Folder),
            Some(Err(_)) => self.git.tracks(folder.as_str()),
            None | Some(Ok(Place::Outside(_))) => false,
        }
    }

    fn is_file(&self, path: &Utf8Path) -> bool {
        self.is(path, Kind::File)
    }

    fn is_folder(&self, path: &Utf8Path) -> bool {
        self.is(path, Kind::Folder)
    }
}

impl Revision {
    fn is(&self, path: &Utf8Path, kind: Kind) -> bool {
        match self.find(path, true) {
            Ok(Place::Inside(at)) => self.tree.item(at.as_str()).is_some_and(|item| item.kind() == kind),
            Ok(Place::Outside(path)) => Disk.kind(&path).is_ok_and(|found| found == kind),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stands_for_one_of_lfs_is_told_from_others() {
        let digest = Digest::of(b"content");
        let pointer = format!("{LFS}oid {digest}\nsize 7\n");
        assert_eq!(kept_by_lfs(pointer.as_bytes()), Some((digest, 7)));
        for other in ["", "version 2\n", LFS, &format!("{LFS}oid sha256:12\nsize 7\n"), &format!(" {pointer}")] {
            assert_eq!(kept_by_lfs(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_to_be_followed_stands_last_part_first() {
        let open = chain(Utf8Path::new("./a//b"), vec!["z".to_owned(), "y".to_owned()]);
        assert_eq!(open, ["z", "y", "b", "a"]);
        assert_eq!(rest(&open), "a/b/y/z");
    }
}
