//! The VERSION file: whether a folder is a store, and one that this program understands.
//!
//! Takes the cache folder, gives nothing or a typed error; makes the file in a new store. Knows nothing of what else is kept.

use std::fs;
use std::io;
use std::path::Path;

use super::error::StoreError;
use super::temp::{Temps, WRITABLE};

/// The layout that this program reads and writes.
const VERSION: u32 = 1;
/// The folders of a store.
pub(super) const PARTS: &[&str] =
    &["tmp", "blobs", "blobs/sha256", "actions", "chunks", "files", "last", "logs", "snapshots", "repositories"];
const PREFIX: &str = "layerbuild store ";
/// So that backup programs pass by (the Cache Directory Tagging Specification).
const CACHEDIR_TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache made by layerbuild.\n";

/// What a folder is, by its VERSION file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A store of this program's version.
    Store,
    /// Nothing yet, or a store killed while it was made: [`make`] finishes it.
    Nothing,
}

/// Checks the store's version; a folder without one may become a store only if it holds nothing foreign.
pub(super) fn check(dir: &Path) -> Result<Found, StoreError> {
    let path = dir.join("VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => check_text(dir, &text).map(|()| Found::Store),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_foreign(dir).map(|()| Found::Nothing),
        Err(error) => Err(StoreError::io("read", &path, error)),
    }
}

/// Makes the folder a store. Two processes that do so at once write the same.
pub(super) fn make(dir: &Path, temps: &Temps) -> Result<(), StoreError> {
    temps.create(WRITABLE)?.write(&dir.join("CACHEDIR.TAG"), CACHEDIR_TAG.as_bytes(), false)?;
    let text = format!("{PREFIX}{VERSION}\n");
    temps.create(WRITABLE)?.write(&dir.join("VERSION"), text.as_bytes(), true)
}

fn check_text(dir: &Path, text: &str) -> Result<(), StoreError> {
    let path = dir.to_owned();
    match text.strip_prefix(PREFIX).and_then(|rest| rest.trim_end().parse::<u32>().ok()) {
        // An older number than 1 was never written. Once there is one, migrating begins here.
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(StoreError::Newer { path, found, known: VERSION }),
        _ => Err(StoreError::NotAStore { path, why: "its VERSION file says nothing that layerbuild writes".into() }),
    }
}

fn check_foreign(dir: &Path) -> Result<(), StoreError> {
    let Some(name) = foreign_name(dir)? else { return Ok(()) };
    let why = format!("it has no VERSION file, yet holds `{name}`");
    Err(StoreError::NotAStore { path: dir.to_owned(), why })
}

/// A name that no store has. VERSION isn't one: another process may just have made it. Hidden names pass: a mounted or checked-out folder has some.
fn foreign_name(dir: &Path) -> Result<Option<String>, StoreError> {
    const OURS: &[&str] = &["VERSION", "CACHEDIR.TAG", "lock", "lost+found"];
    let fail = |error| StoreError::io("list", dir, error);
    for entry in fs::read_dir(dir).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
        let ours = OURS.iter().chain(PARTS).any(|ours| *ours == name);
        if !name.starts_with('.') && !ours {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_becomes_a_store_and_stays_one() {
        let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let temps = Temps::open(tmp.path().to_owned()).unwrap();
        assert_eq!(check(dir.path()).unwrap(), Found::Nothing);
        make(dir.path(), &temps).unwrap();
        assert_eq!(check(dir.path()).unwrap(), Found::Store);
        assert_eq!(fs::read_to_string(dir.path().join("VERSION")).unwrap(), "layerbuild store 1\n");
    }

    #[test]
    fn a_newer_store_is_refused_with_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("VERSION"), "layerbuild store 2\n").unwrap();
        assert!(matches!(check(dir.path()), Err(StoreError::Newer { found: 2, known: 1, .. })));
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(check(dir.path()), Err(StoreError::NotAStore { .. })));
        assert!(!dir.path().join("VERSION").exists());
    }

    #[test]
    fn a_store_killed_while_it_was_made_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        fs::write(dir.path().join("CACHEDIR.TAG"), CACHEDIR_TAG).unwrap();
        assert_eq!(check(dir.path()).unwrap(), Found::Nothing);
    }

    #[test]
    fn a_version_that_is_nonsense_is_no_store() {
        for text in ["", "layerbuild store ", "layerbuild store x", "2", "layerbuild store 0"] {
            assert!(matches!(check_text(Path::new("d"), text), Err(StoreError::NotAStore { .. })), "{text}");
        }
    }
}
