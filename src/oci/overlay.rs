//! Layers laid over each other: what an image's file system holds, which layer brought it, and where layers disagree.
//!
//! Works on listings only; applies OCI whiteouts (image-spec, "Layer", "Whiteouts"). What to do about a conflict is the caller's.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::oci::listing::{Listed, Listing};
use crate::oci::tree::Kind;

/// An entry and the layer that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<'l> {
    /// Index of the layer, lowest first.
    pub layer: usize,
    /// The entry.
    pub entry: &'l Listed,
}

/// Two layers that disagree about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict<'l> {
    /// What is wrong.
    pub kind: ConflictKind,
    /// What stood there.
    pub lower: Placed<'l>,
    /// What takes its place; of the same path.
    pub upper: Placed<'l>,
}

/// How two layers disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// One type takes the place of another.
    TypeChange,
    /// Something stands below a path that is a symlink in the lower layer: a directory would take the link's place.
    ThroughSymlink,
    /// A directory that nobody asked for would change the lower directory's mode or owner.
    ImpliedDirectory,
}

/// The file system that these layers make, lowest first, sorted by the bytes of its paths.
///
/// A directory that is only implied above an equal one is the lower layer's.
pub fn overlay<'l>(layers: &[&'l Listing]) -> Vec<Placed<'l>> {
    stack(layers).view.into_values().collect()
}

/// All places where a layer disagrees with those below it, in the order of layers and paths. A path that the same layer whites out
/// is its own to replace.
pub fn conflicts<'l>(layers: &[&'l Listing]) -> Vec<Conflict<'l>> {
    stack(layers).conflicts
}

fn stack<'l>(layers: &[&'l Listing]) -> Stack<'l> {
    let mut stack = Stack::default();
    for (layer, listing) in layers.iter().enumerate() {
        stack.add(layer, listing);
    }
    stack
}

/// The layers so far.
#[derive(Default)]
struct Stack<'l> {
    view: BTreeMap<&'l [u8], Placed<'l>>,
    conflicts: Vec<Conflict<'l>>,
}

impl<'l> Stack<'l> {
    fn add(&mut self, layer: usize, listing: &'l Listing) {
        let marked = |entry: &&Listed| entry.path.file_name().starts_with(b".wh.");
        // A layer's whiteouts hide what is below it, never what it brings itself.
        listing.entries().iter().filter(marked).for_each(|entry| self.white_out(entry));
        let brought = listing.entries().iter().filter(|entry| !marked(entry)).map(|entry| Placed { layer, entry });
        if self.view.is_empty() {
            self.view = brought.map(|placed| (placed.entry.path.as_bytes(), placed)).collect();
        } else {
            brought.for_each(|placed| self.put(placed));
        }
    }

    fn white_out(&mut self, mark: &Listed) {
        let path = mark.path.as_bytes();
        let name = mark.path.file_name();
        let parent = &path[..path.len() - name.len()];
        match name.strip_prefix(b".wh.") {
            Some(b".wh..opq") => self.remove_below(parent),
            // Other doubled marks are AUFS's own, and hide nothing.
            Some(hidden) if !hidden.starts_with(b".wh.") => {
                let hidden = [parent, hidden].concat();
                self.view.remove(&hidden[..]);
                self.remove_below(&[&hidden[..], b"/"].concat());
            }
            _ => {}
        }
    }

    /// Removes all paths that begin with these bytes: empty, or ending in a slash.
    fn remove_below(&mut self, prefix: &[u8]) {
        let below = self.view.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded)).map(|(path, _)| *path);
        let doomed: Vec<&[u8]> = below.take_while(|path| path.starts_with(prefix)).collect();
        for path in doomed {
            self.view.remove(path);
        }
    }

    fn put(&mut self, upper: Placed<'l>) {
        let path = upper.entry.path.as_bytes();
        if let Some(lower) = self.view.get(path).copied() {
            let kind = conflict(lower.entry, upper.entry);
            self.conflicts.extend(kind.map(|kind| Conflict { kind, lower, upper }));
            if lower.entry.kind == Kind::Directory && upper.entry.kind != Kind::Directory {
                self.remove_below(&[path, b"/"].concat());
            }
            if kind.is_none() && upper.entry.implied {
                return;
            }
        }
        self.view.insert(path, upper);
    }
}

fn conflict(lower: &Listed, upper: &Listed) -> Option<ConflictKind> {
    let owner = |entry: &Listed| (entry.mode, entry.uid, entry.gid);
    match (file_type(lower.kind), file_type(upper.kind)) {
        (Kind::Symlink, Kind::Directory) if upper.implied => Some(ConflictKind::ThroughSymlink),
        (lower, upper) if lower != upper => Some(ConflictKind::TypeChange),
        (Kind::Directory, _) if upper.implied && owner(lower) != owner(upper) => Some(ConflictKind::ImpliedDirectory),
        _ => None,
    }
}

/// A hard link is a file as any other.
fn file_type(kind: Kind) -> Kind {
    if kind == Kind::HardLink { Kind::File } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer from lines as [`Listing::to_text`] writes them.
    fn layer(lines: &str) -> Listing {
        Listing::parse(&format!("listing 1\n{lines}")).unwrap()
    }

    /// Lines `layer path`, as the layers over each other show them.
    fn seen(layers: &[&Listing]) -> Vec<String> {
        overlay(layers).iter().map(|placed| format!("{}{}", placed.layer, placed.entry.path)).collect()
    }

    fn found(lower: &str, upper: &str) -> Vec<(ConflictKind, String)> {
        let layers = [&layer(lower), &layer(upper)];
        let show = |conflict: Conflict<'_>| (conflict.kind, conflict.upper.entry.path.to_string());
        conflicts(&layers).into_iter().map(show).collect()
    }

    const BASE: &str = "\
d 755 0 0 0 etc
f 644 0 0 5 etc/a
d 755 0 0 0 etc/d
f 644 0 0 5 etc/d-x
f 644 0 0 5 etc/d/f
l 777 0 0 0 lib usr/lib
d 1777 0 0 0 tmp
";

    #[test]
    fn the_uppermost_layer_shows_and_names_itself() {
        let upper = layer("d* 755 0 0 0 etc\nf 600 0 0 9 etc/a\nf 600 0 0 9 etc/new\n");
        let seen = seen(&[&layer(BASE), &upper]);
        assert_eq!(seen, ["0/etc", "1/etc/a", "0/etc/d", "0/etc/d-x", "0/etc/d/f", "1/etc/new", "0/lib", "0/tmp"]);
    }

    #[test]
    fn a_whiteout_hides_a_path_and_all_below_it_but_no_sibling() {
        let upper = layer("d 755 0 0 0 etc\nf 644 0 0 0 etc/.wh.d\n");
        assert_eq!(seen(&[&layer(BASE), &upper]), ["1/etc", "0/etc/a", "0/etc/d-x", "0/lib", "0/tmp"]);
    }

    #[test]
    fn an_opaque_directory_hides_what_is_below_but_not_its_own_layer() {
        let upper = layer("d 755 0 0 0 etc\nf 644 0 0 0 etc/.wh..wh..opq\nf 644 0 0 0 etc/a\n");
        assert_eq!(seen(&[&layer(BASE), &upper]), ["1/etc", "1/etc/a", "0/lib", "0/tmp"]);
        let all = layer("f 644 0 0 0 .wh..wh..opq\nf 644 0 0 0 b\n");
        assert_eq!(seen(&[&layer(BASE), &all]), ["1/b"]);
    }

    #[test]
    fn a_whiteout_does_not_hide_what_its_own_layer_brings_nor_a_layer_above() {
        let whiteout = layer("f 644 0 0 0 .wh.lib\nd 755 0 0 0 lib\nf 644 0 0 0 lib/x\n");
        assert!(conflicts(&[&layer(BASE), &whiteout]).is_empty());
        let above = layer("d 755 0 0 0 etc\nf 644 0 0 1 etc/a\n");
        let seen = seen(&[&layer(BASE), &layer("f 644 0 0 0 .wh.etc\n"), &above]);
        assert_eq!(seen, ["2/etc", "2/etc/a", "0/lib", "0/tmp"]);
    }

    #[test]
    fn other_aufs_marks_neither_show_nor_hide() {
        assert_eq!(seen(&[&layer("f 644 0 0 0 plnk\n"), &layer("d 755 0 0 0 .wh..wh.plnk\n")]), ["0/plnk"]);
    }

    #[test]
    fn each_change_of_type_is_found() {
        use ConflictKind::TypeChange;
        for (upper, path) in [
            ("d 755 0 0 0 lib\n", "/lib"),
            ("f 644 0 0 0 lib\n", "/lib"),
            ("f 644 0 0 0 etc\n", "/etc"),
            ("l 777 0 0 0 etc x\n", "/etc"),
            ("d 755 0 0 0 etc\nd* 755 0 0 0 etc/a\nf 644 0 0 0 etc/a/b\n", "/etc/a"),
        ] {
            assert_eq!(found(BASE, upper), [(TypeChange, path.to_owned())], "{upper}");
        }
    }

    #[test]
    fn a_path_through_a_lower_symlink_is_found_once() {
        let upper = "d* 755 0 0 0 lib\nf 644 0 0 0 lib/x\nf 644 0 0 0 lib/y\n";
        assert_eq!(found(BASE, upper), [(ConflictKind::ThroughSymlink, "/lib".to_owned())]);
    }

    #[test]
    fn an_implied_directory_must_not_change_a_lower_one() {
        let upper = "d* 755 0 0 0 tmp\nf 644 0 0 0 tmp/x\n";
        assert_eq!(found(BASE, upper), [(ConflictKind::ImpliedDirectory, "/tmp".to_owned())]);
        assert!(found(BASE, "d 755 0 0 0 tmp\n").is_empty(), "asked for by name");
        assert!(found(BASE, "d* 755 0 0 0 etc\n").is_empty(), "no change");
    }

    #[test]
    fn a_hard_link_over_a_file_is_no_conflict() {
        assert!(found(BASE, "d* 755 0 0 0 etc\nh 644 0 0 0 etc/a etc/b\nf 644 0 0 0 etc/b\n").is_empty());
    }

    #[test]
    fn conflicts_name_the_layers_that_disagree() {
        let layers = [&layer(BASE), &layer("d 755 0 0 0 opt\n"), &layer("f 644 0 0 0 opt\n")];
        let conflicts = conflicts(&layers);
        assert_eq!((conflicts[0].lower.layer, conflicts[0].upper.layer, conflicts.len()), (1, 2, 1));
    }
}
