//! Which packages there are: folders with a layers.toml.
//!
//! Passes over `.git`, hidden folders, symbolic links, folders that the caller names (the store) and what the
//! workspace's .gitignore files leave out. Opens no layers.toml.

use std::collections::HashMap;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::ignored::{self, Ignored};
use super::root::FILE_NAME;
use crate::checkout::{Checkout, Disk, Kind};
use crate::diagnostic::Diagnostic;
use crate::label::{PackagePath, is_name};
use crate::observed::Observed;
use crate::reason::reason;

/// Where packages are looked for.
pub struct Finder<'a> {
    root: &'a Utf8Path,
    packages: &'a Utf8Path,
    skip: &'a [Utf8PathBuf],
    observed: Option<&'a Observed>,
    checkout: &'a dyn Checkout,
    /// The folders looked at so far, relative to the root; `None` where no package may be.
    entered: HashMap<Utf8PathBuf, Option<Ignored>>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// The packages, in no order.
    pub packages: Vec<PackagePath>,
    /// Folders that can't be read or can't be packages.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Finder<'a> {
    /// Looks in `packages`, which is relative to `root`. `skip`: absolute folders to pass over.
    pub fn new(
        root: &'a Utf8Path,
        packages: &'a Utf8Path,
        skip: &'a [Utf8PathBuf],
        observed: Option<&'a Observed>,
    ) -> Finder<'a> {
        Finder { root, packages, skip, observed, checkout: &Disk, entered: HashMap::new() }
    }

    /// The same in another checkout than what is on disk.
    #[must_use]
    pub fn of(self, checkout: &'a dyn Checkout) -> Finder<'a> {
        Finder { checkout, ..self }
    }

    /// Whether the package exists here: of another workspace, none does.
    pub fn exists(&mut self, package: &PackagePath) -> bool {
        if package.external().is_some() {
            return false;
        }
        let folder = self.packages.join(package.as_str());
        let Some(ignored) = self.enter(&folder) else { return false };
        let file = self.root.join(folder).join(FILE_NAME);
        self.checkout.is_file(&file) && !ignored.leaves_out(&file, false)
    }

    /// The package, where it exists, and all below it.
    pub fn below(&mut self, package: &PackagePath) -> Found {
        let folder = self.packages.join(package.as_str());
        let Some(ignored) = self.enter(&folder) else { return Found::default() };
        let walk = Walk { skip: self.skip, observed: self.observed, checkout: self.checkout };
        walk.folder(&self.root.join(folder), package.as_str(), &ignored)
    }

    /// Goes down to a folder as a walk would; `None` where a walk would not come.
    fn enter(&mut self, folder: &Utf8Path) -> Option<Ignored> {
        if let Some(known) = self.entered.get(folder) {
            return known.clone();
        }
        self.observed.iter().for_each(|observed| observed.note_folder(&self.root.join(folder)));
        let entered = match folder.parent() {
            Some(parent) => self.enter(parent).and_then(|ignored| self.step(folder, &ignored)),
            None => Some(Ignored::default().with_file_in(self.root, self.checkout)),
        };
        self.entered.insert(folder.to_owned(), entered.clone());
        entered
    }

    fn step(&self, folder: &Utf8Path, outer: &Ignored) -> Option<Ignored> {
        let path = self.root.join(folder);
        let is_folder = self.checkout.kind(&path).is_ok_and(|kind| kind == Kind::Folder);
        if !is_folder || self.skip.contains(&path) || outer.leaves_out(&path, true) {
            return None;
        }
        let has_ignore_file = self.checkout.is_file(&path.join(ignored::FILE_NAME));
        Some(if has_ignore_file { outer.with_file_in(&path, self.checkout) } else { outer.clone() })
    }
}

struct Walk<'a> {
    skip: &'a [Utf8PathBuf],
    observed: Option<&'a Observed>,
    checkout: &'a dyn Checkout,
}

/// What matters of one folder's entries.
#[derive(Default)]
struct Listing {
    folders: Vec<String>,
    /// Folders whose names are no text.
    unnamed: Vec<OsString>,
    is_package: bool,
    has_ignore_file: bool,
}

impl Walk<'_> {
    /// `package`: the folder's path as a package.
    fn folder(&self, path: &Utf8Path, package: &str, outer: &Ignored) -> Found {
        self.observed.iter().for_each(|observed| observed.note_folder(path));
        let listing = match list(path, self.checkout) {
            Ok(listing) => listing,
            Err(error) => {
                return Found::from(Diagnostic::error(format!(
                    "the folder `{path}` can't be read: {}",
                    reason(&error)
                )));
            }
        };
        let ignored = if listing.has_ignore_file { outer.with_file_in(path, self.checkout) } else { outer.clone() };
        let below = |name: &String| self.child(&path.join(name), name, package, &ignored);
        let mut found = listing.folders.par_iter().map(below).reduce(Found::default, Found::with);
        let unnamed = listing.unnamed.iter().filter(|name| self.checkout.holds(path, name, FILE_NAME));
        found.diagnostics.extend(unnamed.map(|name| no_package(path, &name.to_string_lossy())));
        if listing.is_package && !ignored.leaves_out(&path.join(FILE_NAME), false) {
            found.packages.extend(PackagePath::new(package));
        }
        found
    }

    fn child(&self, path: &Utf8Path, name: &str, package: &str, ignored: &Ignored) -> Found {
        if name.starts_with('.') || self.skip.iter().any(|skip| skip == path) || ignored.leaves_out(path, true) {
            return Found::default();
        }
        if is_name(name) {
            let separator = if package.is_empty() { "" } else { "/" };
            return self.folder(path, &format!("{package}{separator}{name}"), ignored);
        }
        if !self.checkout.is_file(&path.join(FILE_NAME)) {
            return Found::default();
        }
        Found::from(no_package(path.parent().unwrap_or(path), name))
    }
}

fn no_package(above: &Utf8Path, name: &str) -> Diagnostic {
    let (above, name) = (one_line(above.as_str()), one_line(name));
    Diagnostic::error(format!("the folder `{above}/{name}` can't be a package: `{name}` can't be part of a label"))
        .help("rename it: letters, digits, `.`, `_` and `-`, beginning with a letter or digit")
}

/// A name may hold line ends, and what a terminal would obey.
fn one_line(name: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(shown).collect()
}

/// Asks the folder only, and no entry of it: a walk over many sources is as fast as listing them.
fn list(path: &Utf8Path, checkout: &dyn Checkout) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in checkout.list(path)? {
        match entry.name.to_str() {
            None if entry.kind == Kind::Folder => listing.unnamed.push(entry.name),
            Some(FILE_NAME) => listing.is_package = entry.kind != Kind::Folder,
            Some(ignored::FILE_NAME) => listing.has_ignore_file = entry.kind == Kind::File,
            Some(name) if entry.kind == Kind::Folder => listing.folders.push(name.to_owned()),
            _ => {}
        }
    }
    Ok(listing)
}

impl From<Diagnostic> for Found {
    fn from(diagnostic: Diagnostic) -> Found {
        Found { packages: Vec::new(), diagnostics: vec![diagnostic] }
    }
}

impl Found {
    fn with(mut self, other: Found) -> Found {
        self.packages.extend(other.packages);
        self.diagnostics.extend(other.diagnostics);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn workspace(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        for (path, text) in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        (folder, root)
    }

    fn sorted(found: Found) -> Vec<String> {
        let mut packages: Vec<String> = found.packages.iter().map(ToString::to_string).collect();
        packages.sort();
        packages
    }

    #[test]
    fn a_walk_passes_over_git_ignored_and_named_folders() {
        let (_folder, root) = workspace(&[
            ("layers.toml", ""),
            (".gitignore", "out/\n/b/gen\n"),
            (".git/layers.toml", ""),
            ("a/layers.toml", ""),
            ("a/out/layers.toml", ""),
            ("b/gen/layers.toml", ""),
            ("b/src/deep/layers.toml", ""),
            ("store/layers.toml", ""),
        ]);
        let skip = [root.join("store")];
        let mut finder = Finder::new(&root, Utf8Path::new(""), &skip, None);
        assert_eq!(sorted(finder.below(&PackagePath::default())), ["//", "//a", "//b/src/deep"]);
        let mut exists = |path| finder.exists(&PackagePath::new(path).unwrap());
        assert!(exists("") && exists("a") && exists("b/src/deep"));
        assert!(!exists("b") && !exists("a/out") && !exists("b/gen") && !exists("store"));
    }

    #[test]
    fn packages_are_relative_to_their_folder_and_a_prefix_is_not_a_parent() {
        let (_folder, root) =
            workspace(&[("images/foo/layers.toml", ""), ("images/foox/layers.toml", ""), ("other/layers.toml", "")]);
        let mut finder = Finder::new(&root, Utf8Path::new("images"), &[], None);
        assert_eq!(sorted(finder.below(&PackagePath::default())), ["//foo", "//foox"]);
        assert_eq!(sorted(finder.below(&PackagePath::new("foo").unwrap())), ["//foo"]);
    }

    #[test]
    fn a_package_whose_folder_can_be_no_label_is_an_error() {
        let (_folder, root) = workspace(&[("my dir/layers.toml", ""), ("plain dir/x", "")]);
        let found = Finder::new(&root, Utf8Path::new(""), &[], None).below(&PackagePath::default());
        assert_eq!(found.diagnostics.len(), 1);
        assert!(found.diagnostics[0].message.contains("my dir"), "{:?}", found.diagnostics);
    }

    #[test]
    fn so_is_one_whose_name_is_no_text_or_has_several_lines_and_their_names_are_shown_on_one() {
        let (folder, root) = workspace(&[("a/layers.toml", ""), ("two\nlines/layers.toml", "")]);
        for (name, file) in [(&b"no\xff"[..], "layers.toml"), (b"x\xff\x1b", "other")] {
            let odd = folder.path().join(OsStr::from_bytes(name));
            std::fs::create_dir(&odd).unwrap();
            std::fs::write(odd.join(file), "").unwrap();
        }
        let found = Finder::new(&root, Utf8Path::new(""), &[], None).below(&PackagePath::default());
        let mut told: Vec<&str> = found.diagnostics.iter().map(|it| &*it.message).collect();
        told.sort_unstable();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("/no\u{fffd}` can't be a package"), "{told:?}");
        assert!(told[1].contains("/two\\nlines` can't be a package"), "{told:?}");
        assert_eq!(sorted(found), ["//a"]);
    }
}
