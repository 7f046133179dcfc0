//! `[paths]` of the developer's own file: folders of the workspace that this machine has elsewhere.
//!
//! Checked here against the folders that there are; who reads sources below them is not known here.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::root::FILE_NAME;
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Value};
use crate::diagnostic::Diagnostic;
use crate::source_root::Elsewhere;
use crate::span::Span;

/// The key.
pub const PATHS: Attribute = optional(
    "paths",
    Type::Map(&Type::String),
    "folders of the workspace whose files are taken from elsewhere on this machine, each with that folder's path",
);

/// A folder that is taken from elsewhere, and where that is said.
#[derive(Debug, Clone)]
pub struct OwnPath {
    /// The folder and its place.
    pub place: Elsewhere,
    /// The place as it is written, made absolute.
    pub written: Utf8PathBuf,
    /// The folder's key.
    pub span: Span,
}

/// Reads the table; all that is wrong is told. `root`: the workspace's folder.
pub fn read(value: &Value, root: &Utf8Path) -> (Vec<OwnPath>, Vec<Diagnostic>) {
    let (mut paths, mut mistakes) = (Vec::new(), Vec::new());
    // What is no table, or no text, the schema has told.
    for entry in value.as_table().into_iter().flat_map(|table| &table.0) {
        let Some(written) = entry.value.as_str() else { continue };
        match one(entry, written, root) {
            Ok(path) => paths.push(path),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    (paths, mistakes)
}

fn one(entry: &Entry, written: &str, root: &Utf8Path) -> Result<OwnPath, Diagnostic> {
    let folder = Utf8Path::new(&entry.key);
    let below = folder.components().all(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir));
    let plainly: Utf8PathBuf = folder.components().filter(|part| *part != Utf8Component::CurDir).collect();
    if plainly.as_str().is_empty() || !below {
        let wrong = Diagnostic::error(format!("`{folder}` is no folder below the workspace's root"));
        return Err(wrong.at(entry.key_span, "").help("write it relative to the root, without `.` and `..`"));
    }
    // Else one folder could be named twice, and who asks for it by its plain name would not find it.
    if plainly.as_str() != folder.as_str() {
        let wrong = Diagnostic::error(format!("`{folder}` is another spelling of `{plainly}`"));
        return Err(wrong.at(entry.key_span, "").help(format!("write it as `{plainly}`")));
    }
    let above = folder.parent().unwrap_or(Utf8Path::new(""));
    if !root.join(above).is_dir() {
        let wrong = Diagnostic::error(format!("the workspace has no folder `{above}`"));
        return Err(wrong.at(entry.key_span, "so nothing of it can be taken from elsewhere"));
    }
    let written = root.join(written);
    let at = |wrong: Diagnostic| wrong.at(entry.value.span, format!("for `{folder}`"));
    let from = written.canonicalize_utf8().map_err(|error| {
        let wrong = Diagnostic::error(format!("the folder {written} can't be read: {error}"));
        at(wrong).help("mend the path, or take the line out: then the workspace's own folder counts")
    })?;
    if !from.is_dir() {
        return Err(at(Diagnostic::error(format!("{from} is not a folder"))));
    }
    if from.join(FILE_NAME).is_file() && !root.join(folder).join(FILE_NAME).is_file() {
        let wrong = Diagnostic::error(format!("{from} has a {FILE_NAME}, and packages are not taken from elsewhere"));
        return Err(
            at(wrong).help("take a folder within it, or have the package in the workspace and its sources there")
        );
    }
    Ok(OwnPath { place: Elsewhere { folder: folder.to_owned(), from }, written, span: entry.key_span })
}

/// What is said of the key where it can't stand.
pub fn misplaced(key: Span) -> Diagnostic {
    Diagnostic::error("`paths` can stand in layers.local.toml only")
        .at(key, "")
        .help("a folder outside of the workspace is on one machine; no other would build the same")
}

#[cfg(test)]
mod tests {
    use super::super::load::Options;
    use super::super::testing::{Tree, expect};

    fn problems(root: &str, local: &str) -> Vec<String> {
        let root = format!("[workspace]\nname = \"x\"\n{root}");
        let files =
            [("layers.toml", &*root), ("p/layers.toml", ""), ("q/x/layers.toml", ""), ("layers.local.toml", local)];
        Tree::new(&files).load_as(&["//..."], Options { local: true, ..Options::default() }).1
    }

    #[test]
    fn what_is_no_folder_on_either_side_is_told_at_its_place() {
        let local = "[paths]\n\"../x\" = \"p\"\n\"/x\" = \"p\"\n\"none/x\" = \"p\"\n\"p/a\" = \"gone\"\n\
                     \"p/b\" = \"layers.toml\"\n\"p/c\" = \"q/x\"\n\"p/d\" = \"q\"\n";
        expect(
            &problems("", local),
            &[
                &["`../x` is no folder below the workspace's root", "layers.local.toml:2:1"],
                &["`/x` is no folder below the workspace's root", "layers.local.toml:3:1"],
                &["the workspace has no folder `none`", "layers.local.toml:4:1"],
                &["gone can't be read", "layers.local.toml:5:9", "for `p/a`"],
                &["layers.toml is not a folder", "layers.local.toml:6:9"],
                &["packages are not taken from elsewhere", "layers.local.toml:7:9"],
            ],
        );
    }

    #[test]
    fn a_folder_has_one_spelling_so_that_none_is_named_twice() {
        let local = "[paths]\n\"q/x\" = \"p\"\n\"q/./x\" = \"p\"\n\"q//x\" = \"p\"\n\"q/x/\" = \"p\"\n\"q/x/.\" = \"p\"\n\"./q/x\" = \"p\"\n";
        let told = problems("", local);
        assert_eq!(told.len(), 5, "{told:?}");
        for (line, text) in (3..).zip(&told) {
            assert!(text.contains("is another spelling of `q/x`") && text.contains("write it as `q/x`"), "{text}");
            assert!(text.contains(&format!("layers.local.toml:{line}:1")), "{text}");
        }
    }

    #[test]
    fn anywhere_else_it_is_told_why_not() {
        let root = "paths = {}\n[paths]\n\"p\" = \"q\"\n[profile.a]\npaths = { p = \"q\" }\n";
        let told = problems(root, "");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(|told| told.contains("`paths` can stand in layers.local.toml only")), "{told:?}");
    }
}
