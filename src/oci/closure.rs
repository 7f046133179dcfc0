//! All blobs that manifests and indexes stand on.
//!
//! Reads manifests and indexes, never configs or layers. For whoever moves whole images.

use std::collections::BTreeMap;
use std::io;

use crate::digest::Digest;
use crate::oci::blob_source::{BlobSource, read_small};
use crate::oci::descriptor::Descriptor;
use crate::oci::index::Index;
use crate::oci::manifest::{Manifest, ReadError, is_index};
use crate::reason::reason;

/// Blobs by digest, with their sizes in bytes.
pub type Blobs = BTreeMap<Digest, u64>;

/// A manifest or index that can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// It can't be read from the source.
    #[error("{digest} can't be read: {}", reason(source))]
    Read {
        /// The manifest or index.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// Its bytes are no manifest and no index.
    #[error("{digest} is no manifest: {source}")]
    Parse {
        /// The manifest or index.
        digest: Digest,
        /// Why.
        source: ReadError,
    },
}

/// The blobs of the manifests and indexes, themselves included.
pub fn closure<'a>(
    roots: impl IntoIterator<Item = &'a Descriptor>,
    source: &dyn BlobSource,
) -> Result<Blobs, ClosureError> {
    let mut blobs = Blobs::new();
    let mut waiting: Vec<Descriptor> = roots.into_iter().cloned().collect();
    while let Some(Descriptor { digest, size, .. }) = waiting.pop() {
        if blobs.insert(digest, size).is_some() {
            continue;
        }
        let bytes = read_small(source, digest, size).map_err(|source| ClosureError::Read { digest, source })?;
        let parse = |source| ClosureError::Parse { digest, source };
        if is_index(&bytes).map_err(parse)? {
            waiting.extend(Index::parse(&bytes).map_err(parse)?.into_iter().map(|line| line.descriptor));
        } else {
            let manifest = Manifest::parse(&bytes).map_err(parse)?;
            let parts = manifest.layers.iter().chain([&manifest.config]);
            blobs.extend(parts.map(|part| (part.digest, part.size)));
        }
    }
    Ok(blobs)
}
