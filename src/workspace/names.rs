//! What workspaces are called here: one that is named in several ways has one name, and others that stand for it.
//!
//! Knows no folder and no package.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::label::PackagePath;

/// Other names of workspaces, and those that they stand for.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<Arc<str>, Arc<str>>);

impl Names {
    /// Says that a name stands for another.
    pub fn alias(&mut self, name: Arc<str>, stands_for: Arc<str>) {
        self.0.insert(name, stands_for);
    }

    /// The package by the one name of its workspace.
    pub fn canonical(&self, package: &PackagePath) -> PackagePath {
        let mut canonical = package.clone();
        while let Some(next) = self.step(&canonical) {
            canonical = next;
        }
        canonical
    }

    /// Whether a package has another name than the one given.
    pub fn renames(&self, package: &PackagePath) -> bool {
        !self.0.is_empty() && self.step(package).is_some()
    }

    fn step(&self, package: &PackagePath) -> Option<PackagePath> {
        let external = package.external()?;
        let ends = external.match_indices('/').map(|(at, _)| at).chain([external.len()]);
        let found = ends.rev().find_map(|end| Some((end, self.0.get(&external[..end])?)));
        let (end, stands_for) = found?;
        Some(package.of(Some(&format!("{stands_for}{}", &external[end..]))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn what_has_several_names_has_one_that_counts() {
        let mut names = Names::default();
        names.alias("a/base".into(), "base".into());
        names.alias("base/deep".into(), "deep".into());
        let canonical = |text: &str| {
            let label = Label::parse(text, &PackagePath::default()).unwrap();
            names.canonical(&label.package).to_string()
        };
        for (name, counts) in [
            ("@a//p", "@a//p"),
            ("@a/base//p", "@base//p"),
            ("@a/base/deep//p", "@deep//p"),
            ("@a/base/other//p", "@base/other//p"),
            ("@a/basement//p", "@a/basement//p"),
            ("//p", "//p"),
        ] {
            assert_eq!(canonical(name), counts);
        }
    }
}
