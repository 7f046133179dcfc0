//! Where the paths of a workspace's sources stand on this machine: below its root, but for folders that are taken from
//! elsewhere.
//!
//! Paths are relative to the workspace's root, and stay so wherever they are shown or kept. Opens nothing.

use camino::{Utf8Path, Utf8PathBuf};

/// A folder of the workspace that is taken from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The folder, relative to the workspace's root.
    pub folder: Utf8PathBuf,
    /// What stands in its place: absolute, without links on the way.
    pub from: Utf8PathBuf,
}

/// The places of a workspace's sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRoot {
    root: Utf8PathBuf,
    elsewhere: Vec<Elsewhere>,
}

impl SourceRoot {
    /// Below `root` all that is not elsewhere.
    pub fn new(root: &Utf8Path, elsewhere: Vec<Elsewhere>) -> SourceRoot {
        SourceRoot { root: root.to_owned(), elsewhere }
    }

    /// The workspace's root.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The folders that are taken from elsewhere.
    pub fn elsewhere(&self) -> &[Elsewhere] {
        &self.elsewhere
    }

    /// The folder that a path is looked for below and must not leave, and the path from there on.
    pub fn split<'p>(&self, path: &'p Utf8Path) -> (&Utf8Path, &'p Utf8Path) {
        let nearest = self.elsewhere.iter().filter_map(|it| Some((path.strip_prefix(&it.folder).ok()?, &*it.from)));
        let nearest = nearest.min_by_key(|(below, _)| below.as_str().len());
        nearest.map_or((&self.root, path), |(below, from)| (from, below))
    }

    /// Where a path stands.
    pub fn at(&self, path: &Utf8Path) -> Utf8PathBuf {
        match self.split(path) {
            (top, below) if below.as_str().is_empty() => top.to_owned(),
            (top, below) => top.join(below),
        }
    }

    /// Whether a path stands below the workspace's root.
    pub fn is_here(&self, path: &Utf8Path) -> bool {
        self.elsewhere.iter().all(|it| !path.starts_with(&it.folder))
    }

    /// Whether it is a folder that is taken from elsewhere.
    pub fn begins_at(&self, folder: &Utf8Path) -> bool {
        self.elsewhere.iter().any(|it| it.folder == folder)
    }

    /// The names of those right in a folder, which may not be there in the workspace itself.
    pub fn begin_in<'s>(&'s self, folder: &Utf8Path) -> impl Iterator<Item = &'s str> {
        let right_in = move |it: &&Elsewhere| it.folder.parent() == Some(folder);
        self.elsewhere.iter().filter(right_in).filter_map(|it| it.folder.file_name())
    }
}

impl From<&Utf8Path> for SourceRoot {
    fn from(root: &Utf8Path) -> SourceRoot {
        SourceRoot::new(root, Vec::new())
    }
}

impl From<&Utf8PathBuf> for SourceRoot {
    fn from(root: &Utf8PathBuf) -> SourceRoot {
        root.as_path().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_looked_for_below_the_nearest_folder_that_is_taken_from_elsewhere() {
        let elsewhere = [("a/b", "/home/b"), ("a/b/c", "/srv/c")];
        let elsewhere = elsewhere.map(|(folder, from)| Elsewhere { folder: folder.into(), from: from.into() });
        let root = SourceRoot::new("/w".into(), elsewhere.into());
        for (path, place) in [
            ("", "/w"),
            ("a", "/w/a"),
            ("a/bb/x", "/w/a/bb/x"),
            ("a/b", "/home/b"),
            ("a/b/x", "/home/b/x"),
            ("a/b/c/x", "/srv/c/x"),
        ] {
            assert_eq!(root.at(path.into()), Utf8Path::new(place), "{path}");
            assert_eq!(root.is_here(path.into()), place.starts_with("/w"), "{path}");
        }
        assert_eq!(root.begin_in("a".into()).collect::<Vec<_>>(), ["b"]);
        assert!(root.begins_at("a/b/c".into()) && !root.begins_at("a".into()));
    }
}
