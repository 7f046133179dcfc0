//! Runs `tar`: an archive's members as a tree, their content left where it is in the plain tar.
//!
//! The archive's own digest is taken once more meanwhile: what another content made must not be remembered under the
//! key of the one that was asked for.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{Workshop, layer};
use crate::action::record::Output;
use crate::action::{Archive, TarLayer};
use crate::build::error::BuildError;
use crate::digest::{Digest, Hasher};
use crate::file_stat::{FileStat, Stamp};
use crate::label::Label;
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::store::StoreError;

/// Makes the layer. `label`: the target's; `fetched`: what a fetch gave, where the archive comes from one.
pub fn run(
    label: &Label,
    action: &TarLayer,
    fetched: Option<&Output>,
    shop: &Workshop<'_>,
) -> Result<Output, BuildError> {
    let (path, expected, stamp): (PathBuf, Digest, _) = match (&action.archive, fetched) {
        (Archive::Source(source), _) => (shop.sources.at(&source.path).into(), source.digest, source.stamp),
        (Archive::Fetched(_), Some(output)) => (shop.store.blobs().path(&output.digest()), output.digest(), None),
        (Archive::Fetched(_), None) => unreachable!("an action runs when its inputs are built"),
    };
    let attempt = |stamp| watched(&path, expected, stamp, || make(label, action, &path, shop));
    // A link made or a mode set meanwhile leaves another stamp as well: the second time it is the content.
    let made = match attempt(stamp) {
        Watched::Other => attempt(None),
        same => same,
    };
    match made {
        Watched::Same(made) => made,
        Watched::Other => Err(match &action.archive {
            Archive::Source(source) => BuildError::Changed { path: source.path.clone() },
            Archive::Fetched(_) => StoreError::Corrupt { digest: expected, path }.into(),
        }),
    }
}

fn make(label: &Label, action: &TarLayer, archive: &Path, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let spool = tempfile::NamedTempFile::new_in(shop.store.path().join("tmp"));
    let spool = spool.map_err(|error| StoreError::io("create", shop.store.path(), error))?;
    let tree = read_archive(archive, spool.path(), &TarOptions { mtime: action.mtime })?;
    layer::make(label, &tree, &action.compression, shop)
}

enum Watched<T> {
    /// The file had the expected content all the while; or it can't be read, which `T` says better.
    Same(T),
    /// It had not.
    Other,
}

/// Does something with a file. Its digest is taken beside it, unless it has the stamp that vouches for the expected one.
fn watched<T>(path: &Path, expected: Digest, stamp: Option<Stamp>, work: impl FnOnce() -> T) -> Watched<T> {
    let before = stamp_of(path);
    let vouched = stamp.is_some() && before == stamp;
    let (made, found) = std::thread::scope(|scope| {
        let hashing = (!vouched).then(|| scope.spawn(|| digest(path)));
        (work(), hashing.map(|hashing| hashing.join()))
    });
    match found {
        Some(Ok(Ok(found))) if found != expected => Watched::Other,
        Some(Ok(Err(_))) => Watched::Same(made),
        _ if stamp_of(path) != before => Watched::Other,
        _ => Watched::Same(made),
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    FileStat::of(File::open(path).ok()?).ok().map(|stat| stat.stamp)
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
        assert!(matches!(watched(&path, expected, None, || 7), Watched::Same(7)));
        assert!(matches!(watched(&path, Digest::of(b"two"), None, || ()), Watched::Other), "before");
        let grow = || std::fs::write(&path, "one and more").unwrap();
        assert!(matches!(watched(&path, expected, None, grow), Watched::Other), "after");
    }

    #[test]
    fn a_stamp_vouches_for_the_digest_until_the_file_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        std::fs::write(&path, "one").unwrap();
        let stamp = stamp_of(&path);
        assert!(matches!(watched(&path, Digest::of(b"two"), stamp, || 7), Watched::Same(7)), "it is not hashed");
        let grow = || std::fs::write(&path, "one and more").unwrap();
        assert!(matches!(watched(&path, Digest::of(b"one"), stamp, grow), Watched::Other), "meanwhile");
        assert!(matches!(watched(&path, Digest::of(b"one"), stamp, || ()), Watched::Other), "before");
    }

    #[test]
    fn of_a_file_that_is_gone_the_work_itself_tells() {
        assert!(matches!(watched(Path::new("/no/such"), Digest::of(b""), None, || 7), Watched::Same(7)));
    }
}
