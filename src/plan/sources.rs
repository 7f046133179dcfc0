//! Source files as rules see them, hashed by the store's memory of files.

use camino::{Utf8Path, Utf8PathBuf};

use super::lower::Identify;
use crate::digest::Digest;
use crate::rules::Source;

/// TEMPORARY
pub struct Direct<'a>(pub &'a Utf8Path);

impl Identify for Direct<'_> {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        paths.iter().map(|path| one(&self.0.join(path)).map_err(|error| error.to_string())).collect()
    }
}

fn one(path: &Utf8Path) -> std::io::Result<Source> {
    let stat = path.symlink_metadata()?;
    if stat.is_symlink() {
        return Ok(Source::Link(path.read_link_utf8()?.into_string()));
    }
    let bytes = std::fs::read(path)?;
    let executable = std::os::unix::fs::PermissionsExt::mode(&stat.permissions()) & 0o100 != 0;
    Ok(Source::File { digest: Digest::of(&bytes), size: bytes.len() as u64, executable })
}
