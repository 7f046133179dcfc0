//! The settings of a workspace: `[workspace]`, laid over by the profile that was asked for.
//!
//! Plain values; `read` makes them from the root's file. What a registry or a tag is used for is not known here.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::apt::AptSource;
use super::attributes::Spanned;
use super::compatible::Compatible;
use super::external::{External, lock_section};
use super::origin::{By, Origin};
use super::own_paths::OwnPath;
use super::places::{DEFAULT_REGISTRY, DEFAULT_TAG};
use super::registries::Registries;
use super::taken::{self, List, Taken};
use super::value::{Entry, Table, Value};
use super::vars::Vars;
use crate::label::{Label, PackagePath};
use crate::platform::Platform;
use crate::reference::Repository;
use crate::span::Span;

/// What holds for the whole workspace under the chosen profile.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The workspace's name.
    pub name: String,
    /// The workspace's own version, and where that is written; `None`: it says none.
    pub version: Option<Spanned<String>>,
    /// The versions of other workspaces that this one works with.
    pub compatible: Vec<Compatible>,
    /// The folder that holds the packages, relative to the root; empty when it is the root.
    pub packages: Utf8PathBuf,
    /// `HOST[:PORT][/PREFIX]`: where images are pushed to.
    pub registry: String,
    /// The tag that images are published under; what git says is marked in it.
    pub tag: String,
    /// More tags that they are published under, beside `tag`; as that.
    pub tags: Vec<String>,
    /// What `cargo` and `exec` actions run over unless they say otherwise, and where that is written; `None`: nobody says.
    pub build_base: Option<Spanned<BuildBase>>,
    /// What images run on unless they say otherwise.
    pub platform: Platform,
    /// How layers are compressed; `None`: as layerbuild sees fit.
    pub compression: Option<Compression>,
    /// The time stamp of files in layers.
    pub source_date_epoch: SourceDateEpoch,
    /// What deploys are rendered for.
    pub deploy: DeployKind,
    /// The profile that was asked for, by the call or the local file.
    pub profile: Option<String>,
    /// That profile and those that it inherits from, the nearest first.
    pub chain: Vec<String>,
    /// The profiles that there are.
    pub profiles: Vec<String>,
    /// Which images are not simply built, as profile and local file say, each over those before it.
    pub taken: Vec<List>,
    /// `[external.NAME]`: other workspaces.
    pub externals: BTreeMap<String, External>,
    /// Repositories that are asked, in this order, for results of other machines.
    pub cache_from: Vec<Repository>,
    /// The repository that results are written to; `None`: they are not shared.
    pub cache_to: Option<Repository>,
    /// `[registry."HOST"]` and `allow-hosts`: how registries are reached.
    pub registries: Registries,
    /// `[apt.NAME]`: where Debian packages come from, beside the machine's own archives.
    pub apt: BTreeMap<String, AptSource>,
    /// `[vars]`: what `${vars.NAME}` stands for.
    pub vars: Vars,
    /// What profile and local file set of targets, in the order in which it is laid over them.
    pub overrides: Vec<Override>,
    /// `[paths]` of the developer's own file.
    pub paths: Vec<OwnPath>,
    /// The settings that are written, by their keys, as the last who says so has them.
    pub said: BTreeMap<String, Said>,
    /// `[registry]`, `[apt]` and `[external]` as they are written.
    pub tables: Vec<Entry>,
    /// Whether the developer's own file was read.
    pub local: bool,
}

/// A setting as it is written, and by whom.
#[derive(Debug, Clone)]
pub struct Said {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// What profile or local file sets of one target.
#[derive(Debug, Clone)]
pub struct Override {
    /// Whose attributes.
    pub label: Label,
    /// Where the label stands.
    pub span: Span,
    /// The attributes.
    pub table: Table,
    /// Who sets them.
    pub by: By,
}

/// What actions run over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildBase {
    /// A layer or image.
    Target(Label),
    /// The host itself.
    Host,
}

impl BuildBase {
    /// What stands for the host, where a label could stand.
    pub const HOST: &str = "host";
}

/// How layers are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// The format.
    pub format: CompressionFormat,
    /// From 1 (fast) upwards, one that the format has; `None`: the format's default.
    pub level: Option<u8>,
    /// Whether a layer is compressed in chunks; `None`: the format's default.
    pub chunks: Option<bool>,
}

/// A compression format of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionFormat {
    /// Levels 1 to 12, without chunks 1 to 9.
    Gzip,
    /// Levels 1 to 19.
    Zstd,
    /// Plain tar, which has no level.
    None,
}

/// The time stamp of files in layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceDateEpoch {
    /// Seconds since 1970.
    Fixed(u64),
    /// What the environment variable `SOURCE_DATE_EPOCH` says.
    Env,
}

/// What deploys are rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeployKind {
    /// A Compose file.
    Compose,
    /// Kubernetes manifests.
    Kubernetes,
}

impl Settings {
    /// The package whose folder `folder` is, or would be: what relative patterns are relative to. `folder` is relative
    /// to the workspace's root; outside of the packages' folder it is the root package.
    pub fn package_at(&self, folder: &Utf8Path) -> PackagePath {
        let below = folder.strip_prefix(&self.packages).unwrap_or(Utf8Path::new(""));
        let path = below.ancestors().find_map(|path| PackagePath::new(path.as_str()));
        path.unwrap_or_default()
    }

    /// How a target comes to be, if it is an image of this workspace.
    pub fn taken(&self, label: &Label) -> Taken {
        taken::deciding(&self.taken, label).map_or(Taken::Built, |list| list.taken)
    }

    /// Whether the profile takes a target as published, if it is an image.
    pub fn is_from_registry(&self, label: &Label) -> bool {
        self.taken(label) == Taken::Published
    }

    /// Who says how an image comes to be, and where; `None` where nobody does.
    pub fn taken_by(&self, label: &Label) -> Option<Origin> {
        taken::deciding(&self.taken, label).map(|list| list.by.at(list.span))
    }

    /// The profile in whose section of the lock file a target that is taken as published stands; `None`: with the pulls.
    pub fn lock_section(&self, label: &Label) -> Option<&str> {
        lock_section(label, self.profile.as_deref(), &self.externals)
    }

    /// A package's folder, relative to the workspace's root.
    pub fn folder(&self, package: &PackagePath) -> Utf8PathBuf {
        match package.as_str() {
            "" => self.packages.clone(),
            path => self.packages.join(path),
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: String::new(),
            version: None,
            compatible: Vec::new(),
            packages: Utf8PathBuf::new(),
            registry: DEFAULT_REGISTRY.into(),
            tag: DEFAULT_TAG.into(),
            tags: Vec::new(),
            build_base: None,
            platform: Platform::default(),
            compression: None,
            source_date_epoch: SourceDateEpoch::Fixed(0),
            deploy: DeployKind::Compose,
            profile: None,
            chain: Vec::new(),
            profiles: Vec::new(),
            taken: Vec::new(),
            externals: BTreeMap::new(),
            cache_from: Vec::new(),
            cache_to: None,
            registries: Registries::default(),
            apt: BTreeMap::new(),
            vars: Vars::new(),
            overrides: Vec::new(),
            paths: Vec::new(),
            said: BTreeMap::new(),
            tables: Vec::new(),
            local: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_package_that_its_path_names() {
        let settings = Settings { packages: "images".into(), ..Settings::default() };
        let package = |folder: &str| settings.package_at(Utf8Path::new(folder)).to_string();
        assert_eq!(package("images/a/b"), "//a/b");
        assert_eq!(package("images"), "//");
        assert_eq!(package("imagesx/a"), "//");
        assert_eq!(package("images/a/.hidden/b"), "//a");
        assert_eq!(settings.folder(&PackagePath::default()), "images");
    }
}
