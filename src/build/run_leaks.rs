//! Whether what commands wrote holds a secret that they were given: no layer may.
//!
//! Looks for whole values, as they are, in files and names. What a command makes of a secret is not known here.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use memchr::memmem::Finder;

use super::error::BuildError;
use crate::oci::tree::{Content, EntryKind, Tree};
use crate::sandbox::task::SecretFile;
use crate::store::StoreError;

/// Shorter values (bytes) are not looked for: they may stand anywhere by chance.
const SHORTEST: usize = 16;
/// Read at once (bytes), beside what a value may reach into it.
const STEP: usize = 1 << 20;

/// An error that names every file with a secret. `tree`: what is in the tar `archive`.
pub fn check(archive: &Path, tree: &Tree, secrets: &[SecretFile]) -> Result<(), BuildError> {
    let values = secrets.iter().map(|secret| (secret, secret.content.0.trim_ascii()));
    let sought: Vec<_> = values.filter(|(_, value)| value.len() >= SHORTEST).collect();
    let mut told = BTreeSet::new();
    for (secret, value) in sought {
        let places = places(archive, value).map_err(|error| StoreError::io("read", archive, error))?;
        told.extend(places.into_iter().map(|at| {
            let file = whose(tree, at).unwrap_or_else(|| "a name".to_owned());
            format!("{file} holds the secret {}: no layer may. Remove it where it was needed", secret.target)
        }));
    }
    if told.is_empty() { Ok(()) } else { Err(BuildError::LeftBehind(told.into_iter().collect())) }
}

/// Where a value begins (bytes from the archive's beginning).
fn places(archive: &Path, value: &[u8]) -> io::Result<Vec<u64>> {
    let (finder, mut file) = (Finder::new(value), File::open(archive)?);
    let (mut window, mut begins, mut found) = (Vec::with_capacity(STEP + value.len()), 0, Vec::new());
    loop {
        if file.by_ref().take(STEP as u64).read_to_end(&mut window)? == 0 {
            return Ok(found);
        }
        found.extend(finder.find_iter(&window).map(|at| begins + at as u64));
        let seen = window.len().saturating_sub(value.len() - 1);
        window.drain(..seen);
        begins += seen as u64;
    }
}

/// The file whose content stands there.
fn whose(tree: &Tree, at: u64) -> Option<String> {
    let holds = |kind: &EntryKind| match kind {
        EntryKind::File(Content::Range { offset, size, .. }) => (*offset..offset + size).contains(&at),
        _ => false,
    };
    tree.entries.iter().find(|(_, entry)| holds(&entry.kind)).map(|(path, _)| path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_wherever_it_stands_and_a_part_of_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive");
        for before in [0, 1, STEP - 20, STEP - 5, STEP, 2 * STEP + 7] {
            std::fs::write(
                &path,
                [&vec![0; before][..], b"correct-horse-battery", &[0; 3], b"correct-horse-"].concat(),
            )
            .unwrap();
            assert_eq!(places(&path, b"correct-horse-battery").unwrap(), [before as u64]);
        }
    }
}
