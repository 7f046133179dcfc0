//! What is left out of packages: paths that `exclude-paths` names. The package is then as if it had never held them, so that
//! dpkg misses nothing.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use super::deb::Deb;
use crate::layer_path::LayerPath;
use crate::oci::tree::{Entry, EntryKind};

/// Globs, each with whether it leaves out or takes back.
pub struct LeftOut(Vec<(GlobMatcher, bool)>);

impl LeftOut {
    /// Of globs as they are written; the rule has looked at them.
    pub fn new(globs: &[String]) -> LeftOut {
        let compiled = globs.iter().filter_map(|text| {
            let (text, out) = text.strip_prefix('!').map_or((text.as_str(), true), |text| (text, false));
            let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
            Some((glob.ok()?.compile_matcher(), out))
        });
        LeftOut(compiled.collect())
    }

    /// Whether a path, absolute, is left out: the last glob that matches counts.
    fn takes(&self, path: &str) -> bool {
        self.0.iter().rev().find(|(glob, _)| glob.is_match(path)).is_some_and(|(_, out)| *out)
    }

    /// Leaves it out of a package, its database included.
    pub fn apply(&self, deb: &mut Deb) {
        let entries = std::mem::take(&mut deb.tree.entries);
        let (mut out, mut kept): (Entries, Entries) =
            entries.into_iter().partition(|(path, _)| self.takes(&path.to_string()));
        if !out.is_empty() {
            keep_above(&mut kept, &mut out);
            keep_linked(&mut kept, &out);
            self.trim(deb, "md5sums", |line| line.get(34..).unwrap_or_default().to_owned());
            self.trim(deb, "conffiles", |line| line.trim_start_matches('/').to_owned());
        }
        deb.tree.entries = kept;
    }

    /// Takes the lines of a control member whose path is left out.
    fn trim(&self, deb: &mut Deb, member: &str, path: impl Fn(&str) -> String) {
        if deb.members.contains_key(member) {
            let text = deb.member(member);
            let kept = text.lines().filter(|line| !self.takes(&format!("/{}", path(line))));
            let kept: String = kept.map(|line| format!("{line}\n")).collect();
            deb.members.insert(member.to_owned(), kept.into_bytes());
        }
    }
}

type Entries = BTreeMap<LayerPath, Entry>;

/// Directories above what stays do so too.
fn keep_above(kept: &mut Entries, out: &mut Entries) {
    let paths: Vec<LayerPath> = kept.keys().cloned().collect();
    for parent in paths.iter().flat_map(|path| std::iter::successors(path.parent(), LayerPath::parent)) {
        if let Some(entry) = out.remove(&parent) {
            kept.insert(parent, entry);
        }
    }
}

/// Another name of a file whose own is left out becomes the file.
fn keep_linked(kept: &mut Entries, out: &Entries) {
    for entry in kept.values_mut() {
        let EntryKind::HardLink(target) = &entry.kind else { continue };
        if let Some(file) = out.get(target) {
            entry.kind = file.kind.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::new;
    use super::*;
    use crate::oci::tree::Tree;

    fn deb(paths: &[&str], members: &[(&str, &str)]) -> Deb {
        let mut tree = Tree::default();
        paths.iter().for_each(|path| new::file(&mut tree, path, 0o644, *path, 0));
        let members = members.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Deb::of("a", members.collect(), tree)
    }

    fn left(globs: &[&str], deb: &mut Deb) -> Vec<String> {
        LeftOut::new(&globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>()).apply(deb);
        let files = deb.tree.entries.iter().filter(|(_, entry)| entry.kind != EntryKind::Directory);
        files.map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn the_last_glob_that_matches_counts_and_dpkg_knows_nothing_of_what_is_left_out() {
        let sums = format!("{0}  usr/share/doc/a/news\n{0}  usr/bin/a\n", "0".repeat(32));
        let mut deb = deb(
            &["usr/share/doc/a/news", "usr/share/doc/a/copyright", "usr/bin/a", "etc/a"],
            &[("md5sums", &sums), ("conffiles", "/etc/a\n")],
        );
        let globs = ["/usr/share/doc/**", "!/usr/share/doc/*/copyright", "/etc/*"];
        assert_eq!(left(&globs, &mut deb), ["/usr/bin/a", "/usr/share/doc/a/copyright"]);
        assert_eq!(deb.member("md5sums"), format!("{}  usr/bin/a\n", "0".repeat(32)));
        assert_eq!(deb.member("conffiles"), "");
        assert!(new::get(&deb.tree, "usr/share/doc/a").is_some());
    }

    #[test]
    fn a_link_to_what_is_left_out_becomes_the_file() {
        let mut deb = deb(&["a/x"], &[]);
        new::put(&mut deb.tree, "b/y", 0o644, (0, 0), EntryKind::HardLink(LayerPath::new("a/x").unwrap()), 0);
        assert_eq!(left(&["/a/**"], &mut deb), ["/b/y"]);
        assert_eq!(new::read(&deb.tree, "b/y").as_deref(), Some(&b"a/x"[..]));
    }
}
