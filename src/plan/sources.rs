//! Source files as rules see them, hashed by the store's memory of files.

use camino::{Utf8Path, Utf8PathBuf};

use super::lower::Identify;
use crate::rules::Source;
use crate::store::{FileError, FileHashes, FileIdentity, FileKind};

impl Identify for FileHashes {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        if let [path] = paths {
            // One file: not worth spreading over threads.
            return vec![seen(path, self.digest(path.as_std_path()))];
        }
        paths.iter().zip(self.digests(paths)).map(|(path, found)| seen(path, found)).collect()
    }
}

fn seen(path: &Utf8Path, found: Result<FileIdentity, FileError>) -> Result<Source, String> {
    let identity = found.map_err(|error| error.to_string())?;
    match identity.kind {
        FileKind::File { stamp } => {
            let FileIdentity { digest, size, executable, .. } = identity;
            Ok(Source::File { digest, size, executable, stamp })
        }
        FileKind::Symlink(target) => {
            let target = String::from_utf8(target);
            target.map(Source::Link).map_err(|_| format!("the target of the symbolic link `{path}` is not UTF-8"))
        }
    }
}
