//! Entries that no package brings, put into a tree: what packages' scripts would have made.

use std::collections::BTreeMap;

use crate::layer_path::LayerPath;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};

/// A regular file of `0:0`; takes the place of what is there.
pub fn file(tree: &mut Tree, path: &str, mode: u32, bytes: impl Into<Vec<u8>>, mtime: u64) {
    let bytes: Vec<u8> = bytes.into();
    put(tree, path, mode, (0, 0), EntryKind::File(Content::Bytes(bytes.into())), mtime);
}

/// A symbolic link, unless something is there.
pub fn link(tree: &mut Tree, path: &str, target: &str, mtime: u64) {
    if !has(tree, path) {
        put(tree, path, 0o777, (0, 0), EntryKind::Symlink(target.as_bytes().to_vec()), mtime);
    }
}

/// A directory, unless something is there.
pub fn directory(tree: &mut Tree, path: &str, mode: u32, owner: (u64, u64), mtime: u64) {
    if !has(tree, path) {
        put(tree, path, mode, owner, EntryKind::Directory, mtime);
    }
}

/// Anything.
pub fn put(tree: &mut Tree, path: &str, mode: u32, (uid, gid): (u64, u64), kind: EntryKind, mtime: u64) {
    let Ok(path) = LayerPath::new(path) else { return };
    // Where a parent is a link, what is below it can't be made: it is left out, as a script would fail.
    if tree.imply_parents(&path, mtime).is_ok() {
        let entry = Entry { mode, uid, gid, mtime, xattrs: BTreeMap::new(), kind, implied: false };
        tree.entries.insert(path, entry);
    }
}

/// Whether something stands at a path.
pub fn has(tree: &Tree, path: &str) -> bool {
    get(tree, path).is_some_and(|entry| !entry.implied)
}

/// What stands at a path.
pub fn get<'t>(tree: &'t Tree, path: &str) -> Option<&'t Entry> {
    tree.entries.get(&LayerPath::new(path).ok()?)
}

/// The bytes of a file; `None` where there is none.
pub fn read(tree: &Tree, path: &str) -> Option<Vec<u8>> {
    match &get(tree, path)?.kind {
        EntryKind::File(content) => super::deb::read(content).ok(),
        _ => None,
    }
}
