//! What a root file system has and the one below it hasn't: the content of a layer between the two.

use std::collections::BTreeMap;

use crate::layer_path::LayerPath;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};

/// The entries of `all` that are not in `below`, or are otherwise there, with the directories above them; whiteouts (OCI
/// image-spec, "Whiteouts") of what is in `below` only.
pub fn of(mut all: Tree, below: &Tree, mtime: u64) -> Tree {
    let mut layer = Tree::default();
    for (path, entry) in &all.entries {
        if !below.entries.get(path).is_some_and(|old| is_same(old, entry)) {
            layer.entries.insert(path.clone(), entry.clone());
        }
    }
    let gone: Vec<LayerPath> = below.entries.keys().filter_map(|path| whiteout(path, &all)).collect();
    gone.into_iter().for_each(|path| _ = layer.entries.insert(path, marker(mtime)));
    with_link_targets(&mut layer, &all);
    with_parents(&mut layer, &mut all);
    layer
}

/// A directory that only follows from what is below it is the same as one that is declared so.
fn is_same(old: &Entry, new: &Entry) -> bool {
    *old == Entry { implied: old.implied, ..new.clone() }
}

/// What hides a path; `None` where it is still there, or goes with the directory above it.
fn whiteout(path: &LayerPath, all: &Tree) -> Option<LayerPath> {
    let parent = path.parent()?;
    let directory = |entry: &Entry| matches!(entry.kind, EntryKind::Directory);
    let stays = parent.is_root() || all.entries.get(&parent).is_some_and(directory);
    if all.entries.contains_key(path) || !stays {
        return None;
    }
    let name = [b".wh.", path.file_name()].concat();
    LayerPath::new(if parent.is_root() { name } else { [parent.as_bytes(), b"/", &name].concat() }).ok()
}

fn marker(mtime: u64) -> Entry {
    let kind = EntryKind::File(Content::Bytes(Vec::new().into()));
    Entry { mode: 0o644, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new(), kind, implied: false }
}

/// A name of a file of the layer below can't be given in a layer: the file itself comes with it.
fn with_link_targets(layer: &mut Tree, all: &Tree) {
    let target = |entry: &Entry| match &entry.kind {
        EntryKind::HardLink(target) => Some(target.clone()),
        _ => None,
    };
    let targets: Vec<LayerPath> = layer.entries.values().filter_map(target).collect();
    for target in targets {
        if let Some(entry) = all.entries.get(&target) {
            layer.entries.entry(target).or_insert_with(|| entry.clone());
        }
    }
}

/// With the mode and owner that they have below: a layer's directory counts as it stands there.
fn with_parents(layer: &mut Tree, all: &mut Tree) {
    let paths: Vec<LayerPath> = layer.entries.keys().cloned().collect();
    for path in paths {
        for parent in std::iter::successors(path.parent(), LayerPath::parent).take_while(|parent| !parent.is_root()) {
            if layer.entries.contains_key(&parent) {
                break;
            }
            if let Some(entry) = all.entries.remove(&parent) {
                layer.entries.insert(parent, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::new;
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, text)| new::file(&mut tree, path, 0o644, *text, 0));
        tree
    }

    fn paths(tree: &Tree) -> Vec<String> {
        tree.entries.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_or_changed_is_in_it_and_what_is_gone_is_hidden() {
        let below = tree(&[("etc/same", "a"), ("etc/changed", "a"), ("old/gone", "a"), ("var/kept/a", "")]);
        let all = tree(&[("etc/same", "a"), ("etc/changed", "b"), ("usr/new", "c"), ("var/kept/b", "")]);
        let layer = of(all, &below, 0);
        assert_eq!(
            paths(&layer),
            [
                "/.wh.old",
                "/etc",
                "/etc/changed",
                "/usr",
                "/usr/new",
                "/var",
                "/var/kept",
                "/var/kept/.wh.a",
                "/var/kept/b"
            ]
        );
        assert!(of(below.clone(), &below, 0).entries.is_empty());
    }

    #[test]
    fn directories_above_keep_their_mode_and_links_bring_their_file() {
        let with_tmp = |files: &[(&str, &str)]| {
            let mut tree = Tree::default();
            new::directory(&mut tree, "tmp", 0o1777, (0, 7), 0);
            tree.entries.extend(self::tree(files).entries.into_iter().filter(|(path, _)| path.to_string() != "/tmp"));
            tree
        };
        let below = with_tmp(&[("tmp/a", "a"), ("usr/file", "x")]);
        let mut all = with_tmp(&[("tmp/a", "a"), ("tmp/b", "b"), ("usr/file", "x")]);
        new::put(&mut all, "usr/link", 0o644, (0, 0), EntryKind::HardLink(LayerPath::new("usr/file").unwrap()), 0);
        let layer = of(all, &below, 0);
        assert_eq!(paths(&layer), ["/tmp", "/tmp/b", "/usr", "/usr/file", "/usr/link"]);
        assert_eq!(new::get(&layer, "tmp").map(|entry| (entry.mode, entry.gid)), Some((0o1777, 7)));
    }
}
