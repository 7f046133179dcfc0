//! Packages' trees laid together as dpkg would unpack them: merged directories, and no file of two packages.
//!
//! Opened packages in, one tree out. No script's effect is made here.

use std::collections::BTreeMap;

use super::deb::Deb;
use crate::layer_path::LayerPath;
use crate::oci::tree::{Entry, EntryKind, Kind, Tree};
use crate::packages::debian::relation;

/// Directories that are links into `/usr` (usr-merge).
const MERGED_USR: [(&str, &str); 7] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib32", "usr/lib32"),
    ("lib64", "usr/lib64"),
    ("libx32", "usr/libx32"),
    ("libo32", "usr/libo32"),
];
/// Directories that are links into `/run` on every Debian.
const RUN: [(&str, &str); 2] = [("var/run", "run"), ("var/lock", "run/lock")];

/// A path that two packages bring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is a {} of {first} and a {} of {second}", kinds.0, kinds.1)]
pub struct Collision {
    /// The path in the image.
    pub path: String,
    /// What it is in each.
    pub kinds: (Kind, Kind),
    /// The one package.
    pub first: String,
    /// The other.
    pub second: String,
}

/// Which directories are links to which.
pub struct Merged {
    links: Vec<(&'static str, &'static str)>,
}

impl Merged {
    /// With `/usr` merged or not.
    pub fn new(usr: bool) -> Merged {
        let usr = if usr { &MERGED_USR[..] } else { &[] };
        Merged { links: usr.iter().chain(&RUN).copied().collect() }
    }

    /// Where a path of a package stands in the image.
    pub fn place(&self, path: &LayerPath) -> LayerPath {
        let bytes = path.as_bytes();
        let moved = self.links.iter().find_map(|(from, to)| {
            let rest = bytes.strip_prefix(from.as_bytes())?;
            (rest.is_empty() || rest.starts_with(b"/")).then(|| [to.as_bytes(), rest].concat())
        });
        moved.and_then(|bytes| LayerPath::new(bytes).ok()).unwrap_or_else(|| path.clone())
    }
}

/// The packages' files in one tree, and whose each is. `whole`: the layer is a root file system, so that it has the links
/// of merged directories itself.
pub fn merge(debs: &[&Deb], usr: bool, whole: bool, mtime: u64) -> Result<Tree, Vec<Collision>> {
    let merged = Merged::new(usr);
    let mut root = Root { debs, tree: Tree::default(), owners: BTreeMap::new(), collisions: Vec::new() };
    let mut used = vec![false; merged.links.len()];
    for (number, deb) in debs.iter().enumerate() {
        for (path, entry) in &deb.tree.entries {
            if let Some(at) = merged.links.iter().position(|(from, _)| path.as_bytes() == from.as_bytes()) {
                used[at] = true;
                if entry.kind.kind() == Kind::Symlink {
                    continue;
                }
            }
            let mut entry = entry.clone();
            if let EntryKind::HardLink(target) = &mut entry.kind {
                *target = merged.place(target);
            }
            root.add(number, merged.place(path), entry);
        }
    }
    if !root.collisions.is_empty() {
        return Err(root.collisions);
    }
    let mut tree = root.tree;
    if whole {
        merged
            .links
            .iter()
            .zip(used)
            .filter(|(_, used)| *used)
            .for_each(|((from, to), _)| link(&mut tree, from, to, mtime));
    }
    Ok(tree)
}

fn link(tree: &mut Tree, from: &str, to: &str, mtime: u64) {
    let target = if RUN.iter().any(|(known, _)| *known == from) { format!("/{to}") } else { to.to_owned() };
    let kind = EntryKind::Symlink(target.into_bytes());
    let entry = Entry { mode: 0o777, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new(), kind, implied: false };
    if let (Ok(from), Ok(to)) = (LayerPath::new(from), LayerPath::new(to)) {
        tree.entries.entry(to).or_insert_with(|| Entry { implied: false, ..Entry::implied_directory(mtime) });
        tree.entries.insert(from, entry);
    }
}

struct Root<'d> {
    debs: &'d [&'d Deb],
    tree: Tree,
    owners: BTreeMap<LayerPath, usize>,
    collisions: Vec<Collision>,
}

impl Root<'_> {
    fn add(&mut self, number: usize, path: LayerPath, entry: Entry) {
        let Some(old) = self.tree.entries.get(&path) else { return self.put(number, path, entry) };
        let (before, now) = (old.kind.kind(), entry.kind.kind());
        let owner = self.owners.get(&path).copied().unwrap_or(number);
        match (before, now) {
            // The first package's mode stays, but for one that nobody said, or that base-files says.
            (Kind::Directory, Kind::Directory) => {
                if old.implied || (self.debs[number].name == "base-files" && !entry.implied) {
                    self.put(number, path, entry);
                }
            }
            // One package under both names of a merged directory: the file, not the link to it.
            _ if owner == number => {
                if now != Kind::Symlink {
                    self.put(number, path, entry);
                }
            }
            _ if self.replaces(number, owner) => self.put(number, path, entry),
            _ if self.replaces(owner, number) => {}
            _ => self.collisions.push(Collision {
                path: path.to_string(),
                kinds: (before, now),
                first: self.debs[owner].name.clone(),
                second: self.debs[number].name.clone(),
            }),
        }
    }

    fn put(&mut self, number: usize, path: LayerPath, entry: Entry) {
        self.owners.insert(path.clone(), number);
        self.tree.entries.insert(path, entry);
    }

    /// Whether a package says that it takes over another's files (Debian Policy 7.6.1).
    fn replaces(&self, number: usize, other: usize) -> bool {
        let other = self.debs[other];
        let version = other.field("Version").unwrap_or_default();
        let replaces = self.debs[number].field("Replaces").unwrap_or_default();
        relation::list(&replaces).any(|relation| relation.name == other.name && relation.takes(&version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_directories_move_and_all_else_stays() {
        let place = |usr, path: &str| Merged::new(usr).place(&LayerPath::new(path).unwrap()).to_string();
        assert_eq!(place(true, "bin/sh"), "/usr/bin/sh");
        assert_eq!(place(true, "lib64"), "/usr/lib64");
        assert_eq!(place(true, "library/x"), "/library/x");
        assert_eq!(place(false, "bin/sh"), "/bin/sh");
        assert_eq!(place(false, "var/run/x"), "/run/x");
    }
}
