//! Somebody else's images, as they are read here: the seam to registries.
//!
//! Plain values and one trait; who implements it sees to credentials, mirrors, retries and resumed downloads.

use std::io::Read;

use crate::digest::Digest;
use crate::oci::descriptor::Descriptor;
use crate::reference::{Reference, Repository};

/// Images by reference.
pub trait Remote: Sync {
    /// The manifest or index that a reference names: by its digest where it has one, verified against it; else by its tag.
    fn document(&self, image: &Reference) -> Result<Document, RemoteError>;

    /// What a tag names at this moment, without its bytes; `None` where it is not there.
    fn tag(&self, image: &Reference) -> Result<Option<Digest>, RemoteError>;

    /// Opens a blob for reading from one end to the other. The end comes only after all bytes were right; until then
    /// an error may come, which says what a [`RemoteError`] would.
    fn open<'a>(&'a self, blob: &RemoteBlob) -> Result<Box<dyn Read + Send + 'a>, RemoteError>;
}

/// A blob, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteBlob {
    /// The repository that holds it.
    pub repository: Repository,
    /// Of its bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl RemoteBlob {
    /// The blob that a descriptor describes.
    pub fn of(repository: &Repository, blob: &Descriptor) -> RemoteBlob {
        RemoteBlob { repository: repository.clone(), digest: blob.digest, size: blob.size }
    }
}

/// A manifest or index as its registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Of `bytes`.
    pub digest: Digest,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// Why a registry gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// Which registry, which request, what it answered and what to do, as a phrase.
    pub message: String,
    /// Whether what was asked for is at fault, and not the network or the registry.
    pub mistake: bool,
}
