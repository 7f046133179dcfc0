//! The targets that patterns mean.

use super::suggest::{self, Missing};
use super::target_graph::{TargetGraph, TargetId};
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};
use crate::pattern::{Scope, TargetPattern};
use crate::workspace::Package;

/// What a list of patterns means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The targets in the order of their labels; empty for an empty list, or when a minus took all away.
    pub targets: Vec<TargetId>,
    /// What may surprise about the meaning.
    pub warnings: Vec<Diagnostic>,
}

/// A pattern that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A target that its package does not declare.
    #[error("{0}")]
    NoSuchTarget(Missing),
    /// A package that does not exist.
    #[error("{0}")]
    NoSuchPackage(Missing),
    /// A wildcard that no target fits: an exit code of its own.
    #[error("no targets found beneath `{pattern}`")]
    NothingBeneath {
        /// The pattern as written.
        pattern: String,
    },
}

impl SelectError {
    /// The error as it is shown.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            SelectError::NoSuchTarget(missing) | SelectError::NoSuchPackage(missing) => {
                missing.help.iter().fold(diagnostic, Diagnostic::help)
            }
            SelectError::NothingBeneath { .. } => diagnostic,
        }
    }
}

impl TargetGraph<'_> {
    /// The targets that a list of patterns means, applied left to right. The graph must be of a workspace that was
    /// loaded for these patterns. Reports every pattern that means nothing; a negative one may.
    pub fn select(&self, patterns: &[TargetPattern]) -> Result<Selection, Vec<SelectError>> {
        let mut picked = Picked { chosen: vec![false; self.len()], warnings: Vec::new() };
        let mut errors = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            match self.apply(pattern, &mut picked) {
                Err(error) if !pattern.negative && !self.taken_away(pattern, &patterns[index..]) => errors.push(error),
                _ => {}
            }
        }
        let Picked { chosen, warnings } = picked;
        let targets = self.ids().filter(|id| chosen[id.index()]).collect();
        if errors.is_empty() { Ok(Selection { targets, warnings }) } else { Err(errors) }
    }

    fn apply(&self, pattern: &TargetPattern, picked: &mut Picked) -> Result<(), SelectError> {
        let nothing = || SelectError::NothingBeneath { pattern: pattern.text.clone() };
        let chosen = !pattern.negative;
        if let Scope::Package(package, _) | Scope::Below(package) = &pattern.scope
            && let Some(missing) = suggest::unknown_inside(self.workspace(), package)
        {
            return Err(SelectError::NoSuchPackage(missing));
        }
        match &pattern.scope {
            Scope::Target(label) => picked.set(self.one(label)?, chosen),
            Scope::FirstOf(labels) => picked.set(self.first(labels)?, chosen),
            Scope::Package(package, wildcard) => {
                let index = self.workspace().position(package).ok_or_else(|| self.no_package(package))?;
                let declared = &self.workspace().packages[index];
                if let Some(position) = declared.position(wildcard) {
                    picked.set(self.nth(index, position), chosen);
                    picked.warnings.push(literal(pattern, declared));
                } else if declared.targets.is_empty() {
                    return Err(nothing());
                } else {
                    self.set_package(index, picked, chosen);
                }
            }
            Scope::Below(top) => {
                let top = self.workspace().names.canonical(top);
                let packages =
                    || self.workspace().packages.iter().enumerate().filter(|(_, one)| one.path.is_below(&top));
                packages().for_each(|(index, _)| self.set_package(index, picked, chosen));
                if packages().all(|(_, package)| package.targets.is_empty()) {
                    return Err(nothing());
                }
            }
        }
        Ok(())
    }

    fn set_package(&self, index: usize, picked: &mut Picked, chosen: bool) {
        let count = self.workspace().packages[index].targets.len();
        (0..count).for_each(|position| picked.set(self.nth(index, position), chosen));
    }

    fn one(&self, label: &Label) -> Result<TargetId, SelectError> {
        self.id(label).ok_or_else(|| {
            let missing = suggest::missing(self.workspace(), label);
            match self.workspace().package(&label.package) {
                Some(_) => SelectError::NoSuchTarget(missing),
                None => SelectError::NoSuchPackage(missing),
            }
        })
    }

    /// The first whose package exists; when none does, the last is what is missed.
    fn first(&self, labels: &[Label]) -> Result<TargetId, SelectError> {
        let exists = |label: &&Label| self.workspace().position(&label.package).is_some();
        match labels.iter().find(exists).or(labels.last()) {
            Some(label) => self.one(label),
            None => Err(SelectError::NothingBeneath { pattern: String::new() }),
        }
    }

    fn no_package(&self, package: &PackagePath) -> SelectError {
        SelectError::NoSuchPackage(suggest::no_package(self.workspace(), package, None))
    }

    /// Whether what a pattern means is taken away again by a later one, so that its packages weren't even read.
    fn taken_away(&self, pattern: &TargetPattern, later: &[TargetPattern]) -> bool {
        let covered = |package: &PackagePath| later.iter().any(|later| later.negative && later.covers(package));
        match &pattern.scope {
            Scope::Target(label) => covered(&label.package),
            Scope::FirstOf(labels) => labels.iter().any(|label| covered(&label.package)),
            Scope::Package(package, _) => covered(package),
            Scope::Below(top) => {
                covered(top)
                    || later.iter().any(
                        |later| matches!(&later.scope, Scope::Below(below) if later.negative && below.is_below(top)),
                    )
            }
        }
    }
}

struct Picked {
    chosen: Vec<bool>,
    warnings: Vec<Diagnostic>,
}

impl Picked {
    fn set(&mut self, id: TargetId, chosen: bool) {
        self.chosen[id.index()] = chosen;
    }
}

fn literal(pattern: &TargetPattern, package: &Package) -> Diagnostic {
    let name = pattern.text.rsplit(':').next().unwrap_or_default();
    Diagnostic::warning(format!("`{}` means the one target that is named `{name}`", pattern.text))
        .help(format!("`{}:*` means every target of the package", package.path))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;

    fn tree() -> Tree {
        Tree::new(&[
            ("layers.toml", "[workspace]\nname = \"x\"\npackages = \"images\"\n"),
            ("images/layers.toml", "[files.top]\ndest = \"/\"\n"),
            ("images/foo/layers.toml", "[files.foo]\ndest = \"/\"\n[files.b]\ndest = \"/\"\n"),
            ("images/foo/bar/layers.toml", "[files.c]\ndest = \"/\"\n[files.all]\ndest = \"/\"\n"),
            ("images/foox/layers.toml", "[files.d]\ndest = \"/\"\n"),
            ("images/empty/layers.toml", ""),
            ("images/broken/layers.toml", "[files.x]\nsrc = 1\n"),
        ])
    }

    fn selected(patterns: &[&str]) -> Vec<String> {
        tree().select("foo", patterns)
    }

    #[test]
    fn wildcards_take_packages_and_not_their_namesakes() {
        assert_eq!(selected(&["//foo/..."]), ["//foo:b", "//foo:foo", "//foo/bar:all", "//foo/bar:c"]);
        assert_eq!(selected(&["//foo:all"]), ["//foo:b", "//foo:foo"]);
        assert_eq!(selected(&["..."]), selected(&["//foo/..."]));
        assert_eq!(selected(&["//foo"]), ["//foo:foo"]);
        assert_eq!(selected(&["//:top", ":b"]), ["//:top", "//foo:b"]);
    }

    #[test]
    fn a_minus_takes_away_from_what_stands_before_it_only() {
        assert_eq!(selected(&["//foo/...", "-//foo/bar/..."]), ["//foo:b", "//foo:foo"]);
        assert_eq!(selected(&["//foo/...", "-//foo/bar:*"]), ["//foo:b", "//foo:foo"]);
        assert_eq!(selected(&["-//foo:b", "//foo:b"]), ["//foo:b"]);
        assert_eq!(selected(&["//foo:b", "-//foo/..."]), Vec::<String>::new());
    }

    #[test]
    fn a_package_that_is_taken_away_whole_is_not_read() {
        assert_eq!(selected(&["//...", "-//broken/...", "-//foo/..."]), ["//:top", "//foox:d"]);
    }

    #[test]
    fn relative_paths_mean_the_package_that_exists() {
        assert_eq!(tree().select("", &["foo/bar/c"]), ["//foo/bar:c"]);
        assert_eq!(tree().select("", &["foo"]), ["//foo:foo"]);
        assert_eq!(selected(&["b"]), ["//foo:b"]);
    }

    #[test]
    fn a_target_named_as_the_wildcard_wins_with_a_warning() {
        assert_eq!(
            selected(&["//foo/bar:all"]),
            ["//foo/bar:all", "warning: `//foo/bar:all` means the one target that is named `all`"]
        );
        assert_eq!(selected(&["//foo/bar:*"]), ["//foo/bar:all", "//foo/bar:c"]);
    }

    #[test]
    fn what_is_missing_is_told_apart_and_all_of_it_is_told() {
        assert_eq!(
            selected(&["//foo:bb", "//fo:x", "//none/...", "//empty:all", "nowhere/at/all"]),
            [
                "no such target `//foo:bb`: `bb` is not declared in the package `//foo`; did you mean `//foo:b`?",
                "no such package `//fo`: there is no `images/fo/layers.toml`; did you mean `//foo:b`?",
                "no targets found beneath `//none/...`",
                "no targets found beneath `//empty:all`",
                "no such package `//foo/nowhere/at`: there is no `images/foo/nowhere/at/layers.toml`; a package is a \
                 folder with a layers.toml: add `images/foo/nowhere/at/layers.toml`, or mend the label",
            ]
        );
    }
}
