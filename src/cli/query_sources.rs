//! The source files of targets, by the names that they have in their packages: globs expanded, no file looked at.
//!
//! A glob that names nothing is no matter of a query; whoever builds is told.

use camino::Utf8Path;

use crate::rules::source_attributes;
use crate::workspace::Target;
use crate::workspace::globs::{Glob, SourceTree, is_glob};

/// What each attribute of a target names, in written order. `directory`: the package's folder, relative to the root.
pub fn files(target: &Target, directory: &Utf8Path, tree: &SourceTree<'_>) -> Vec<(&'static str, String)> {
    let lists = source_attributes::globs(target.rule.name, target.attributes());
    let each = lists.into_iter().flat_map(|(attribute, globs)| {
        let names = expand(&globs, directory, tree);
        names.into_iter().map(move |name| (attribute, name))
    });
    each.collect()
}

fn expand(written: &[&str], directory: &Utf8Path, tree: &SourceTree<'_>) -> Vec<String> {
    let excludes: Vec<Glob> =
        written.iter().filter(|text| text.starts_with('!')).filter_map(|text| Glob::new(text).ok()).collect();
    let mut names = Vec::new();
    for text in written.iter().filter(|text| !text.starts_with('!')) {
        let Ok(glob) = Glob::new(text) else { continue };
        if excludes.is_empty() && !is_glob(text) {
            // As Bazel does: what is named is a source, whether it is there or not.
            names.push(text.strip_prefix("./").unwrap_or(text).to_owned());
            continue;
        }
        let globs: Vec<Glob> = std::iter::once(glob).chain(excludes.iter().cloned()).collect();
        let found = tree.expand(directory, &globs).unwrap_or_default();
        names.extend(found.iter().filter_map(|path| path.strip_prefix(directory).ok()).map(|path| path.to_string()));
    }
    names
}
