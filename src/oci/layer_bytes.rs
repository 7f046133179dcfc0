//! What is known of a layer once it is written, and why one can't be: plain values.

use std::io;

use crate::digest::{DiffId, Digest};
use crate::layer_path::LayerPath;
use crate::oci::chunk_memory::{Border, ChunkPlace};
use crate::oci::content::ContentError;
use crate::oci::tar_write::BadHardLink;

/// What is known of a layer once it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerBytes {
    /// Digest of the tar.
    pub diff_id: DiffId,
    /// Length of the tar in bytes.
    pub uncompressed_size: u64,
    /// Digest of the blob.
    pub digest: Digest,
    /// Length of the blob in bytes.
    pub size: u64,
    /// The chunks in their order; none when the layer is one stream.
    pub chunks: Vec<ChunkPlace>,
    /// Where hashing stood between some of them.
    pub borders: Vec<Border>,
}

/// Why a layer can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A source can't be read, or isn't what it was.
    #[error("{path}: {source}")]
    Content {
        /// Where it would stand in the layer.
        path: LayerPath,
        /// What is wrong with the source.
        source: ContentError,
    },
    /// The tree names a hard link's target that it doesn't hold.
    #[error(transparent)]
    HardLink(#[from] BadHardLink),
    /// The blob can't be written (disk full), or the compressor failed.
    #[error("can't write the layer")]
    Write(#[from] io::Error),
}

impl LayerError {
    /// Something is wrong with the source of what would stand at a path.
    pub(super) fn content(path: &LayerPath, source: ContentError) -> LayerError {
        LayerError::Content { path: path.clone(), source }
    }
}
