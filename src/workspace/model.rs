//! What a load gives: packages and the targets that they declare.
//!
//! Plain values, found by binary search; knows nothing of files.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::attributes::Attributes;
use super::check::{LabelUse, Naming};
use super::lock_debs::LockedDebs;
use super::lock_file::{LockFile, LockedImage};
use super::names::Names;
use super::schema::RuleSchema;
use super::settings::Settings;
use super::template::{Origin, Rules};
use super::value::Table;
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};
use crate::source_root::{Elsewhere, SourceRoot};
use crate::span::{Sources, Span};

/// A workspace, as far as it was wanted.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its folder.
    pub root: Utf8PathBuf,
    /// What holds for all of it.
    pub settings: Settings,
    /// What is locked; empty where there is no lock file.
    pub lock: LockFile,
    /// The rules of its own.
    pub rules: Rules,
    /// The texts that spans point into.
    pub sources: Sources,
    /// The packages that were read, by path.
    pub packages: Vec<Package>,
    /// The packages that nothing asked for, by path, whatever is wrong in them: read only where a pattern or a label
    /// named one that doesn't exist, for a suggestion; else empty.
    pub others: Vec<Package>,
    /// Whether any text waits for what git says: see [`super::stamp`].
    pub asks_git: bool,
    /// The other workspaces that are built with it, whose packages are among these, by name.
    pub beside: Vec<Beside>,
    /// Their other names.
    pub names: Names,
}

/// Another workspace, built from its folder.
#[derive(Debug, Clone)]
pub struct Beside {
    /// What it is called here, which its packages have as [`PackagePath::external`].
    pub name: Arc<str>,
    /// Its folder, relative to the root of this one.
    pub folder: Utf8PathBuf,
    /// Its folder.
    pub root: Utf8PathBuf,
    /// What holds for all of it.
    pub settings: Settings,
    /// What is locked there.
    pub lock: LockFile,
}

/// The workspace that a package is of, or is taken as published by.
#[derive(Debug, Clone, Copy)]
pub struct Home<'w> {
    /// Its place in [`Workspace::beside`]; `None`: it is the workspace itself.
    pub beside: Option<usize>,
    /// What it is called here; `None` of the workspace itself.
    pub name: Option<&'w str>,
    /// Its folder, relative to the workspace's root: empty for that itself.
    pub folder: &'w Utf8Path,
    /// Its folder.
    pub root: &'w Utf8Path,
    /// What holds for all of it.
    pub settings: &'w Settings,
    /// What is locked there.
    pub lock: &'w LockFile,
}

impl Home<'_> {
    /// What a label is called there; a label that it has no name for stays.
    pub fn local(&self, label: &Label) -> Label {
        self.name.and_then(|name| label.seen_from(name)).unwrap_or_else(|| label.clone())
    }

    /// Where its sources stand.
    pub fn sources(&self) -> SourceRoot {
        SourceRoot::new(self.root, self.settings.paths.iter().map(|path| path.place.clone()).collect())
    }

    /// The folder of a package, relative to the root of the workspace that is built.
    pub fn folder_of(&self, package: &PackagePath) -> Utf8PathBuf {
        self.folder.join(self.settings.folder(package))
    }
}

/// The workspace beside this one that a name is of: its own, or of one that is taken as published there; `None`: it is of
/// this one. `known`: the names of those beside it.
pub fn owner<'n>(external: &'n str, known: &[Arc<str>]) -> Option<&'n str> {
    let is_known = |name: &&str| known.iter().any(|known| **known == **name);
    let outer = || external.rsplit_once('/').map(|(outer, _)| outer);
    Some(external).filter(is_known).or_else(|| outer().filter(is_known))
}

impl Workspace {
    /// A package that was read; `None` for any other.
    pub fn package(&self, path: &PackagePath) -> Option<&Package> {
        self.position(path).map(|at| &self.packages[at])
    }

    /// Where in [`Workspace::packages`] a package stands, whatever name its workspace is given.
    pub fn position(&self, path: &PackagePath) -> Option<usize> {
        if self.names.renames(path) {
            return self.position(&self.names.canonical(path));
        }
        self.packages.binary_search_by(|package| package.path.cmp(path)).ok()
    }

    /// Where the sources stand, those of the workspaces beside this one too: by their paths from its root.
    pub fn source_root(&self) -> SourceRoot {
        let own = self.settings.paths.iter().map(|path| path.place.clone());
        let beside = self.beside.iter().flat_map(|it| it.settings.paths.iter().map(|path| (&it.folder, &path.place)));
        let moved = |(folder, place): (&Utf8PathBuf, &Elsewhere)| {
            let Elsewhere { folder: below, from } = place;
            Elsewhere { folder: folder.join(below), from: from.clone() }
        };
        SourceRoot::new(&self.root, own.chain(beside.map(moved)).collect())
    }

    /// The workspace that a package is of. What is taken as published is of the one that says where from.
    pub fn home(&self, package: &PackagePath) -> Home<'_> {
        let exact = |name: &str| self.beside.iter().position(|beside| *beside.name == *name);
        let outer = |name: &str| name.rsplit_once('/').and_then(|(outer, _)| exact(outer));
        let canonical = self.names.canonical(package);
        self.home_at(canonical.external().and_then(|name| exact(name).or_else(|| outer(name))))
    }

    /// The workspace itself, or the one at a place in [`Workspace::beside`].
    pub fn home_at(&self, beside: Option<usize>) -> Home<'_> {
        let Some(Beside { name, folder, root, settings, lock }) = beside.map(|at| &self.beside[at]) else {
            let Workspace { root, settings, lock, .. } = self;
            return Home { beside: None, name: None, folder: Utf8Path::new(""), root, settings, lock };
        };
        Home { beside, name: Some(name), folder, root, settings, lock }
    }

    /// Whether a package is of another workspace that is built from its folder.
    pub fn is_beside(&self, package: &PackagePath) -> bool {
        let canonical = self.names.canonical(package);
        canonical.external().is_some_and(|name| self.beside.iter().any(|beside| *beside.name == *name))
    }

    /// What is locked of an image in the workspace that it is of; `published`: it is taken so.
    pub fn locked(&self, label: &Label, published: bool) -> Option<&LockedImage> {
        let home = self.home(&label.package);
        let local = home.local(label);
        home.lock.image(&local, home.settings.lock_section(&local).filter(|_| published))
    }

    /// The packages that a `debs` target is locked to in the workspace that it is of.
    pub fn locked_debs(&self, label: &Label) -> Option<&LockedDebs> {
        let home = self.home(&label.package);
        home.lock.debs.get(&home.local(label))
    }

    /// A target of a package that was read.
    pub fn target(&self, label: &Label) -> Option<&Target> {
        self.package(&label.package)?.target(&label.name)
    }
}

/// A folder that declares targets.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its path below the folder of packages.
    pub path: PackagePath,
    /// Its targets by name.
    pub targets: Vec<Target>,
    /// Whether the file's syntax was right, so that what is not among the targets is not declared.
    pub complete: bool,
}

impl Package {
    /// The target of a name; `None` where the package declares none.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.position(name).map(|at| &self.targets[at])
    }

    /// Where in [`Package::targets`] a name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.targets.binary_search_by(|target| (*target.label.name).cmp(name)).ok()
    }
}

/// One declared target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub label: Label,
    /// What it is an instance of.
    pub rule: &'static RuleSchema,
    /// Where its name stands, in `[rule.name]`; of a target that a rule made, in the call of that rule.
    pub span: Span,
    /// The workspace's rule that made it; `None` for a target that is written as it is.
    pub origin: Option<Arc<Origin>>,
    /// What is written.
    pub table: Table,
    /// The labels in it, in written order.
    pub labels: Vec<LabelUse>,
    /// Whether the profile takes it as published: an image that is not built, so that it needs nothing.
    pub published: bool,
    /// Whether it is taken as this machine built it last, and needs nothing either. Never together with
    /// [`Target::published`].
    pub local: bool,
    /// Whether it fits its rule's schema. Of a workspace that was loaded without an error, every target does.
    pub valid: bool,
}

impl Target {
    /// The attributes, to be read by name.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.table, &self.label.package)
    }

    /// The labels whose packages are read for it.
    pub fn followed(&self) -> impl Iterator<Item = &LabelUse> {
        self.labels.iter().filter(|used| used.naming != Naming::Aside)
    }

    /// Whether it is made of what is written, and not taken as it is.
    pub fn is_built(&self) -> bool {
        !self.published && !self.local
    }

    /// A mistake in it: where a rule made it, with the caller's place first and the rule's line second.
    pub fn traced(&self, diagnostic: Diagnostic) -> Diagnostic {
        self.origin.iter().fold(diagnostic, |diagnostic, origin| origin.traced(diagnostic, self.span))
    }

    /// How it came to be, for a message at its place.
    pub fn declared(&self) -> String {
        match &self.origin {
            Some(origin) => format!("the rule `{}` makes it of this, with the rule `{}`", origin.rule, self.rule.name),
            None => format!("declared here with the rule `{}`", self.rule.name),
        }
    }
}
