//! Runs actions. Knows nothing of TOML, rules or the target graph.
//!
//! `scheduler` decides when, one file per kind of action does it. Takes a plan's states, gives outputs and failures.

mod bring;
mod cargo;
mod critical_path;
pub mod debs;
pub mod error;
pub mod exec;
mod exec_on_host;
pub mod fetch;
pub mod files;
pub mod image;
mod image_layers;
pub mod image_test;
pub mod index;
pub mod layer;
pub mod listings;
pub mod probe;
pub mod pull;
pub mod recall;
pub mod roots;
pub mod run;
mod run_base;
pub mod run_cause;
mod run_leaks;
mod run_mounts;
pub mod scheduler;
pub mod tar;
pub mod upstream;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Mutex;

use camino::Utf8Path;
use rayon::ThreadPool;

use crate::base::remote::Remote;
use crate::cargo::toolchain::Toolchains;
use crate::packages::debian::machine::Machine;
use crate::sandbox::host::Sandbox;
use crate::shared::cache::SharedCache;
use crate::source_root::SourceRoot;
use crate::store::Store;

/// What running actions takes.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// The workspace's root, absolute.
    pub root: &'a Utf8Path,
    /// Where its sources stand.
    pub sources: &'a SourceRoot,
    /// Where outputs go.
    pub store: &'a Store,
    /// Does the reading and compressing.
    pub workers: &'a ThreadPool,
    /// What is known of layers so far.
    pub listings: &'a listings::Listings,
    /// Fetch nothing.
    pub offline: bool,
    /// Where bases come from that others hold.
    pub remote: &'a dyn Remote,
    /// What other machines built.
    pub shared: &'a SharedCache<'a>,
    /// Where Debian packages come from.
    pub machine: &'a Machine,
    /// What compiles Rust programs.
    pub toolchains: &'a Toolchains,
    /// Where commands run.
    pub sandbox: &'a Sandbox,
    /// Packages that a warning has named.
    pub told: &'a Mutex<BTreeSet<String>>,
    /// Variables, for secrets.
    pub variable: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
}
