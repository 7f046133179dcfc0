//! What a load gives: packages and the targets that they declare.
//!
//! Plain values, found by binary search; knows nothing of files.

use std::sync::Arc;

use camino::Utf8PathBuf;

use super::attributes::Attributes;
use super::check::LabelUse;
use super::lock_file::LockFile;
use super::schema::RuleSchema;
use super::settings::Settings;
use super::template::{Origin, Rules};
use super::value::Table;
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};
use crate::source_root::SourceRoot;
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
}

impl Workspace {
    /// A package that was read; `None` for any other.
    pub fn package(&self, path: &PackagePath) -> Option<&Package> {
        self.position(path).map(|at| &self.packages[at])
    }

    /// Where in [`Workspace::packages`] a package stands.
    pub fn position(&self, path: &PackagePath) -> Option<usize> {
        self.packages.binary_search_by(|package| package.path.cmp(path)).ok()
    }

    /// Where the sources stand.
    pub fn source_root(&self) -> SourceRoot {
        SourceRoot::new(&self.root, self.settings.paths.iter().map(|path| path.place.clone()).collect())
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
