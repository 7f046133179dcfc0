//! `[external.NAME]`: another workspace, built from its folder or taken as it published its images.
//!
//! Plain values. Which of the two it is, the last says that names a `path` or a `registry`: the workspace, a profile, the
//! developer's own file. What the other workspace holds is not known here.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::attributes::{Attributes, Spanned};
use super::check::{self, Owner};
use super::places::{DEFAULT_TAG, check_registry, check_tag};
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Table, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath, is_name};
use crate::platform::{Platform, PlatformError};
use crate::span::Span;

/// Another workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Its folder, relative to the workspace's root, where it is built from that; `None`: its images are taken as published.
    pub path: Option<Spanned<String>>,
    /// The profile of its own under which it is built; `None`: what its own call without one would take.
    pub profile: Option<Spanned<String>>,
    /// `HOST[:PORT][/PREFIX]`: where it publishes its images.
    pub registry: String,
    /// The tag that it publishes them under: its version, where it is a number.
    pub tag: Spanned<String>,
    /// The platforms that its images are needed for; empty: the workspace's.
    pub platforms: Vec<Platform>,
    /// Where its name stands.
    pub span: Span,
    /// Whether the chosen profile, or one that it inherits from, says something of it: then what is locked of it is
    /// locked under that profile.
    pub of_profile: bool,
}

/// What is said of a folder, and of images that were published: never both in one place.
const OF_PATH: [&str; 2] = ["path", "profile"];
const OF_REGISTRY: [&str; 3] = ["registry", "tag", "platforms"];

/// What may stand in `[external.NAME]`.
pub const EXTERNAL: &[Attribute] = &[
    optional("path", Type::String, "its folder, relative to this workspace's: it is built from there"),
    optional("profile", Type::String, "the profile of its own that it is built under; default: none"),
    optional("registry", Type::String, "HOST[:PORT][/PREFIX] that its images are taken from, as it published them"),
    optional("tag", Type::String, "the tag that they are published under; default: latest"),
    optional(
        "platforms",
        Type::List(&Type::String),
        "the platforms that its images are needed for, os/architecture[/variant]; default: the workspace's",
    ),
];

/// Reads the table `external`.
pub fn read(entry: &Entry) -> (BTreeMap<String, External>, Vec<Diagnostic>) {
    let (mut externals, mut diagnostics) = (BTreeMap::new(), Vec::new());
    let Some(table) = entry.value.as_table() else {
        let message = "another workspace needs a name: `[external.NAME]`";
        return (externals, vec![Diagnostic::error(message).at(entry.key_span, "")]);
    };
    for Entry { key, key_span, value } in &table.0 {
        if !is_name(key) {
            let message = format!("`{key}` can't be a workspace's name: letters, digits, `.`, `_` or `-`");
            diagnostics.push(Diagnostic::error(message).at(*key_span, ""));
        }
        let mut external = External::unsaid(*key_span);
        diagnostics.extend(one(key, value, &mut external));
        externals.insert(key.clone(), external);
    }
    (externals, diagnostics)
}

fn one(name: &str, value: &Value, external: &mut External) -> Vec<Diagnostic> {
    let span = external.span;
    let section = format!("[external.{name}]");
    let Some(table) = value.as_table() else {
        let message = format!("`{section}` is a table, not {}", value.kind());
        return vec![Diagnostic::error(message).at(span, "")];
    };
    let root = PackagePath::default();
    let mut diagnostics = check::check(table, EXTERNAL, Owner { name: &section, span }, &root).diagnostics;
    let says = Attributes::new(table, &root);
    if !says.has("registry") && !says.has("path") {
        let message = format!("`{section}` doesn't say where its images are taken from");
        diagnostics.push(Diagnostic::error(message).at(span, "").help("write its `registry`, or its `path` on disk"));
    }
    diagnostics.extend(external.take(name, &says));
    diagnostics
}

/// Takes what a profile or the developer's own file says of other workspaces. `of_profile`: it is a profile.
pub fn lay_over(
    externals: &mut BTreeMap<String, External>,
    attributes: &Attributes<'_>,
    of_profile: bool,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for entry in attributes.map("external") {
        match (externals.get_mut(entry.key.value), entry.table()) {
            (Some(external), Some(says)) => {
                external.of_profile |= of_profile;
                diagnostics.extend(external.take(entry.key.value, &says));
            }
            (None, _) => {
                let why = "it is declared nowhere, and can't be set again";
                diagnostics.push(unknown(entry.key.value, externals).at(entry.key.span, why));
            }
            (Some(_), None) => {}
        }
    }
    diagnostics
}

/// Lays the table `external` of a profile or the developer's own file over that of the workspace, to be shown.
pub fn merge(written: &mut Entry, over: &Value) {
    for named in over.as_table().into_iter().flat_map(|over| &over.0) {
        let theirs = written.value.as_table_mut().and_then(|table| table.0.iter_mut().find(|it| it.key == named.key));
        let Some(table) = theirs.and_then(|entry| entry.value.as_table_mut()) else { continue };
        if let Some(says) = named.value.as_table() {
            merge_one(table, says);
        }
    }
}

/// What is said of the other way to take it no longer holds.
fn merge_one(table: &mut Table, says: &Table) {
    let goes = |key: &str| {
        says.get(key).is_some()
            || (says.get("path").is_some() && OF_REGISTRY.contains(&key))
            || (says.get("registry").is_some() && OF_PATH.contains(&key))
    };
    table.0.retain(|before| !goes(&before.key));
    table.0.extend(says.0.iter().cloned());
}

/// That no other workspace has a name.
pub fn unknown(name: &str, externals: &BTreeMap<String, External>) -> Diagnostic {
    Diagnostic::error(format!("no other workspace is named `{name}`")).help(suggestion(name, externals))
}

/// What to do about a name that no other workspace has.
pub fn suggestion(name: &str, externals: &BTreeMap<String, External>) -> String {
    match nearest(name, externals.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean `@{meant}`?"),
        None => {
            format!("declare it in the workspace's layers.toml: `[external.{name}]`, with its `registry` or its `path`")
        }
    }
}

/// The profile in whose section of the lock file a target that is taken as published stands; `None`: with the pulls.
/// `profile`: the chosen one.
pub fn lock_section<'p>(
    label: &Label,
    profile: Option<&'p str>,
    externals: &BTreeMap<String, External>,
) -> Option<&'p str> {
    let set = |name| externals.get(name).is_some_and(|external| external.of_profile);
    profile.filter(|_| label.package.external().is_none_or(set))
}

impl External {
    /// Of which nothing is said yet; its name stands at `span`.
    fn unsaid(span: Span) -> External {
        let tag = Spanned { value: DEFAULT_TAG.to_owned(), span };
        let (path, profile, registry) = (None, None, String::new());
        External { path, profile, registry, tag, platforms: Vec::new(), span, of_profile: false }
    }

    fn take(&mut self, name: &str, says: &Attributes<'_>) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        diagnostics.extend(both(name, says));
        let owned = |text: Spanned<&str>| Spanned { value: text.value.to_owned(), span: text.span };
        let mut judge = |span, checked: Result<(), String>| {
            diagnostics.extend(checked.err().map(|message| Diagnostic::error(message).at(span, "")));
        };
        if let Some(path) = says.text("path") {
            judge(path.span, check_path(path.value));
            self.path = Some(owned(path));
        }
        if let Some(profile) = says.text("profile") {
            self.profile = Some(owned(profile));
        }
        if let Some(Spanned { value, span }) = says.text("registry") {
            judge(span, check_registry(value));
            value.clone_into(&mut self.registry);
            self.path = None;
        }
        if let Some(tag) = says.text("tag") {
            judge(tag.span, check_tag(tag.value));
            self.tag = owned(tag);
        }
        diagnostics.extend(self.take_platforms(says));
        diagnostics
    }

    fn take_platforms(&mut self, says: &Attributes<'_>) -> Vec<Diagnostic> {
        if says.has("platforms") {
            self.platforms.clear();
        }
        let mut diagnostics = Vec::new();
        for Spanned { value, span } in says.strings("platforms") {
            match value.parse() {
                Ok(platform) => self.platforms.push(platform),
                Err(error) => diagnostics.push(Diagnostic::error(PlatformError::to_string(&error)).at(span, "")),
            }
        }
        diagnostics
    }
}

/// That one place says of a workspace that it is built, and that it is taken as published.
fn both(name: &str, says: &Attributes<'_>) -> Option<Diagnostic> {
    let said = |keys: &[&'static str]| keys.iter().find_map(|key| Some((*key, says.key_span(key)?)));
    let ((one, one_span), (other, other_span)) = (said(&OF_PATH)?, said(&OF_REGISTRY)?);
    Some(
        Diagnostic::error(format!("`{name}` can't have `{one}` and `{other}` in one place"))
            .at(one_span, "it is built from its folder")
            .also(other_span, "it is taken as published")
            .help(
                "keep one of them here; a profile or layers.local.toml can say the other, and the last who does counts",
            ),
    )
}

fn check_path(path: &str) -> Result<(), String> {
    match Utf8Path::new(path).is_absolute() {
        true => Err("`path` is relative to this workspace's folder, so that it holds on every machine".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use crate::label::PackagePath;

    fn load(root: &str, profile: Option<&str>) -> (Vec<String>, Vec<String>) {
        let root = format!("[workspace]\nname = \"x\"\n{root}");
        let files = [("layers.toml", &*root), ("a/layers.toml", "[image.a]\nbase = \"@low//p:b\"\n")];
        let (workspace, problems) = Tree::new(&files).load_with(&PackagePath::default(), &["//..."], profile);
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        let published = targets.filter(|target| target.published).map(|target| target.label.to_string());
        (published.collect(), problems)
    }

    #[test]
    fn what_labels_name_in_another_workspace_is_taken_as_published_and_no_folder_is_looked_for() {
        let (published, problems) = load("[external.low]\nregistry = \"r.example/low\"\n", None);
        assert_eq!((published, problems), (vec!["@low//p:b".to_owned()], vec![]));
    }

    #[test]
    fn one_place_says_one_way_to_take_it() {
        let root = "[external.low]\nregistry = \"r.example\"\npath = \"/low\"\n[external.none]\n";
        expect(
            &load(root, None).1,
            &[
                &["`low` can't have `path` and `registry` in one place", "layers.toml:5:1"],
                &["`path` is relative to this workspace's folder", "layers.toml:5:8"],
                &["`[external.none]` doesn't say where its images are taken from"],
            ],
        );
    }

    #[test]
    fn a_profile_sets_only_what_is_declared() {
        let root = "[external.low]\nregistry = \"r.example\"\n[profile.p.external.lwo]\ntag = \"1\"\n";
        expect(&load(root, None).1, &[&["no other workspace is named `lwo`", "did you mean `@low`?"]]);
    }
}
