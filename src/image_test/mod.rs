//! An image held against what is expected of it: everything that differs, with what is there instead and who brought it.
//!
//! Pure: sees a config, listings laid over each other, and contents through a trait. One file per kind of expectation.
//! Knows neither the store nor labels' meaning, TOML or the command line.

mod config;
pub mod elf;
mod finding;
pub mod libc_glob;
mod libraries;
mod packages;
mod paths;
mod programs;
mod root;
mod sizes;
#[cfg(test)]
mod testing;

pub use finding::Finding;
pub use root::{Contents, Root};

use crate::action::Expected;
use crate::oci::manifest::Config;

/// One image, as far as tests look into it.
pub struct Subject<'a, C> {
    /// What its config says.
    pub config: &'a Config,
    /// Its layers' sizes, the lowest first.
    pub sizes: &'a [LayerSize],
    /// Its file system.
    pub root: Root<'a, C>,
}

/// How large a layer is, or all layers of a base together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSize {
    /// The target that made it.
    pub label: String,
    /// As pushed, in bytes.
    pub compressed: u64,
    /// The contents of its files, in bytes.
    pub unpacked: u64,
}

/// All that is not as expected, in the order in which attributes are documented. An error is one of reading contents.
pub fn judge<C: Contents>(expected: &Expected, subject: &Subject<'_, C>) -> Result<Vec<Finding>, C::Error> {
    let mut found = sizes::check(expected, subject);
    found.extend(packages::check(expected, subject)?);
    found.extend(paths::check(expected, subject)?);
    found.extend(config::check(expected, subject)?);
    found.extend(programs::check(expected, subject)?);
    Ok(found)
}
