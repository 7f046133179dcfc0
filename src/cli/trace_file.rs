//! The file that `--profile-out` names: a trace that Chrome reads, there whole or not at all.
//!
//! A device or a pipe is written to as it is. Knows nothing of how a log is found.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::whole_file;
use crate::event_log::{Log, trace};

/// Refuses a place where no file can be made, before anything is done that would have to be done again.
pub fn check(path: &Utf8Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::environment(format!("cannot write {path} (from --profile-out): it is a folder")));
    }
    let is_written_to = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_written_to { Ok(()) } else { whole_file::check(&behind_links(path)) }
}

/// Writes what a log says.
pub fn write(log: &Log, path: &Utf8Path) -> Result<(), CliError> {
    let text = format!("{}\n", trace::trace(log));
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            fs::write(path, text).map_err(|error| CliError::io(format!("cannot write {path}"), &error))
        }
        _ => whole_file::to_file(&behind_links(path), |to| {
            to.write_all(text.as_bytes()).map_err(|error| CliError::io(format!("cannot write {path}"), &error))
        }),
    }
}

/// A file that a link leads to is replaced, and not the link.
fn behind_links(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}
