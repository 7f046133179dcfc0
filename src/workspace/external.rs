//! `[external.NAME]`: another workspace, whose images are taken as it published them.
//!
//! Plain values. Nothing of the other workspace need be on disk, and what it holds is not known here.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::attributes::{Attributes, Spanned};
use super::beside;
use super::check::{self, Owner};
use super::places::{DEFAULT_TAG, check_registry, check_tag};
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Value};
use super::version;
use crate::checkout::Checkout;
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath, is_name};
use crate::platform::{Platform, PlatformError};
use crate::span::Span;

/// Another workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// `HOST[:PORT][/PREFIX]`: where it publishes its images.
    pub registry: String,
    /// The tag that it publishes them under: its version, where it is a number.
    pub tag: Spanned<String>,
    /// The versions of it that this workspace works with; `None`: any.
    pub compatible: Option<Spanned<String>>,
    /// The platforms that its images are needed for; empty: the workspace's.
    pub platforms: Vec<Platform>,
    /// Where it is checked out, relative to the workspace's root; `None`: not on disk.
    pub path: Option<Utf8PathBuf>,
    /// Where its name stands.
    pub span: Span,
    /// Whether the chosen profile, or one that it inherits from, says something of it: then what is locked of it is
    /// locked under that profile.
    pub of_profile: bool,
}

const TAG: Attribute = optional("tag", Type::String, "the tag that they are published under; default: latest");
const COMPATIBLE: Attribute = optional(
    "compatible",
    Type::String,
    "the versions of it that this workspace works with, such as \">=0.1, <0.3\": held against `tag`; default: any",
);

const PLATFORMS: Attribute = optional(
    "platforms",
    Type::List(&Type::String),
    "the platforms that its images are needed for, os/architecture[/variant]; default: the workspace's",
);

/// What may stand in `[external.NAME]`.
pub const EXTERNAL: &[Attribute] = &[
    optional("registry", Type::String, "HOST[:PORT][/PREFIX] that its images are taken from; default: as `path` says"),
    optional("path", Type::String, "where it is checked out, whose own `registry` and `tag` hold; default: nowhere"),
    TAG,
    COMPATIBLE,
    PLATFORMS,
];

/// The folder that paths are relative to, and in which checkout.
pub type Within<'a> = (&'a Utf8Path, &'a dyn Checkout);

/// Reads the table `external`.
pub fn read(entry: &Entry, from: Within<'_>) -> (BTreeMap<String, External>, Vec<Diagnostic>) {
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
        let tag = Spanned { value: DEFAULT_TAG.to_owned(), span: *key_span };
        let (registry, span) = (String::new(), *key_span);
        let mut external =
            External { registry, tag, compatible: None, platforms: Vec::new(), path: None, span, of_profile: false };
        diagnostics.extend(one(key, value, from, &mut external));
        externals.insert(key.clone(), external);
    }
    (externals, diagnostics)
}

fn one(name: &str, value: &Value, from: Within<'_>, external: &mut External) -> Vec<Diagnostic> {
    let span = external.span;
    let name = format!("[external.{name}]");
    let Some(table) = value.as_table() else {
        let message = format!("`{name}` is a table, not {}", value.kind());
        return vec![Diagnostic::error(message).at(span, "")];
    };
    let root = PackagePath::default();
    let mut diagnostics = check::check(table, EXTERNAL, Owner { name: &name, span }, &root).diagnostics;
    let says = Attributes::new(table, &root);
    if !says.has("registry") && !says.has("path") {
        let message = format!("`{name}` doesn't say where its images are taken from");
        diagnostics.push(Diagnostic::error(message).at(span, "").help("write its `registry`, or its `path` on disk"));
    }
    diagnostics.extend(external.take(&says, from));
    diagnostics
}

/// Takes what a profile or the developer's own file says of other workspaces. `of_profile`: it is a profile.
pub fn lay_over(
    externals: &mut BTreeMap<String, External>,
    attributes: &Attributes<'_>,
    of_profile: bool,
    from: Within<'_>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for entry in attributes.map("external") {
        match (externals.get_mut(entry.key.value), entry.table()) {
            (Some(external), Some(says)) => {
                external.of_profile |= of_profile;
                diagnostics.extend(external.take(&says, from));
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
        for entry in named.value.as_table().into_iter().flat_map(|says| &says.0) {
            table.0.retain(|before| before.key != entry.key);
            table.0.push(entry.clone());
        }
    }
}

/// That no other workspace has a name.
pub fn unknown(name: &str, externals: &BTreeMap<String, External>) -> Diagnostic {
    Diagnostic::error(format!("no other workspace is named `{name}`")).help(suggestion(name, externals))
}

/// What to do about a name that no other workspace has.
pub fn suggestion(name: &str, externals: &BTreeMap<String, External>) -> String {
    match nearest(name, externals.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean `@{meant}`?"),
        None => format!("declare it in the workspace's layers.toml: `[external.{name}]`, with its `registry`"),
    }
}

/// The workspaces whose versions this one does not work with, or whose versions can't be known.
pub fn incompatible(externals: &BTreeMap<String, External>) -> Vec<Diagnostic> {
    externals.iter().filter_map(|(name, external)| external.incompatible(name)).collect()
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
    /// What stands beside `path` is stronger than what is read there.
    fn take(&mut self, says: &Attributes<'_>, (folder, checkout): Within<'_>) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        if let Some(path) = says.text("path") {
            self.path = Some(path.value.into());
            match beside::read(path, folder, checkout) {
                Ok(there) => {
                    self.registry = there.registry;
                    self.tag = Spanned { value: there.tag, span: path.span };
                }
                Err(mistake) => diagnostics.push(mistake),
            }
        }
        let mut judge = |span, checked: Result<(), String>| {
            diagnostics.extend(checked.err().map(|message| Diagnostic::error(message).at(span, "")));
        };
        if let Some(Spanned { value, span }) = says.text("registry") {
            judge(span, check_registry(value));
            value.clone_into(&mut self.registry);
        }
        if let Some(Spanned { value, span }) = says.text("tag") {
            judge(span, check_tag(value));
            self.tag = Spanned { value: value.to_owned(), span };
        }
        if let Some(compatible) = says.text("compatible") {
            diagnostics.extend(version::malformed(compatible));
            self.compatible = Some(Spanned { value: compatible.value.to_owned(), span: compatible.span });
        }
        if says.has("platforms") {
            self.platforms.clear();
        }
        for Spanned { value, span } in says.strings("platforms") {
            match value.parse() {
                Ok(platform) => self.platforms.push(platform),
                Err(error) => diagnostics.push(Diagnostic::error(PlatformError::to_string(&error)).at(span, "")),
            }
        }
        diagnostics
    }

    fn incompatible(&self, name: &str) -> Option<Diagnostic> {
        let Spanned { value: wanted, span } = self.compatible.as_ref()?;
        let tag = &self.tag.value;
        // A malformed requirement is told already.
        version::meets(wanted, "0")?;
        match version::meets(wanted, tag) {
            Some(true) => None,
            Some(false) => Some(
                Diagnostic::error(format!("this workspace works with `{name}` {wanted}, and takes {tag}"))
                    .at(self.tag.span, "the version that is taken")
                    .also(*span, "the versions that are compatible")
                    .help(format!("take a `tag` of `{name}` that fits, or change `compatible`")),
            ),
            None => Some(
                Diagnostic::error(format!("the version of `{name}` can't be known from the tag `{tag}`"))
                    .at(*span, "is held against the tag")
                    .also(self.tag.span, if tag == DEFAULT_TAG { "no `tag` that is a version" } else { "the tag" })
                    .help("write a `tag` that is a version, such as \"0.2.0\", or leave `compatible` out"),
            ),
        }
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
    fn a_version_that_is_not_compatible_is_told_with_both_places() {
        let root = "[external.low]\nregistry = \"r.example\"\ntag = \"0.2.0\"\ncompatible = \">=0.1, <0.2\"\n\
                    [profile.p.external.low]\ntag = \"0.1.9\"\n";
        let told = "this workspace works with `low` >=0.1, <0.2, and takes 0.2.0";
        expect(&load(root, None).1, &[&[told, "layers.toml:5:7", "6 | compatible"]]);
        assert_eq!(load(root, Some("p")).1, [""; 0]);
    }

    #[test]
    fn a_version_that_the_tag_does_not_tell_is_told() {
        let root = "[external.low]\nregistry = \"r.example\"\ncompatible = \">=0.1\"\n";
        expect(&load(root, None).1, &[&["the version of `low` can't be known from the tag `latest`"]]);
    }

    #[test]
    fn a_workspace_on_disk_says_where_its_images_are_unless_this_one_does() {
        let low = "[workspace]\nname = \"low\"\nregistry = \"r.example/low\"\ntag = \"0.2.0\"\n";
        let root = "[workspace]\nname = \"x\"\n[external.a]\npath = \"low\"\n\
                    [external.b]\npath = \"low\"\ntag = \"0.3.0\"\n[external.c]\npath = \"nowhere\"\n\
                    [external.d]\npath = \".\"\n[external.e]\n";
        let tree = Tree::new(&[("layers.toml", root), ("low/layers.toml", low), (".gitignore", "low\n")]);
        let (workspace, problems) = tree.load_with(&PackagePath::default(), &["//..."], None);
        let externals = &workspace.settings.externals;
        assert_eq!((&*externals["a"].registry, &*externals["a"].tag.value), ("r.example/low", "0.2.0"));
        assert_eq!((&*externals["b"].registry, &*externals["b"].tag.value), ("r.example/low", "0.3.0"));
        expect(
            &problems,
            &[
                &["no workspace is at `nowhere`", "layers.toml:9:8"],
                &["`path` leads to this workspace itself"],
                &["`[external.e]` doesn't say where its images are taken from"],
            ],
        );
    }

    #[test]
    fn a_profile_sets_only_what_is_declared() {
        let root = "[external.low]\nregistry = \"r.example\"\n[profile.p.external.lwo]\ntag = \"1\"\n";
        expect(&load(root, None).1, &[&["no other workspace is named `lwo`", "did you mean `@low`?"]]);
    }
}
