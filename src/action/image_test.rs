//! What an image is held against, as plain values. All of it enters the key.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ActionId, Owner};
use crate::layer_path::LayerPath;

/// A test of an image, or of each image of an index.
#[derive(Debug, Clone)]
pub struct ImageTestAction {
    /// The image or index.
    pub image: ActionId,
    /// What must hold.
    pub expected: Expected,
}

/// What must hold of an image. What is empty, `None` or false is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expected {
    /// The most bytes that its layers may have as pushed.
    pub max_size: Option<u64>,
    /// The most bytes that the files of its layers may have.
    pub max_unpacked_size: Option<u64>,
    /// Globs of package names, each of which must match an installed one.
    pub present_packages: Vec<String>,
    /// Globs of package names, none of which may match an installed one.
    pub absent_packages: Vec<String>,
    /// Globs of absolute paths at which nothing may stand.
    pub absent_paths: Vec<String>,
    /// What must stand at paths.
    pub paths: BTreeMap<LayerPath, ExpectedPath>,
    /// Its user may not be root.
    pub non_root: bool,
    /// Its user, `user[:group]` by names or numbers.
    pub user: Option<String>,
    /// The program that it starts must be able to start.
    pub entrypoint: bool,
    /// Other programs that must be able to start: absolute paths, or names that are looked for in `PATH`.
    pub programs: Vec<String>,
    /// Variables and their values.
    pub env: BTreeMap<String, String>,
    /// Labels and their values.
    pub labels: BTreeMap<String, String>,
    /// Ports such as `8080/tcp` that it must expose.
    pub ports: BTreeSet<String>,
}

/// What must stand at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExpectedPath {
    /// What it is.
    pub kind: Option<PathKind>,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: Option<u32>,
    /// Numeric owner.
    pub owner: Option<Owner>,
    /// What the symbolic link names, as written.
    pub target: Option<String>,
    /// The whole text of the file.
    pub content: Option<String>,
    /// Text that the file holds.
    pub contains: Option<String>,
    /// Whether anybody may execute it.
    pub executable: Option<bool>,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

impl Expected {
    /// Whether what layers hold is asked for, and not only what manifest and config say.
    pub fn looks_into_layers(&self) -> bool {
        let accounts = self.non_root || self.user.is_some();
        let paths = !self.absent_paths.is_empty() || !self.paths.is_empty();
        self.max_unpacked_size.is_some() || accounts || paths || self.reads_contents()
    }

    /// Whether files are read, beyond what listings tell.
    pub fn reads_contents(&self) -> bool {
        let packages = !self.present_packages.is_empty() || !self.absent_packages.is_empty();
        let texts = self.paths.values().any(|path| path.content.is_some() || path.contains.is_some());
        packages || texts || self.entrypoint || !self.programs.is_empty()
    }
}
