//! Runs `tar`: an archive's members as a tree, their content left where it is in the plain tar.
//!
//! The archive's own digest is taken once more meanwhile: what another content made must not be remembered under the
//! key of the one that was asked for.

use std::fs::{File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Workshop, layer};
use crate::action::record::Output;
use crate::action::{Archive, TarLayer};
use crate::build::error::BuildError;
use crate::digest::{Digest, Hasher};
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::store::StoreError;

/// Makes the layer. `fetched`: what a fetch gave, where the archive comes from one.
pub fn run(action: &TarLayer, fetched: Option<&Output>, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let (path, expected): (PathBuf, Digest) = match (&action.archive, fetched) {
        (Archive::Source(source), _) => (shop.root.join(&source.path).into(), source.digest),
        (Archive::Fetched(_), Some(output)) => (shop.store.blobs().path(&output.digest()), output.digest()),
        (Archive::Fetched(_), None) => unreachable!("an action runs when its inputs are built"),
    };
    match watched(&path, expected, || make(action, &path, shop)) {
        Watched::Same(made) => made,
        Watched::Other => Err(match &action.archive {
            Archive::Source(source) => BuildError::Changed { path: source.path.clone() },
            Archive::Fetched(_) => StoreError::Corrupt { digest: expected, path }.into(),
        }),
    }
}

fn make(action: &TarLayer, archive: &Path, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let spool = tempfile::NamedTempFile::new_in(shop.store.path().join("tmp"));
    let spool = spool.map_err(|error| StoreError::io("create", shop.store.path(), error))?;
    let tree = read_archive(archive, spool.path(), &TarOptions { mtime: action.mtime })?;
    layer::make(&tree, &action.compression, shop)
}

enum Watched<T> {
    /// The file had the expected content all the while; or it can't be read, which `T` says better.
    Same(T),
    /// It had not.
    Other,
}

/// Does something with a file while its digest is taken beside it.
fn watched<T>(path: &Path, expected: Digest, work: impl FnOnce() -> T) -> Watched<T> {
    let before = stat(path);
    let (made, found) = std::thread::scope(|scope| {
        let hashing = scope.spawn(|| digest(path));
        (work(), hashing.join())
    });
    match found {
        Ok(Ok(found)) if found != expected || stat(path) != before => Watched::Other,
        _ => Watched::Same(made),
    }
}

fn stat(path: &Path) -> Option<(u64, u64, i64, i64, i64, i64)> {
    let of =
        |stat: Metadata| (stat.ino(), stat.size(), stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec());
    path.metadata().ok().map(of)
}

fn digest(path: &Path) -> io::Result<Digest> {
    let mut hasher = Hasher::new();
    io::copy(&mut BufReader::with_capacity(1 << 18, File::open(path)?), &mut hasher)?;
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_another_before_or_after_the_work_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        std::fs::write(&path, "one").unwrap();
        let expected = Digest::of(b"one");
        assert!(matches!(watched(&path, expected, || 7), Watched::Same(7)));
        assert!(matches!(watched(&path, Digest::of(b"two"), || ()), Watched::Other), "before");
        let grow = || std::fs::write(&path, "one and more").unwrap();
        assert!(matches!(watched(&path, expected, grow), Watched::Other), "after");
    }

    #[test]
    fn of_a_file_that_is_gone_the_work_itself_tells() {
        assert!(matches!(watched(Path::new("/no/such"), Digest::of(b""), || 7), Watched::Same(7)));
    }
}
