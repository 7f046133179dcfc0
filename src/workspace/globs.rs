//! Globs of a package: patterns → the files of the source tree that they name.
//!
//! Stops at sub-packages, never enters `.git` or a folder that the caller excludes (the store), leaves out what the
//! workspace's own `.gitignore` files name, and follows no symbolic link. Reads directories, never files: what a file
//! holds is not known here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use globset::{GlobBuilder, GlobMatcher};

use super::ignored::{self, Ignored};
use super::root::FILE_NAME;
use crate::checkout::{Checkout, Disk, Kind};
use crate::observed::Observed;
use crate::source_root::SourceRoot;

/// One pattern of a `srcs` list, compiled.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    excludes: bool,
    matcher: Option<GlobMatcher>,
}

/// A pattern that can't be compiled or leads out of the package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It isn't a glob.
    #[error("invalid glob: {0}")]
    Invalid(String),
    /// It is absolute or climbs with `..`.
    #[error("`{0}` leads out of the package")]
    Outside(String),
    /// Nothing is there.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// A literal path names a directory.
    #[error("`{0}` is a directory")]
    Directory(String),
    /// A literal path passes a symbolic link that leads out of the workspace.
    #[error("`{0}` leads out of the workspace through a symbolic link")]
    Escapes(String),
    /// No file matches.
    #[error("`{0}` matches no file")]
    Nothing(String),
    /// The file system refuses.
    #[error("cannot read `{path}`: {why}")]
    Unreadable {
        /// The directory or file, relative to the workspace's root.
        path: Utf8PathBuf,
        /// The system's words.
        why: String,
    },
}

impl Glob {
    /// Compiles a pattern; a leading `!` excludes. `*` and `?` stop at `/`, `**` does not.
    pub fn new(pattern: &str) -> Result<Glob, GlobError> {
        let (excludes, text) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        let text = text.strip_prefix("./").unwrap_or(text);
        if text.is_empty() || text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return Err(GlobError::Outside(text.to_owned()));
        }
        let matcher = is_glob(text).then(|| compile(text)).transpose()?;
        Ok(Glob { text: text.to_owned(), excludes, matcher })
    }

    /// Whether it takes files away instead of adding them.
    pub fn excludes(&self) -> bool {
        self.excludes
    }

    /// The leading folders without a wildcard; for a literal path the folder that holds it.
    pub fn fixed_prefix(&self) -> &str {
        let wild = self.text.find(['*', '?', '[', '{']).unwrap_or(self.text.len());
        self.text[..wild].rfind('/').map_or("", |cut| &self.text[..cut])
    }

    fn matches(&self, path: &str) -> bool {
        self.matcher.as_ref().map_or(path == self.text, |matcher| matcher.is_match(path))
    }
}

/// Whether a text has wildcards.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// A glob has no more bytes than this, as a path (`PATH_MAX`).
const LONGEST: usize = 4096;
/// So many alternatives lie in each other at most. With both limits the regular expression that a glob becomes is one that
/// `globset` can compile: it panics where it can't.
const DEEPEST: usize = 16;

/// Compiles a glob in which `*` and `?` stop at `/`.
pub fn compile(text: &str) -> Result<GlobMatcher, GlobError> {
    if text.len() > LONGEST {
        return Err(GlobError::Invalid(format!("it has more than {LONGEST} bytes")));
    }
    if depth(text) > DEEPEST {
        return Err(GlobError::Invalid(format!("more than {DEEPEST} alternatives lie in each other")));
    }
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| GlobError::Invalid(error.kind().to_string()))
}

fn depth(text: &str) -> usize {
    let depths = text.bytes().scan(0_usize, |open, byte| {
        match byte {
            b'{' => *open += 1,
            b'}' => *open = open.saturating_sub(1),
            _ => {}
        }
        Some(*open)
    });
    depths.max().unwrap_or_default()
}

/// The source tree that globs are expanded in.
#[derive(Debug)]
pub struct SourceTree<'a> {
    sources: SourceRoot,
    observed: &'a Observed,
    checkout: &'a dyn Checkout,
    canonical_root: Utf8PathBuf,
    excluded: Vec<Utf8PathBuf>,
    ignores: Mutex<HashMap<Utf8PathBuf, Ignored>>,
}

impl<'a> SourceTree<'a> {
    /// The tree below a root; globs never enter the `excluded` folders (absolute paths). `observed` is told which
    /// folders are looked at; of files, whoever reads them tells.
    pub fn new(sources: impl Into<SourceRoot>, excluded: Vec<Utf8PathBuf>, observed: &'a Observed) -> SourceTree<'a> {
        let sources = sources.into();
        let root = sources.at(Utf8Path::new(""));
        let canonical_root = root.canonicalize_utf8().unwrap_or(root);
        SourceTree { sources, observed, checkout: &Disk, canonical_root, excluded, ignores: Mutex::default() }
    }

    /// The same in another checkout than what is on disk.
    #[must_use]
    pub fn of(self, checkout: &'a dyn Checkout) -> SourceTree<'a> {
        let root = self.sources.at(Utf8Path::new(""));
        let canonical_root = checkout.resolve(&root).unwrap_or(root);
        SourceTree { checkout, canonical_root, ..self }
    }

    /// Where a path stands.
    pub fn at(&self, path: &Utf8Path) -> Utf8PathBuf {
        self.sources.at(path)
    }

    /// The files that a list of globs names in a package, relative to the workspace's root and sorted.
    ///
    /// `directory` is the package's folder relative to the root. For each glob that fails or matches nothing, the
    /// error comes with its position in the list; all of them are given at once.
    pub fn expand(&self, directory: &Utf8Path, globs: &[Glob]) -> Result<Vec<Utf8PathBuf>, Vec<(usize, GlobError)>> {
        let mut found = BTreeSet::new();
        let mut errors = Vec::new();
        for (index, glob) in globs.iter().enumerate().filter(|(_, glob)| !glob.excludes) {
            match self.one(directory, glob) {
                Ok(files) if files.is_empty() => errors.push((index, GlobError::Nothing(glob.text.clone()))),
                Ok(files) => found.extend(files),
                Err(error) => errors.push((index, error)),
            }
        }
        let excludes: Vec<&Glob> = globs.iter().filter(|glob| glob.excludes).collect();
        found.retain(|path| !excludes.iter().any(|glob| glob.matches(path.as_str())));
        if errors.is_empty() { Ok(found.into_iter().map(|path| directory.join(path)).collect()) } else { Err(errors) }
    }

    /// Whether the folder that holds a path lies, links resolved, within the workspace, or within the folder that is taken
    /// from elsewhere.
    pub fn contains(&self, path: &Utf8Path) -> bool {
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        let top = if self.sources.is_here(folder) { &self.canonical_root } else { self.sources.split(folder).0 };
        self.checkout.resolve(&self.at(folder)).is_ok_and(|real| real.starts_with(top))
    }

    /// The bytes of a file at a path relative to the root; links are followed.
    pub fn read(&self, path: &Utf8Path) -> io::Result<Vec<u8>> {
        self.checkout.read(&self.at(path))
    }

    fn one(&self, directory: &Utf8Path, glob: &Glob) -> Result<Vec<Utf8PathBuf>, GlobError> {
        if glob.matcher.is_none() {
            return self.literal(directory, &glob.text).map(|path| vec![path]);
        }
        let start = Utf8Path::new(glob.fixed_prefix());
        let full = self.at(&directory.join(start));
        self.observed.note_folder(&full);
        let mut files = Vec::new();
        if !self.checkout.is_folder(&full) {
            return self.absent(&directory.join(start)).map(|()| files);
        }
        if !self.is_cut_off(directory, start) {
            self.walk(directory, start, &mut |path| {
                if glob.matches(path.as_str()) {
                    files.push(path);
                }
            })?;
        }
        Ok(files)
    }

    /// Judges a path at which no folder is seen: none is there, or it can't be told.
    fn absent(&self, path: &Utf8Path) -> Result<(), GlobError> {
        use io::ErrorKind::{NotADirectory, NotFound};
        match self.checkout.kind(&self.at(path)) {
            Err(error) if ![NotFound, NotADirectory].contains(&error.kind()) => {
                Err(GlobError::Unreadable { path: path.to_owned(), why: error.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn literal(&self, directory: &Utf8Path, text: &str) -> Result<Utf8PathBuf, GlobError> {
        let path = directory.join(text);
        let found = self.checkout.kind(&self.at(&path));
        let found = found.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => GlobError::Missing(text.to_owned()),
            _ => GlobError::Unreadable { path: path.clone(), why: error.to_string() },
        })?;
        if found == Kind::Folder {
            return Err(GlobError::Directory(text.to_owned()));
        }
        // The common case, a file right in its package, needs no resolving of links.
        if text.contains('/') && !self.contains(&path) {
            return Err(GlobError::Escapes(text.to_owned()));
        }
        Ok(text.into())
    }

    /// Whether a folder below the package belongs to a sub-package, is ignored, or is reached through a link.
    fn is_cut_off(&self, directory: &Utf8Path, below: &Utf8Path) -> bool {
        let mut path = Utf8PathBuf::new();
        below.components().any(|part| {
            path.push(part.as_str());
            let folder = directory.join(&path);
            let full = self.at(&folder);
            self.observed.note_folder(&full);
            let is_link = || self.checkout.kind(&full).is_ok_and(|kind| kind == Kind::Link);
            self.is_ignored(&folder, true) || is_link() || self.is_package(&folder)
        })
    }

    fn walk(
        &self,
        directory: &Utf8Path,
        below: &Utf8Path,
        visit: &mut dyn FnMut(Utf8PathBuf),
    ) -> Result<(), GlobError> {
        let folder = directory.join(below);
        self.observed.note_folder(&self.at(&folder));
        let entries = self.entries(&folder)?;
        let has = |name: &str| entries.contains_key(name);
        if !below.as_str().is_empty() && (has(FILE_NAME) || self.is_package_here(&folder)) {
            return Ok(());
        }
        for (name, is_directory) in entries {
            let path = below.join(name);
            if self.is_passed_over(&directory.join(&path), is_directory) {
                continue;
            }
            if is_directory { self.walk(directory, &path, visit)? } else { visit(path) }
        }
        Ok(())
    }

    /// What stands in a folder, and what is a folder itself: those that are taken from elsewhere too.
    fn entries(&self, folder: &Utf8Path) -> Result<BTreeMap<String, bool>, GlobError> {
        let unreadable = |why: String| GlobError::Unreadable { path: folder.to_owned(), why };
        let mut entries = BTreeMap::new();
        for entry in self.checkout.list(&self.at(folder)).map_err(|error| unreadable(error.to_string()))? {
            let name =
                entry.name.into_string().map_err(|name| unreadable(format!("the name {name:?} is not UTF-8")))?;
            entries.insert(name, entry.kind == Kind::Folder);
        }
        entries.extend(self.sources.begin_in(folder).map(|name| (name.to_owned(), true)));
        Ok(entries)
    }

    /// Whether a folder is a package, by what stands in it or in the workspace in its place.
    fn is_package(&self, folder: &Utf8Path) -> bool {
        self.checkout.is_file(&self.at(folder).join(FILE_NAME)) || self.is_package_here(folder)
    }

    /// Of a folder that is taken from elsewhere: whether it is a package in the workspace all the same.
    fn is_package_here(&self, folder: &Utf8Path) -> bool {
        !self.sources.is_here(folder) && self.checkout.is_file(&self.sources.root().join(folder).join(FILE_NAME))
    }

    fn is_passed_over(&self, path: &Utf8Path, is_directory: bool) -> bool {
        let excluded = || self.excluded.contains(&self.at(path));
        path.file_name() == Some(".git") || (is_directory && excluded()) || self.is_ignored(path, is_directory)
    }

    fn is_ignored(&self, path: &Utf8Path, is_directory: bool) -> bool {
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        !self.sources.begins_at(path) && self.ignored_in(folder).leaves_out(&self.at(path), is_directory)
    }

    /// The `.gitignore` files from the root, or from where a folder is taken from elsewhere, down to a folder, each read
    /// once.
    fn ignored_in(&self, folder: &Utf8Path) -> Ignored {
        if let Some(known) = self.known(folder) {
            return known;
        }
        let parent = folder.parent().filter(|_| !self.sources.begins_at(folder));
        let outer = parent.map_or_else(Ignored::default, |parent| self.ignored_in(parent));
        let full = self.at(folder);
        self.observed.note_folder(&full);
        let has_file = self.checkout.is_file(&full.join(ignored::FILE_NAME));
        let here = if has_file { outer.with_file_in(&full, self.checkout) } else { outer };
        self.ignores.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), here.clone());
        here
    }

    fn known(&self, folder: &Utf8Path) -> Option<Ignored> {
        self.ignores.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, SourceTree<'static>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let tree = SourceTree::new(&root, vec![root.join("store")], Box::leak(Box::default()));
        (folder, tree)
    }

    fn expand(tree: &SourceTree<'_>, package: &str, patterns: &[&str]) -> Vec<String> {
        let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(pattern).unwrap()).collect();
        let files = tree.expand(Utf8Path::new(package), &globs).unwrap();
        files.into_iter().map(Utf8PathBuf::into_string).collect()
    }

    #[test]
    fn globs_stop_at_sub_packages_git_and_the_store() {
        let (_folder, tree) = tree(&["p/a", "p/d/b", "p/sub/layers.toml", "p/sub/c", "p/.git/d", "store/e", "f"]);
        assert_eq!(expand(&tree, "p", &["**"]), ["p/a", "p/d/b"]);
        assert_eq!(expand(&tree, "", &["**", "!p/**"]), ["f"]);
    }

    #[test]
    fn a_folder_of_which_nothing_can_be_told_is_no_missing_one() {
        let (_folder, tree) = tree(&["p/a"]);
        let long = format!("{}/**", "x".repeat(300));
        let globs = ["q/**", "a/**", &long].map(|pattern| Glob::new(pattern).unwrap());
        let errors = tree.expand(Utf8Path::new("p"), &globs).unwrap_err();
        assert_eq!(errors[..2], [(0, GlobError::Nothing("q/**".into())), (1, GlobError::Nothing("a/**".into()))]);
        assert!(matches!(errors[2], (2, GlobError::Unreadable { .. })), "{:?}", errors[2]);
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let (_folder, tree) = tree(&["app/a.py", "app/b/c.py", "app/b/c.pyc"]);
        assert_eq!(expand(&tree, "", &["app/*"]), ["app/a.py"]);
        assert_eq!(expand(&tree, "", &["app/**", "!app/**/*.pyc"]), ["app/a.py", "app/b/c.py"]);
    }

    #[test]
    fn ignored_files_are_left_out_of_globs_but_not_of_literal_paths() {
        let (folder, tree) = tree(&["p/bin/tool", "p/bin/keep", "p/a"]);
        std::fs::write(folder.path().join(".gitignore"), "/p/bin/*\n").unwrap();
        std::fs::write(folder.path().join("p/.gitignore"), "!bin/keep\n").unwrap();
        assert_eq!(expand(&tree, "p", &["[a-z]*", "bin/*"]), ["p/a", "p/bin/keep"]);
        assert_eq!(expand(&tree, "p", &["bin/tool"]), ["p/bin/tool"]);
    }

    #[test]
    fn links_are_named_and_never_followed() {
        let (folder, tree) = tree(&["p/d/a"]);
        std::os::unix::fs::symlink("d", folder.path().join("p/link")).unwrap();
        assert_eq!(expand(&tree, "p", &["**"]), ["p/d/a", "p/link"]);
        std::os::unix::fs::symlink("/usr", folder.path().join("p/out")).unwrap();
        let glob = Glob::new("out/bin/env").unwrap();
        let errors = tree.expand(Utf8Path::new("p"), &[glob]).unwrap_err();
        assert_eq!(errors, [(0, GlobError::Escapes("out/bin/env".into()))]);
    }

    #[test]
    fn every_glob_that_fails_is_named() {
        let (_folder, tree) = tree(&["a"]);
        let globs = ["*.py", "a", "missing"].map(|pattern| Glob::new(pattern).unwrap());
        let errors = tree.expand(Utf8Path::new(""), &globs).unwrap_err();
        assert_eq!(errors, [(0, GlobError::Nothing("*.py".into())), (2, GlobError::Missing("missing".into()))]);
        for outside in ["../x", "/etc/passwd", "a/../../b", ""] {
            assert!(matches!(Glob::new(outside), Err(GlobError::Outside(_))), "{outside}");
        }
    }

    #[test]
    fn no_glob_is_too_much_for_its_compiler() {
        let invalid = |text: &str| matches!(Glob::new(text), Err(GlobError::Invalid(_)));
        let nested = |depth: usize| "{a,".repeat(depth) + &"}".repeat(depth);
        assert!(invalid(&nested(17)) && invalid(&nested(5000)) && invalid(&"*".repeat(5000)));
        let (wide, deep) = ("[!\u{80}-\u{10fffe}]", nested(16));
        for part in ["**/", "?", "*", "{a,b}", "[a-zé-ü]", wide, &deep] {
            assert!(Glob::new(&part.repeat(LONGEST / part.len())).is_ok(), "{part}");
        }
    }

    #[test]
    fn the_fixed_prefix_is_the_folders_before_the_first_wildcard() {
        for (pattern, prefix) in [("app/**", "app"), ("a/b*/c", "a"), ("*.py", ""), ("bin/tool", "bin"), ("x", "")] {
            assert_eq!(Glob::new(pattern).unwrap().fixed_prefix(), prefix, "{pattern}");
        }
    }
}
