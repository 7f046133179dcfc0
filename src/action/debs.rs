//! What a layer of Debian packages is made of: packages as they were locked, and what is declared of a root file system.
//!
//! Values alone: nothing is fetched or opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::oci::compress::Compression;
use crate::platform::Platform;

/// A layer of Debian packages, as they were locked.
#[derive(Debug, Clone)]
pub struct DebsLayer {
    /// What it is to run on.
    pub platform: Platform,
    /// The layers of packages that it stands on, the lowest first: what they hold is not in this one.
    pub below: Vec<DebsPart>,
    /// What it adds.
    pub own: DebsPart,
    /// Whether `/bin`, `/lib` and their like are links into `/usr`.
    pub merged_usr: bool,
    /// How it is compressed.
    pub compression: Compression,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// What one target adds to a root file system of packages.
#[derive(Debug, Clone)]
pub struct DebsPart {
    /// What is locked, by platform.
    pub locked: Arc<BTreeMap<Platform, Vec<Deb>>>,
    /// Whether it makes a root file system: then dpkg's own files and the links of merged directories are in it.
    pub essential: bool,
    /// Accounts beside those of base-passwd, in order.
    pub users: Vec<DebUser>,
    /// Globs of packages' paths that are left out, `!` before those that stay even so; the last that matches counts.
    pub exclude_paths: Vec<String>,
}

/// A locked Debian package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Where it is from, as this machine or the workspace names it; not part of the key.
    pub source: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// Its path within the archive; not part of the key.
    pub path: String,
    /// Of the file.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl std::fmt::Display for Deb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.name, self.version, self.architecture)
    }
}

/// An account of a root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebUser {
    /// Its name, and its group's where the group's number is new.
    pub name: String,
    /// Its number.
    pub uid: u64,
    /// Its group's number.
    pub gid: u64,
    /// Its folder, made unless it is `/nonexistent`.
    pub home: String,
    /// Its shell.
    pub shell: String,
}

impl DebsLayer {
    /// All that stands below, and what it adds itself last.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &DebsPart> {
        self.below.iter().chain([&self.own])
    }
}

impl DebsPart {
    /// The packages for a platform; `None` where it isn't locked for that.
    pub fn packages(&self, platform: &Platform) -> Option<&[Deb]> {
        self.locked.get(platform).map(Vec::as_slice)
    }
}
