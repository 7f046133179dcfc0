//! The source files of targets, by the names that they have in their packages: globs expanded, no file looked at.
//!
//! A glob that names nothing is no matter of a query; whoever builds is told. A folder that can't be read is: what stands in
//! it is not known.

use camino::Utf8Path;

use crate::diagnostic::Diagnostic;
use crate::rules::source_attributes;
use crate::workspace::globs::{Glob, GlobError, SourceTree, is_glob};
use crate::workspace::{Spanned, Target};

/// What a target names.
#[derive(Default)]
pub struct Named {
    /// The files, each with the attribute that names it, in written order.
    pub files: Vec<(&'static str, String)>,
    /// Of globs whose folders can't be read.
    pub unread: Vec<Diagnostic>,
}

/// What each attribute of a target names. `directory`: the package's folder, relative to the root.
pub fn files(target: &Target, directory: &Utf8Path, tree: &SourceTree<'_>) -> Named {
    let mut named = Named::default();
    for (attribute, globs) in source_attributes::globs(target.rule.name, target.attributes()) {
        expand(&globs, directory, tree, &mut |found| match found {
            Ok(name) => named.files.push((attribute, name)),
            Err(unread) => named.unread.push(target.traced(unread)),
        });
    }
    named
}

fn expand(
    written: &[Spanned<&str>],
    directory: &Utf8Path,
    tree: &SourceTree<'_>,
    tell: &mut dyn FnMut(Result<String, Diagnostic>),
) {
    let is_taken_away = |text: &&Spanned<&str>| text.value.starts_with('!');
    let excludes: Vec<Glob> =
        written.iter().filter(is_taken_away).filter_map(|text| Glob::new(text.value).ok()).collect();
    for text in written.iter().filter(|text| !is_taken_away(text)) {
        let Ok(glob) = Glob::new(text.value) else { continue };
        if excludes.is_empty() && !is_glob(text.value) {
            // As Bazel does: what is named is a source, whether it is there or not.
            tell(Ok(text.value.strip_prefix("./").unwrap_or(text.value).to_owned()));
            continue;
        }
        let globs: Vec<Glob> = std::iter::once(glob).chain(excludes.iter().cloned()).collect();
        match tree.expand(directory, &globs) {
            Ok(found) => {
                let names = found.iter().filter_map(|path| path.strip_prefix(directory).ok());
                names.for_each(|path| tell(Ok(path.to_string())));
            }
            Err(errors) => {
                errors.into_iter().filter_map(|(_, error)| unread(&error, *text)).for_each(|it| tell(Err(it)))
            }
        }
    }
}

/// What to say of a glob whose folder can't be read; `None` for any other mistake.
fn unread(error: &GlobError, text: Spanned<&str>) -> Option<Diagnostic> {
    matches!(error, GlobError::Unreadable { .. }).then(|| Diagnostic::error(error.to_string()).at(text.span, ""))
}
