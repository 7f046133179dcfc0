//! Source files as rules see them, hashed by the store's memory of files.

use camino::Utf8PathBuf;

use super::lower::Identify;
use crate::rules::Source;
use crate::store::{FileHashes, FileIdentity, FileKind};

impl Identify for FileHashes {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        if let [path] = paths {
            // One file: not worth spreading over threads.
            return vec![self.digest(path.as_std_path()).map_err(|error| error.to_string()).and_then(seen)];
        }
        let found = self.digests(paths).into_iter();
        found.map(|identity| identity.map_err(|error| error.to_string()).and_then(seen)).collect()
    }
}

fn seen(identity: FileIdentity) -> Result<Source, String> {
    match identity.kind {
        FileKind::File { stamp } => {
            let FileIdentity { digest, size, executable, .. } = identity;
            Ok(Source::File { digest, size, executable, stamp })
        }
        FileKind::Symlink(target) => {
            String::from_utf8(target).map(Source::Link).map_err(|_| "the link's target is not UTF-8".to_owned())
        }
    }
}
