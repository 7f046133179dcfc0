//! One file per rule: its schema, and how typed attributes become an action.
//!
//! A rule sees one checked target and a [`Context`] that answers for the rest of the world; it reads no file itself.

pub mod cargo;
pub mod debs;
pub mod debs_below;
pub mod debs_source;
pub mod exec;
pub mod files;
pub mod flow;
pub mod image;
pub mod image_test;
pub mod index;
pub mod place;
pub mod pull;
pub mod requires;
pub mod run;
pub mod source_attributes;
pub mod tar;

mod mode;
mod sandbox;
mod shared;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use place::Place;

use crate::action::{ActionId, Fetch, Operation};
use crate::cargo::toolchain::ToolchainError;
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::file_stat::Stamp;
use crate::label::Label;
use crate::oci::compress::Compression;
use crate::platform::Platform;
use crate::span::Span;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::external::{External, lock_section};
use crate::workspace::globs::{Glob, GlobError};
use crate::workspace::lock_debs::LockedDebs;
use crate::workspace::lock_file::LockedImage;
use crate::workspace::schema::RuleSchema;
use crate::workspace::settings::BuildBase;

/// A rule: its schema, and what a target of it stands for.
pub struct Rule {
    /// What users may write.
    pub schema: RuleSchema,
    /// Checked attributes → the target's action, or all that is wrong with them.
    pub lower: fn(&Target<'_>, &dyn Context) -> Result<Operation, Vec<Diagnostic>>,
}

/// Every rule there is.
pub static RULES: [&Rule; 10] = [
    &files::RULE,
    &tar::RULE,
    &debs::RULE,
    &run::RULE,
    &exec::RULE,
    &cargo::RULE,
    &image::RULE,
    &index::RULE,
    &pull::RULE,
    &image_test::RULE,
];

/// The rule of a name; `None` for an unknown one.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.into_iter().find(|rule| rule.schema.name == name)
}

/// The schemas of all rules, as the loader takes them.
pub fn schemas() -> Vec<&'static RuleSchema> {
    RULES.iter().map(|rule| &rule.schema).collect()
}

/// One target as a rule sees it.
pub struct Target<'a> {
    /// Its label.
    pub label: &'a Label,
    /// The name in `[rule.name]`, for errors that concern the whole target.
    pub span: Span,
    /// What is written; checked against the rule's schema.
    pub attributes: Attributes<'a>,
    /// The package's folder, relative to the workspace's root.
    pub directory: &'a Utf8Path,
    /// What the workspace says for all targets.
    pub defaults: &'a Defaults,
}

/// What the workspace says for all targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Of layers.
    pub compression: Compression,
    /// Of images.
    pub platform: Platform,
    /// Where images are published, as written: it need be no registry where none is used.
    pub registry: String,
    /// The tag that they are published under.
    pub tag: String,
    /// The profile, for messages; `None` without one.
    pub profile: Option<String>,
    /// Whose they are.
    pub place: Place,
    /// Other workspaces, by the names that it gives them.
    pub externals: BTreeMap<String, External>,
    /// What actions run over that name nothing else, and where that is written; `None`: nobody says.
    pub build_base: Option<Spanned<BuildBase>>,
    /// Modification time of every entry and creation time of every image, in seconds since 1970.
    pub epoch: u64,
}

impl Defaults {
    /// The other workspace that publishes a target.
    fn external(&self, label: &Label) -> Option<&External> {
        self.externals.get(self.place.local(label).package.external()?)
    }

    /// The registry and the tag that a target is taken from as published, and whose they are.
    fn published_at(&self, label: &Label) -> (&str, &str, &'static str) {
        match self.external(label) {
            Some(external) => (&external.registry, &external.tag.value, "it is `registry` of the other workspace"),
            None => (
                &self.registry,
                &self.tag,
                "it is `registry` of the workspace or profile, --registry or LAYERBUILD_REGISTRY",
            ),
        }
    }

    /// The profile in whose section of the lock file a target that is taken as published stands.
    fn section(&self, label: &Label) -> Option<String> {
        lock_section(&self.place.local(label), self.profile.as_deref(), &self.externals).map(str::to_owned)
    }
}

/// A source file as git would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A regular file.
    File {
        /// Of its content.
        digest: Digest,
        /// In bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
        /// Vouches for the digest as long as the file has it.
        stamp: Option<Stamp>,
    },
    /// A symbolic link and its target.
    Link(String),
}

/// What a rule may ask of the world.
pub trait Context: Sync {
    /// The files that globs name in a package; for each glob that fails, its position and why.
    fn glob(&self, directory: &Utf8Path, globs: &[Glob]) -> Result<Vec<Utf8PathBuf>, Vec<(usize, GlobError)>>;

    /// What stands at paths relative to the workspace's root, links not followed; an error as a phrase that names the path.
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>>;

    /// The text of a file at a path relative to the workspace's root; `None` where nothing is there, an error as a phrase
    /// that names the path.
    fn text(&self, path: &Utf8Path) -> Result<Option<String>, String>;

    /// What the Rust compiler of this machine calls itself that counts in a folder relative to the workspace's root.
    fn compiler(&self, folder: &Utf8Path) -> Result<String, ToolchainError>;

    /// The action of a target of the graph; `None` only for a target that is itself in error.
    fn action(&self, label: &Label) -> Option<ActionId>;

    /// The action of an image that another of this platform can stand on: of a pulled one that for the platform.
    /// `Ok(None)` as in [`Context::action`]; an error where it isn't locked for the platform.
    fn base(&self, label: &Label, platform: &Platform) -> Result<Option<ActionId>, Diagnostic>;

    /// What is locked of a target, by the profile where it takes the target as published; `None`: nothing.
    fn locked(&self, label: &Label) -> Option<&LockedImage>;

    /// The packages that a `debs` target is locked to; `None`: none.
    fn locked_debs(&self, label: &Label) -> Option<&LockedDebs>;

    /// The action of a layer for an image of a platform: of packages those for it. `None` as of [`Context::action`].
    fn layer(&self, label: &Label, platform: &Platform) -> Option<ActionId>;

    /// What is written of a target of the graph, and its rule; `None` for a label that names none.
    fn written(&self, label: &Label) -> Option<(&'static RuleSchema, Attributes<'_>)>;

    /// As [`Context::written`]; `None` also for a target that is taken as published, which may be made of something else.
    fn declared(&self, label: &Label) -> Option<(&'static RuleSchema, Attributes<'_>)>;

    /// What the workspace of a target says that its images run on.
    fn platform(&self, label: &Label) -> Platform;

    /// The action of an image for another platform than its own; `None` as of [`Context::action`].
    fn variant(&self, label: &Label, platform: &Platform) -> Option<ActionId>;

    /// Another action for the same target, before its own.
    fn fetch(&self, label: &Label, fetch: Fetch) -> ActionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_by_its_name_and_documents_every_attribute() {
        for known in RULES {
            assert!(std::ptr::eq(rule(known.schema.name).unwrap(), known));
            assert!(known.schema.attributes.iter().all(|attribute| !attribute.doc.is_empty()));
        }
    }
}
