//! Which paths of the host a command's answer depends on: files read, folders listed, files looked for in vain.
//!
//! Whoever looks at the source tree notes it here; what is made of the notes is not known here.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

/// The paths looked at so far. Shared by threads.
#[derive(Debug, Default)]
pub struct Observed(Mutex<Vec<Utf8PathBuf>>);

impl Observed {
    /// Notes an absolute path; one that doesn't exist counts as well.
    pub fn note(&self, path: impl Into<Utf8PathBuf>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(path.into());
    }

    /// Notes a folder that was listed, with the file in it that says what to pass over.
    pub fn note_folder(&self, folder: &Utf8Path) {
        let ignore_file = folder.join(".gitignore");
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paths.extend([folder.to_owned(), ignore_file]);
    }

    /// All paths, sorted, each once.
    pub fn into_paths(self) -> BTreeSet<Utf8PathBuf> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }
}
