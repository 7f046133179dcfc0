//! The Rust toolchains that programs are compiled with.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::Finding;
use crate::cargo::toolchain::Toolchains;

/// `folders`: those in which there are programs to compile, relative to the root.
pub fn check(toolchains: &Toolchains, root: &Utf8Path, folders: &BTreeSet<Utf8PathBuf>) -> Vec<Finding> {
    if folders.is_empty() {
        return vec![Finding::not_needed("rust", "no target compiles Rust programs")];
    }
    let one = |folder: &Utf8PathBuf| match toolchains.of(&root.join(folder)) {
        Ok(toolchain) => Finding::fine("rust", toolchain.version.lines().next().unwrap_or_default()),
        Err(error) => Finding::missing("rust", error.message, error.help),
    };
    let mut findings: Vec<Finding> = folders.iter().map(one).collect();
    findings.dedup();
    findings
}
