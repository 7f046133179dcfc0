//! Runs `tar`: an archive's members as a tree, their content left where it is in the plain tar.

use super::{Workshop, layer};
use crate::action::record::Output;
use crate::action::{Archive, TarLayer};
use crate::build::error::BuildError;
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::store::StoreError;

/// Makes the layer. `fetched`: what a fetch gave, where the archive comes from one.
pub fn run(action: &TarLayer, fetched: Option<&Output>, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let archive = match (&action.archive, fetched) {
        (Archive::Source(source), _) => shop.root.join(&source.path).into(),
        (Archive::Fetched(_), Some(output)) => shop.store.blobs().path(&output.digest()),
        (Archive::Fetched(_), None) => unreachable!("an action runs when its inputs are built"),
    };
    let spool = tempfile::NamedTempFile::new_in(shop.store.path().join("tmp"));
    let spool = spool.map_err(|error| StoreError::io("create", shop.store.path(), error))?;
    let tree = read_archive(&archive, spool.path(), &TarOptions { mtime: action.mtime })?;
    layer::make(&tree, &action.compression, shop)
}
