//! Reading one workspace: the root's file and the workspace's own rules, then the packages that are wanted and those that
//! their labels lead to.
//!
//! In waves, each read in parallel; files are numbered in the order of their paths within a wave. Reports the mistakes
//! of all files that it reads, and stops at none. Whether a label's target exists is the graph's matter; that other
//! workspaces may stand beside it, `together`'s.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::discover::Finder;
use super::lock_file::{self, LockFile};
use super::model::{Package, Target};
use super::overlays::LOCAL_FILE;
use super::parse::{self, Parsed};
use super::profile::Chosen;
use super::root::FILE_NAME;
use super::schema::RuleSchema;
use super::settings::Settings;
use super::template::{self, Known, Rules};
use super::text::{Text, read_text};
use super::value::Table;
use super::vars::Given;
use super::{build_base, declare, overrides, published, read, replace};
use crate::checkout::Checkout;
use crate::diagnostic::Diagnostic;
use crate::label::PackagePath;
use crate::observed::Observed;
use crate::pattern::{PackageSelection, TargetPattern};
use crate::span::{FileId, Sources, Span};

/// What does not stand in any file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// The rules.
    pub schemas: &'a [&'static RuleSchema],
    /// The profile that the call names.
    pub profile: Option<&'a str>,
    /// Variables that the call sets.
    pub given: Given<'a>,
    /// Whether the developer's own file, `layers.local.toml`, is read.
    pub local: bool,
    /// Absolute folders in which no package is looked for, such as the store.
    pub skip: &'a [Utf8PathBuf],
    /// What is read. Default: what is on disk.
    pub checkout: &'a dyn Checkout,
    /// Is told which files and folders are looked at.
    pub observed: Option<&'a Observed>,
}

/// A workspace whose settings are known and whose packages are still to be read.
#[derive(Debug)]
pub struct One<'a> {
    /// Its folder.
    pub root: Utf8PathBuf,
    options: Options<'a>,
    /// The folders in which none of its packages is looked for.
    pub skip: Vec<Utf8PathBuf>,
    /// While packages are read.
    sources: Sources,
    /// How many files have a number.
    files: u32,
    /// What holds for all of it.
    pub settings: Settings,
    /// What is locked.
    pub lock: LockFile,
    /// The rules of its own.
    pub rules: Rules,
    /// The root's file without the settings.
    rest: Parsed,
    diagnostics: Vec<Diagnostic>,
    /// Whether the packages' files can be judged at all.
    readable: bool,
    asks_git: bool,
}

/// Reads a workspace's settings under a profile, whatever that of the options is. `root` is the folder that
/// [`super::root::find_root`] gives.
pub fn open<'a>(root: &Utf8Path, profile: Option<Chosen<'_>>, options: Options<'a>, sources: &mut Sources) -> One<'a> {
    let root_file = FileId(sources.len());
    options.observed.iter().for_each(|observed| observed.note(root.join(FILE_NAME)));
    let Text { text, mistake } = read_text(options.checkout, &root.join(FILE_NAME), FILE_NAME, root_file);
    let mut rest = match &mistake {
        None => parse::parse(&text, root_file),
        Some(mistake) => Parsed { broken: vec![0], diagnostics: vec![mistake.clone()], ..Parsed::default() },
    };
    let mut diagnostics = std::mem::take(&mut rest.diagnostics);
    let wrong = read::wrong_version(&rest.table);
    let readable = wrong.is_none() && workspace_is_whole(&rest);
    sources.add(FILE_NAME.into(), text.as_str().into());
    let (local, mistakes) = if options.local { read_local(root, &options, sources) } else { (None, Vec::new()) };
    diagnostics.extend(mistakes);
    let top = Span::new(root_file, 0..text.find('\n').unwrap_or(text.len()));
    let call = read::Call { profile, given: options.given, local, checkout: options.checkout };
    let read::Root { settings, diagnostics: mistakes, asks_git } = read::read(&mut rest.table, root, call, top);
    for path in &settings.paths {
        let places = [&path.written, &path.place.from];
        options.observed.iter().for_each(|observed| places.iter().for_each(|place| observed.note((*place).clone())));
    }
    let (lock, of_lock) = read_lock(root, &options, sources);
    let looking = (options.checkout, options.observed);
    let (rules, of_rules) = template::read(root, &settings.vars, options.schemas, looking, sources);
    match wrong {
        // What else seems wrong may be right in that version.
        Some(wrong) => diagnostics.push(wrong),
        None if rest.broken.is_empty() => {
            diagnostics.extend(mistakes);
            let known = Known { schemas: options.schemas, rules: &rules };
            diagnostics.extend(declare::strangers(&rest.table, known, &settings.packages));
            diagnostics.extend(of_rules);
        }
        None => {}
    }
    diagnostics.extend(of_lock);
    let (root, asks_git) = (root.to_owned(), asks_git || rules.ask_git());
    let (skip, sources, files) = (options.skip.to_vec(), Sources::default(), 0);
    One { root, options, skip, sources, files, settings, lock, rules, rest, diagnostics, readable, asks_git }
}

/// The developer's own file, as the second of the sources; `None` where there is none, or its syntax is wrong.
fn read_local(root: &Utf8Path, options: &Options<'_>, sources: &mut Sources) -> (Option<Table>, Vec<Diagnostic>) {
    let path = root.join(LOCAL_FILE);
    options.observed.iter().for_each(|observed| observed.note(path.clone()));
    if is_missing(&path, options.checkout) {
        return (None, Vec::new());
    }
    let file = FileId(sources.len());
    let Text { text, mistake } = read_text(options.checkout, &path, LOCAL_FILE, file);
    let parsed = match mistake {
        None => parse::parse(&text, file),
        Some(mistake) => Parsed { broken: vec![0], diagnostics: vec![mistake], ..Parsed::default() },
    };
    sources.add(LOCAL_FILE.into(), text.into());
    (parsed.broken.is_empty().then_some(parsed.table), parsed.diagnostics)
}

/// The lock file, as the next of the sources; a workspace that has none has nothing locked.
fn read_lock(root: &Utf8Path, options: &Options<'_>, sources: &mut Sources) -> (LockFile, Vec<Diagnostic>) {
    let path = root.join(lock_file::FILE_NAME);
    options.observed.iter().for_each(|observed| observed.note(path.clone()));
    if is_missing(&path, options.checkout) {
        return (LockFile::default(), Vec::new());
    }
    let file = FileId(sources.len());
    let Text { text, mistake } = read_text(options.checkout, &path, lock_file::FILE_NAME, file);
    let (lock, mistakes) = match mistake {
        None => LockFile::parse(&text, file),
        Some(mistake) => (LockFile::default(), vec![mistake]),
    };
    sources.add(lock_file::FILE_NAME.into(), text.into());
    (lock, mistakes)
}

fn is_missing(path: &Utf8Path, checkout: &dyn Checkout) -> bool {
    checkout.kind(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Whether the syntax of `[workspace]` is right, without which nothing can be said of the packages.
fn workspace_is_whole(root: &Parsed) -> bool {
    let Some(workspace) = root.table.entry("workspace") else { return root.broken.is_empty() };
    let starts = root.table.0.iter().map(|entry| entry.key_span.start);
    let next = starts.filter(|start| *start > workspace.key_span.start).min().unwrap_or(u32::MAX);
    !root.broken.iter().any(|at| (workspace.key_span.start..next).contains(at))
}

impl One<'_> {
    /// The files of the packages that patterns can reach, relative to the root, sorted; and a mistake for each pattern that
    /// reaches none but `//...`.
    pub fn files(&self, wanted: &[TargetPattern]) -> (Vec<Utf8PathBuf>, Vec<Diagnostic>) {
        let Options { checkout, .. } = self.options;
        let mut finder = Finder::new(&self.root, &self.settings.packages, &self.skip, None).of(checkout);
        let mut read = Read::default();
        for pattern in wanted.iter().filter(|pattern| !pattern.negative && !is_all(pattern) && self.readable) {
            let one = std::slice::from_ref(pattern);
            if pattern.external().is_some() || select(one, &mut finder, &mut Read::default()).is_empty() {
                read.diagnostics.push(Diagnostic::error(format!("`{pattern}` reaches no {FILE_NAME}")));
            }
        }
        let here: Vec<TargetPattern> = wanted.iter().filter(|it| it.external().is_none()).cloned().collect();
        let packages = if self.readable { select(&here, &mut finder, &mut read) } else { BTreeSet::new() };
        let file = |package: &PackagePath| self.settings.packages.join(package.as_str()).join(FILE_NAME);
        (packages.iter().map(file).collect(), read.diagnostics)
    }

    /// Reads the packages that the patterns can reach, and all that these need. The diagnostics are those of the root's
    /// file too; where one of them is an error, the workspace may lack what is wrong.
    pub fn load(&mut self, wanted: &[TargetPattern], sources: &mut Sources) -> Read {
        self.sources = std::mem::take(sources);
        self.files = self.sources.len();
        let mut read = if self.readable { self.packages(wanted) } else { Read::default() };
        *sources = std::mem::take(&mut self.sources);
        read.asks_git |= self.asks_git;
        read.diagnostics.extend(std::mem::take(&mut self.diagnostics));
        read
    }

    /// All rules that packages may use.
    fn known(&self) -> Known<'_> {
        Known { schemas: self.options.schemas, rules: &self.rules }
    }

    fn packages(&mut self, wanted: &[TargetPattern]) -> Read {
        let settings = self.settings.clone();
        let (root, skip) = (self.root.clone(), self.skip.clone());
        let Options { observed, checkout, .. } = self.options;
        let mut finder = Finder::new(&root, &settings.packages, &skip, observed).of(checkout);
        let mut read = Read::default();
        let here: Vec<TargetPattern> = wanted.iter().filter(|it| it.external().is_none()).cloned().collect();
        let mut wave = select(&here, &mut finder, &mut read);
        let mut seen: HashSet<PackagePath> = HashSet::new();
        while !wave.is_empty() {
            seen.extend(wave.iter().cloned());
            let needed = self.wave(wave, &mut read);
            let unseen = needed.into_iter().filter(|package| !seen.contains(package));
            wave = unseen.filter(|package| finder.exists(package) || !self.note_missing(package, &mut read)).collect();
        }
        self.judge_overrides(&mut finder, &mut seen, &mut read);
        published::add_absent(&mut read.packages, wanted, &settings, self.options.schemas);
        if read.missing {
            let mut all = finder.below(&PackagePath::default()).packages;
            all.retain(|package| !seen.contains(package));
            let mut aside = Read::default();
            self.wave(all.into_iter().collect(), &mut aside);
            read.others.extend(aside.packages);
        }
        read.packages.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        read.others.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        read
    }

    /// What is set of targets that are not there. Packages that nothing else asked for are read for it, and what is wrong
    /// in them is nobody's matter now.
    fn judge_overrides(&mut self, finder: &mut Finder<'_>, seen: &mut HashSet<PackagePath>, read: &mut Read) {
        if self.settings.overrides.is_empty() {
            return;
        }
        let set = self.settings.overrides.iter().map(|set| set.label.package.clone());
        let unread: BTreeSet<_> = set.filter(|package| !seen.contains(package) && finder.exists(package)).collect();
        seen.extend(unread.iter().cloned());
        let mut aside = Read::default();
        self.wave(unread, &mut aside);
        let known: Vec<&Package> = read.packages.iter().chain(&aside.packages).collect();
        read.diagnostics.extend(overrides::missing(&self.settings, &known, finder));
        read.others.extend(aside.packages);
    }

    /// Reads packages; gives the packages that their labels name.
    fn wave(&mut self, mut wave: BTreeSet<PackagePath>, read: &mut Read) -> BTreeSet<PackagePath> {
        let mut needed = BTreeSet::new();
        if self.settings.packages.as_str().is_empty() && wave.remove(&PackagePath::default()) {
            let rest = std::mem::take(&mut self.rest);
            let (package, diagnostics) = self.declare(rest, PackagePath::default());
            needed.extend(needs(&package));
            read.packages.push(package);
            read.diagnostics.extend(diagnostics);
        }
        let files: Vec<(PackagePath, FileId)> = wave.into_iter().zip((self.files..).map(FileId)).collect();
        self.files += u32::try_from(files.len()).unwrap_or(u32::MAX);
        let results: Vec<_> = files.into_par_iter().map(|(package, file)| self.file(package, file)).collect();
        for result in results {
            // In the order in which the files were numbered.
            self.sources.add(result.path, result.text);
            needed.extend(result.needs);
            read.asks_git |= result.asks_git;
            read.packages.push(result.package);
            read.diagnostics.extend(result.diagnostics);
        }
        needed
    }

    /// A package that is taken as published need not be there. Always true.
    fn note_missing(&self, package: &PackagePath, read: &mut Read) -> bool {
        read.missing |= !published::may_be_absent(package, &self.settings);
        true
    }

    fn file(&self, package: PackagePath, file: FileId) -> FileRead {
        let path = self.settings.folder(&package).join(FILE_NAME);
        self.options.observed.iter().for_each(|observed| observed.note(self.root.join(&path)));
        let text = read_text(self.options.checkout, &self.root.join(&path), path.as_str(), file);
        let mut parsed = match text.mistake {
            None => parse::parse(&text.text, file),
            Some(mistake) => Parsed { broken: vec![0], diagnostics: vec![mistake], ..Parsed::default() },
        };
        let mut asks_git = false;
        if text.text.contains("${") {
            let replaced = replace::replace(&mut parsed.table, &self.settings.vars);
            parsed.diagnostics.extend(replaced.diagnostics);
            asks_git = replaced.asks_git;
        }
        let (package, diagnostics) = self.declare(parsed, package);
        FileRead { path, text: text.text.into(), needs: needs(&package), package, diagnostics, asks_git }
    }

    /// A package's targets, with what is set of them laid over.
    fn declare(&self, mut parsed: Parsed, path: PackagePath) -> (Package, Vec<Diagnostic>) {
        let overrides = &self.settings.overrides;
        let applied = overrides::apply(&mut parsed.table, &path, overrides);
        let (mut package, mut diagnostics) = declare::declare(parsed, path, self.known());
        overrides::explain(&mut diagnostics, &applied);
        diagnostics.extend(overrides::unreachable(&package, overrides, &applied));
        published::mark(&mut package, &self.settings);
        build_base::imply(&mut package, &self.settings);
        (package, diagnostics)
    }
}

struct FileRead {
    path: Utf8PathBuf,
    text: Arc<str>,
    needs: BTreeSet<PackagePath>,
    package: Package,
    diagnostics: Vec<Diagnostic>,
    asks_git: bool,
}

/// What was read of a workspace's packages.
#[derive(Debug, Default)]
pub struct Read {
    /// The packages, by path.
    pub packages: Vec<Package>,
    /// Every mistake, in no order.
    pub diagnostics: Vec<Diagnostic>,
    /// The packages that nothing asked for, by path, where they were read for a suggestion.
    pub others: Vec<Package>,
    /// Whether a package that is no package was asked for: then all are read, for a suggestion.
    missing: bool,
    /// Whether any text waits for what git says.
    pub asks_git: bool,
}

/// The other packages that a package's labels name.
fn needs(package: &Package) -> BTreeSet<PackagePath> {
    let mut needed = BTreeSet::new();
    let mut last = &package.path;
    for used in package.targets.iter().flat_map(Target::followed) {
        // Labels in a row mostly name the same package, or their own: a comparison instead of a search.
        if used.label.package != package.path && used.label.package != *last {
            last = &used.label.package;
            needed.insert(last.clone());
        }
    }
    needed
}

/// Whether patterns reach all packages of this workspace.
pub fn is_whole(wanted: &[TargetPattern]) -> bool {
    wanted.iter().any(is_all) && !wanted.iter().any(|pattern| pattern.negative)
}

fn is_all(pattern: &TargetPattern) -> bool {
    matches!(pattern.packages(), PackageSelection::Below(top) if top.as_str().is_empty())
}

/// The packages that patterns reach, one after the other, a minus taking away.
fn select(wanted: &[TargetPattern], finder: &mut Finder<'_>, read: &mut Read) -> BTreeSet<PackagePath> {
    let mut selected = BTreeSet::new();
    for pattern in wanted {
        match pattern.packages() {
            _ if pattern.negative => selected.retain(|package| !pattern.covers(package)),
            PackageSelection::One(package) => {
                if selected.contains(&package) || finder.exists(&package) {
                    selected.insert(package);
                } else {
                    read.missing = true;
                }
            }
            PackageSelection::FirstOf(packages) => match packages.into_iter().find(|package| finder.exists(package)) {
                Some(package) => _ = selected.insert(package),
                None => read.missing = true,
            },
            PackageSelection::Below(top) => {
                let found = finder.below(&top);
                read.diagnostics.extend(found.diagnostics);
                selected.extend(found.packages);
            }
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROOT, Tree, expect};

    fn read(tree: &Tree, patterns: &[&str]) -> Vec<String> {
        tree.load(patterns).0.packages.iter().map(|package| package.path.to_string()).collect()
    }

    #[test]
    fn only_what_patterns_reach_and_need_is_read() {
        let tree = Tree::new(&[
            ROOT,
            ("a/layers.toml", "[image.a]\nbase = \"//b:b\"\n"),
            ("b/layers.toml", "[image.b]\nbase = \"//c/d\"\n"),
            ("c/d/layers.toml", "[image.d]\n"),
            ("other/layers.toml", "this is wrong\n"),
        ]);
        assert_eq!(read(&tree, &["//a"]), ["//a", "//b", "//c/d"]);
        assert_eq!(tree.load(&["//a"]).1, Vec::<String>::new());
        assert_eq!(read(&tree, &["//c/..."]), ["//c/d"]);
        assert_eq!(read(&tree, &["//c/d/e"]), Vec::<String>::new());
        assert!(!tree.load(&["//..."]).1.is_empty());
    }

    #[test]
    fn the_mistakes_of_all_files_come_in_one_report_by_file_and_place() {
        let tree = Tree::new(&[
            ("layers.toml", "[workspace]\nname = 1\n[files.r]\n"),
            ("b/layers.toml", "[files.y]\nsrc = []\n[oops.z]\n"),
            ("a/layers.toml", "[image.x]\nbase = \"//b:y\"\nlayer = []\n"),
        ]);
        expect(
            &tree.load(&["//a:x", "//:r"]).1,
            &[
                &["a/layers.toml:3:1", "did you mean `layers`?"],
                &["b/layers.toml:1:8", "`dest` is missing"],
                &["b/layers.toml:2:1", "did you mean `srcs`?"],
                &["b/layers.toml:3:2", "unknown rule `oops`"],
                &["layers.toml:2:8", "`name` takes a string, not an integer"],
                &["layers.toml:3:8", "`dest` is missing"],
            ],
        );
    }

    #[test]
    fn vars_are_replaced_in_every_file() {
        let tree = Tree::new(&[
            ("layers.toml", "[workspace]\nname = \"x\"\n[vars]\nbase = \"b\"\n[files.r]\ndest = \"/${vars.base}\"\n"),
            (
                "a/layers.toml",
                "[image.x]\nbase = \":${vars.base}\"\nenv = { A = \"${env.A}\", P = \"$PATH\" }\n[image.b]\n",
            ),
        ]);
        let (workspace, problems) = tree.load(&["//..."]);
        expect(&problems, &[&["`${env.A}` stands only in attributes of effects", "a/layers.toml:3:14", "^^^^^^^^"]]);
        let root = &workspace.packages[0].targets[0];
        assert_eq!(root.attributes().str("dest"), Some("/b"));
        let image = workspace.packages[1].target("x").unwrap();
        assert_eq!(image.labels[0].label.to_string(), "//a:b");
    }

    #[test]
    fn a_file_that_is_no_text_or_cannot_be_read_is_named() {
        let tree = Tree::new(&[ROOT, ("a/x", "")]);
        std::fs::write(tree.root.join("a/layers.toml"), b"# ok\n[files.\xff]\n").unwrap();
        expect(&tree.load(&["//..."]).1, &[&["the file is not UTF-8", "a/layers.toml:2:8"]]);
        expect(&Tree::new(&[]).load(&[]).1, &[&["`layers.toml` can't be read"]]);
    }
}
