//! Layers as directories: each laid out once by its diff ID, in the store, by whoever needs it first.
//!
//! What lies there was held against the diff ID when it was unpacked.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::BuildError;
use super::{Workshop, bring};
use crate::digest::{Digest, Hasher};
use crate::layer_path::LayerPath;
use crate::oci::decompress::decompress;
use crate::oci::descriptor::Layer;
use crate::sandbox::task::{Answer, Task};
use crate::store::{StepFolder, StoreError};

/// A folder for a step, removed with all that is in it when dropped.
pub struct Scratch<'a> {
    folder: StepFolder,
    shop: &'a Workshop<'a>,
}

impl<'a> Scratch<'a> {
    /// A new one.
    pub fn new(shop: &'a Workshop<'a>) -> Result<Scratch<'a>, BuildError> {
        Ok(Scratch { folder: shop.store.roots().step()?, shop })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    /// A new directory in it.
    pub fn directory(&self, name: &str) -> Result<PathBuf, BuildError> {
        let path = self.folder.path.join(name);
        fs::create_dir_all(&path).map_err(|error| StoreError::io("create", &path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        // What belongs to a sandbox's users only a sandbox can remove, and root.
        if fs::remove_dir_all(&self.folder.path).is_err() {
            let task = Task::Remove(vec![self.folder.path.clone()]);
            let _ = self.shop.sandbox.perform(&task, None, &|_| {});
        }
    }
}

/// A path of the sandbox below a folder of the host.
pub(super) fn below(folder: &Path, path: &LayerPath) -> PathBuf {
    folder.join(OsStr::from_bytes(path.as_bytes()))
}

/// Removes what processes that were killed left behind.
pub fn clear(shop: &Workshop<'_>) -> Result<(), BuildError> {
    for folder in shop.store.roots().left_behind()? {
        drop(Scratch { folder, shop });
    }
    Ok(())
}

/// Of two steps that need the same layer, the second waits for it.
static LAYING_OUT: Mutex<()> = Mutex::new(());

/// The directory of a layer whose blob is in the store or in a shared cache, or which lies there already.
pub fn laid_out(layer: &Layer, shop: &Workshop<'_>) -> Result<PathBuf, BuildError> {
    let place = shop.store.roots().path(&layer.diff_id);
    let _alone = LAYING_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    if shop.store.roots().contains(&layer.diff_id) {
        return Ok(place);
    }
    let scratch = Scratch::new(shop)?;
    let archive = scratch.path().join("tar");
    let found = unpack(layer, &archive, shop)?;
    if found != layer.diff_id.0 {
        let path = shop.store.blobs().path(&layer.descriptor.digest);
        return Err(StoreError::Corrupt { digest: layer.descriptor.digest, path }.into());
    }
    let into = scratch.directory("root")?;
    let ended = shop.sandbox.perform(&Task::LayOut { archive, into: into.clone() }, None, &|_| {})?;
    if let Answer::Unfit(why) = ended.answer {
        return Err(BuildError::LeftBehind(why));
    }
    shop.store.roots().adopt(&into, &layer.diff_id)?;
    Ok(place)
}

/// Writes a layer's plain tar; gives its digest.
pub(super) fn unpack(layer: &Layer, archive: &Path, shop: &Workshop<'_>) -> Result<Digest, BuildError> {
    let descriptor = &layer.descriptor;
    bring::bring(descriptor.digest, descriptor.size, None, shop)?;
    let blob = shop.store.blobs().open_verified(&descriptor.digest, descriptor.size)?;
    let unreadable = |error| StoreError::io("read", &shop.store.blobs().path(&descriptor.digest), error);
    let (_, mut tar) = decompress(blob).map_err(unreadable)?;
    let unwritable = |error| StoreError::io("write", archive, error);
    let mut file = File::create(archive).map_err(unwritable)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match tar.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                io::Write::write_all(&mut file, &buffer[..count]).map_err(unwritable)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error).into()),
        }
    }
}
