//! A file that is there whole or not at all: written beside its place, then renamed.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use tempfile::NamedTempFile;

use super::error::CliError;

/// Whether a file can be written; nothing is left behind.
pub fn check(to: &Utf8Path) -> Result<(), CliError> {
    begin(to).map(drop)
}

/// Writes a file.
pub fn to_file(to: &Utf8Path, write: impl FnOnce(&mut dyn Write) -> Result<(), CliError>) -> Result<(), CliError> {
    let failed = |error: &io::Error| CliError::io(format!("cannot write {to}"), error);
    let mut file = begin(to)?;
    let mut buffered = io::BufWriter::with_capacity(1 << 20, &mut file);
    write(&mut buffered)?;
    buffered.flush().map_err(|error| failed(&error))?;
    drop(buffered);
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(|error| failed(&error))?;
    file.persist(to).map(drop).map_err(|error| failed(&error.error))
}

fn begin(to: &Utf8Path) -> Result<NamedTempFile, CliError> {
    let folder = to.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    if !folder.is_dir() {
        return Err(CliError::environment(format!("cannot write {to}: there is no such folder")));
    }
    NamedTempFile::new_in(folder).map_err(|error| CliError::io(format!("cannot write {to}"), &error))
}
