//! Reading a workspace: the root's file, then the packages that are wanted and those that their labels lead to.
//!
//! In waves, each read in parallel; files are numbered in the order of their paths within a wave. Reports the mistakes
//! of all files that it reads, and stops at none. Whether a label's target exists is the graph's matter.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::discover::Finder;
use super::parse::{self, Parsed};
use super::root::FILE_NAME;
use super::schema::RuleSchema;
use super::settings::Settings;
use super::{Package, Workspace, declare, dollars, read};
use crate::diagnostic::Diagnostic;
use crate::label::PackagePath;
use crate::pattern::{PackageSelection, TargetPattern};
use crate::span::{FileId, Sources, Span};

/// What does not stand in any file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// The rules.
    pub schemas: &'a [&'static RuleSchema],
    /// The chosen profile.
    pub profile: Option<&'a str>,
    /// Absolute folders in which no package is looked for, such as the store.
    pub skip: &'a [Utf8PathBuf],
}

/// A workspace whose settings are known and whose packages are still to be read.
#[derive(Debug)]
pub struct Opened<'a> {
    root: Utf8PathBuf,
    options: Options<'a>,
    sources: Sources,
    /// How many files have a number.
    files: u32,
    settings: Settings,
    /// The root's file without the settings.
    rest: Parsed,
    diagnostics: Vec<Diagnostic>,
    /// Whether the packages' files can be judged at all.
    readable: bool,
}

const ROOT_FILE: FileId = FileId(0);

/// Reads a workspace's settings. `root` is the folder that [`super::root::find_root`] gives.
pub fn open<'a>(root: &Utf8Path, options: Options<'a>) -> Opened<'a> {
    let text = read_text(&root.join(FILE_NAME), FILE_NAME, ROOT_FILE);
    let mut sources = Sources::default();
    sources.add(FILE_NAME.into(), text.text.as_str().into());
    let mut rest = parse::parse(&text.text, ROOT_FILE);
    let mut diagnostics = text.mistake.map_or_else(|| std::mem::take(&mut rest.diagnostics), |mistake| vec![mistake]);
    let readable = match read::wrong_version(&rest.table) {
        Some(wrong) if diagnostics.is_empty() => {
            diagnostics.push(wrong);
            false
        }
        _ => true,
    };
    let top = Span::new(ROOT_FILE, 0..text.text.find('\n').unwrap_or(text.text.len()));
    let (settings, mistakes) = read::read(&mut rest.table, root, options.profile, top);
    if readable && rest.broken.is_empty() {
        diagnostics.extend(mistakes);
        diagnostics.extend(dollars::replace(&mut rest.table, &settings.vars));
        let in_root = settings.packages.as_str().is_empty();
        diagnostics.extend(declare::strangers(&rest.table, options.schemas, (!in_root).then_some(&settings.packages)));
    }
    Opened { root: root.to_owned(), options, sources, files: 1, settings, rest, diagnostics, readable }
}

impl Opened<'_> {
    /// The settings, which relative patterns need.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads the packages that the patterns can reach, and all that these need. The diagnostics are those of the root's
    /// file too, sorted by file and place; where one of them is an error, the workspace may lack what is wrong.
    pub fn load(mut self, wanted: &[TargetPattern]) -> (Workspace, Vec<Diagnostic>) {
        let packages = if self.readable { self.packages(wanted) } else { Read::default() };
        let Opened { root, sources, settings, mut diagnostics, .. } = self;
        diagnostics.extend(packages.diagnostics);
        sort(&mut diagnostics, &sources);
        let workspace = Workspace { root, settings, sources, packages: packages.packages, known: packages.known };
        (workspace, diagnostics)
    }

    fn packages(&mut self, wanted: &[TargetPattern]) -> Read {
        let settings = self.settings.clone();
        let root = self.root.clone();
        let mut finder = Finder::new(&root, &settings.packages, self.options.skip);
        let mut read = Read::default();
        let mut wave = select(wanted, &mut finder, &mut read);
        let mut seen: HashSet<PackagePath> = HashSet::new();
        while !wave.is_empty() {
            seen.extend(wave.iter().cloned());
            let needed = self.wave(wave, &mut read);
            let unseen = needed.into_iter().filter(|package| !seen.contains(package));
            wave = unseen.filter(|package| finder.exists(package) || !note_missing(&mut read.missing)).collect();
        }
        if read.missing {
            read.known = finder.below(&PackagePath::default()).packages;
        }
        read.known.extend(seen);
        read.known.sort_unstable();
        read.known.dedup();
        read.packages.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        read
    }

    /// Reads packages; gives the packages that their labels name.
    fn wave(&mut self, wave: BTreeSet<PackagePath>, read: &mut Read) -> BTreeSet<PackagePath> {
        let mut files = Vec::with_capacity(wave.len());
        for package in wave {
            if self.settings.packages.as_str().is_empty() && package.as_str().is_empty() {
                let (package, diagnostics) =
                    declare::declare(std::mem::take(&mut self.rest), package, self.options.schemas);
                read.take(package, diagnostics);
            } else {
                let path = self.settings.folder(&package).join(FILE_NAME);
                files.push((package, path, FileId(self.files)));
                self.files += 1;
            }
        }
        let results: Vec<_> =
            files.into_par_iter().map(|(package, path, file)| self.file(package, path, file)).collect();
        for FileRead { path, text, package, diagnostics } in results {
            // In the order in which the files were numbered.
            self.sources.add(path, text);
            read.take(package, diagnostics);
        }
        std::mem::take(&mut read.needed)
    }

    fn file(&self, package: PackagePath, path: Utf8PathBuf, file: FileId) -> FileRead {
        let text = read_text(&self.root.join(&path), path.as_str(), file);
        let mut parsed = match text.mistake {
            None => parse::parse(&text.text, file),
            Some(mistake) => Parsed { broken: vec![0], diagnostics: vec![mistake], ..Parsed::default() },
        };
        if text.text.contains("${") {
            let mistakes = dollars::replace(&mut parsed.table, &self.settings.vars);
            parsed.diagnostics.extend(mistakes);
        }
        let (package, diagnostics) = declare::declare(parsed, package, self.options.schemas);
        FileRead { path, text: text.text.into(), package, diagnostics }
    }
}

struct FileRead {
    path: Utf8PathBuf,
    text: Arc<str>,
    package: Package,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Default)]
struct Read {
    packages: Vec<Package>,
    diagnostics: Vec<Diagnostic>,
    needed: BTreeSet<PackagePath>,
    known: Vec<PackagePath>,
    /// Whether a package that is no package was asked for: then all are listed, for a suggestion.
    missing: bool,
}

impl Read {
    fn take(&mut self, package: Package, diagnostics: Vec<Diagnostic>) {
        let mut last = &package.path;
        for label in package.targets.iter().flat_map(|target| &target.labels).map(|used| &used.label) {
            // Neighbouring labels mostly name the same package: one comparison instead of a search.
            if label.package != *last {
                last = &label.package;
                if *last != package.path && !self.needed.contains(last) {
                    self.needed.insert(last.clone());
                }
            }
        }
        self.packages.push(package);
        self.diagnostics.extend(diagnostics);
    }
}

fn note_missing(missing: &mut bool) -> bool {
    *missing = true;
    true
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

struct Text {
    text: String,
    mistake: Option<Diagnostic>,
}

/// A file's text; what can't be read is an empty text and a mistake.
fn read_text(path: &Utf8Path, shown: &str, file: FileId) -> Text {
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Text { text, mistake: None },
        Ok(Err(error)) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let span = Span::new(file, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
            Text { text, mistake: Some(Diagnostic::error("the file is not UTF-8").at(span, "this byte is not text")) }
        }
        Err(error) => {
            Text { text: String::new(), mistake: Some(Diagnostic::error(format!("`{shown}` can't be read: {error}"))) }
        }
    }
}

/// By file and place, those without a place first; what is found twice is said once.
fn sort(diagnostics: &mut Vec<Diagnostic>, sources: &Sources) {
    let place = |diagnostic: &Diagnostic| {
        diagnostic.primary.as_ref().map(|place| (sources.get(place.span.file).path.clone(), place.span.start))
    };
    diagnostics.sort_by_cached_key(place);
    diagnostics.dedup();
}
