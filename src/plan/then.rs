//! Sources and toolchains as a git commit had them, for rules to see.
//!
//! What the work tree has unchanged is hashed there, by the store's memory of files.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::lower::{Compilers, Identify};
use crate::cargo::toolchain::{Toolchain, ToolchainError, Toolchains};
use crate::rules::Source;
use crate::store::FileHashes;
use crate::workspace::revision::{Held, Revision};

/// What a commit had.
pub struct Then<'a> {
    /// The commit.
    pub revision: &'a Revision,
    /// The root of the workspace, which the commit's repository holds.
    pub root: &'a Utf8Path,
    /// What is on disk.
    pub files: &'a FileHashes,
    /// What compiles on this machine.
    pub toolchains: &'a Toolchains,
}

/// What rustup goes by.
const CHOOSES: [&str; 2] = ["rust-toolchain.toml", "rust-toolchain"];

impl Identify for Then<'_> {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        let held: Vec<_> = paths.iter().map(|path| self.revision.held(self.root, path)).collect();
        let mut seen = self.on_disk(&held).into_iter();
        let mut source = |held: Held| match held {
            // It may be gone meanwhile, or not be what the commit has after all.
            Held::OnDisk { at, executable, .. } => match seen.next().flatten() {
                Some(Source::File { digest, size, stamp, .. }) => Ok(Source::File { digest, size, executable, stamp }),
                _ => self.revision.from_objects(&at).map(plain),
            },
            other => Ok(plain(other)),
        };
        held.into_iter().map(|held| held.and_then(&mut source)).collect()
    }
}

impl Then<'_> {
    /// What is on disk of those that are held there, where it has the commit's size.
    fn on_disk(&self, held: &[Result<Held, String>]) -> Vec<Option<Source>> {
        let place = |held: &'_ Result<Held, String>| match held {
            Ok(Held::OnDisk { path, at, .. }) => Some((path.clone(), at.clone())),
            _ => None,
        };
        let (paths, places): (Vec<Utf8PathBuf>, Vec<Utf8PathBuf>) = held.iter().filter_map(place).unzip();
        if paths.is_empty() {
            return Vec::new();
        }
        let sizes = self.revision.sizes(&places.iter().map(|at| &**at).collect::<Vec<_>>());
        let has = |source: &Source, size| matches!(source, Source::File { size: it, .. } if Some(*it) == size);
        let seen = self.files.identify(&paths).into_iter().zip(sizes);
        seen.map(|(seen, size)| seen.ok().filter(|source| has(source, size))).collect()
    }
}

fn plain(held: Held) -> Source {
    match held {
        Held::File { digest, size, executable } => Source::File { digest, size, executable, stamp: None },
        Held::Link(target) => Source::Link(target),
        Held::OnDisk { .. } => unreachable!("what comes from git's objects is not on disk"),
    }
}

impl Compilers for Then<'_> {
    /// The one that counts now, where nothing that chooses it has changed.
    fn of(&self, folder: &Utf8Path) -> Result<Arc<Toolchain>, ToolchainError> {
        let places = folder.ancestors().flat_map(|folder| CHOOSES.map(|name| folder.join(name)));
        match places.into_iter().find(|path| self.revision.is_changed(path)) {
            Some(path) => Err(ToolchainError {
                message: format!("`{}` chose another Rust toolchain, perhaps", path.file_name().unwrap_or_default()),
                help: "nothing is wrong: this is what changed".to_owned(),
            }),
            None => self.toolchains.of(folder),
        }
    }
}
