//! The store's blobs, as exports and registries read them, and the audit that finds damaged ones.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::action::record::{Blob, ImageOutput};
use crate::digest::Digest;
use crate::oci::blob_source::BlobSource;
use crate::oci::manifest::Manifest;
use crate::registry;
use crate::store::{Store, StoreError};

/// Blobs of a store.
#[derive(Clone, Copy)]
pub struct StoreBlobs<'a>(pub &'a Store);

impl BlobSource for StoreBlobs<'_> {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.0.blobs().open(digest).map_err(io::Error::other)?))
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.0.blobs().path(digest))
    }
}

impl registry::BlobSource for StoreBlobs<'_> {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.0.blobs().open(digest).map_err(io::Error::other)?))
    }
}

/// The manifest of an image of the store, and every blob that it names: the config first, then the layers.
pub fn parts(image: &ImageOutput, store: &Store) -> Result<(Vec<u8>, Vec<Blob>), StoreError> {
    let bytes = store.blobs().read_verified(&image.manifest.digest, image.manifest.size)?;
    let path = store.blobs().path(&image.manifest.digest);
    let manifest = Manifest::parse(&bytes).map_err(|_| StoreError::Corrupt { digest: image.manifest.digest, path })?;
    let layers = manifest.layers.iter().map(|layer| Blob { digest: layer.digest, size: layer.size });
    let blobs = std::iter::once(image.config).chain(layers).collect();
    Ok((bytes, blobs))
}

/// Reads every blob of images, and of their index where they have one, but their layers' listings. Removes those that
/// aren't what their digest says: the next build makes them again. Gives the digests of the damaged ones. A blob that is
/// also `elsewhere` may be missing.
pub fn audit(
    index: Option<Blob>,
    images: &[ImageOutput],
    elsewhere: &BTreeSet<Digest>,
    store: &Store,
) -> Result<Vec<Digest>, StoreError> {
    let mut damaged = Vec::new();
    let mut check = |blob: Blob| match read(blob, store) {
        Err(StoreError::Missing { digest }) if elsewhere.contains(&digest) => Ok(()),
        Err(StoreError::Corrupt { digest, .. } | StoreError::Missing { digest }) => {
            damaged.push(digest);
            store.blobs().remove_corrupt(&digest)
        }
        other => other,
    };
    index.into_iter().try_for_each(&mut check)?;
    for image in images {
        check(image.manifest)?;
        check(image.config)?;
        if let Ok((_, blobs)) = parts(image, store) {
            blobs.into_iter().skip(1).try_for_each(&mut check)?;
        }
    }
    Ok(damaged)
}

fn read(blob: Blob, store: &Store) -> Result<(), StoreError> {
    let mut reader = store.blobs().open_verified(&blob.digest, blob.size)?;
    let copied = io::copy(&mut reader, &mut io::sink());
    copied.map(drop).map_err(|error| StoreError::io("read", &store.blobs().path(&blob.digest), error))
}
