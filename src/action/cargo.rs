//! A `cargo`: Rust programs of one package, compiled over a build base by the host's toolchain.
//!
//! Where things stand in the sandbox is fixed here, so that no path of a host gets into a program.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::RunAction;
use crate::layer_path::LayerPath;

/// Where the written workspace stands.
pub const WORKSPACE: &str = "/workspace";
/// Where the host's toolchain is seen.
pub const TOOLCHAIN: &str = "/toolchain";
/// Where the crates of registries and git repositories are seen.
pub const VENDOR: &str = "/vendor";
/// Cargo's target folder.
pub const TARGET: &str = "/target";
/// Cargo's own folder, empty but for its configuration.
pub const CARGO_HOME: &str = "/cargo";

/// Programs that become a layer.
#[derive(Debug, Clone)]
pub struct CargoAction {
    /// What is run, over what: cargo, on the workspace that is its one input.
    pub step: RunAction,
    /// What the compiler calls itself.
    pub compiler: String,
    /// The cargo workspace's root, relative to the tree's: which toolchain counts is asked there. No part of the key.
    pub folder: Utf8PathBuf,
    /// The lock file of the written workspace, relative to [`WORKSPACE`].
    pub lock_file: LayerPath,
    /// What stands in it.
    pub lock: String,
    /// The names of the crates whose sources are the tree's.
    pub crates: BTreeSet<String>,
    /// The programs.
    pub bins: Vec<String>,
    /// The directory that they stand in.
    pub dest: LayerPath,
}
