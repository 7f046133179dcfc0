//! What a push is asked for, what comes of it, and what it tells on the way: plain values.

use bytes::Bytes;

use super::blob::BlobDescriptor;
use super::session::Notice;
use crate::digest::Digest;
use crate::reference::{Reference, Repository, RepositoryPath, Tag};

/// An image to publish.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// Where to.
    pub repository: Repository,
    /// The tags to move to it; none: it is published by digest only.
    pub tags: Vec<Tag>,
    /// The manifest's bytes; their digest is the image's.
    pub manifest: Bytes,
    /// The manifest's media type.
    pub media_type: String,
    /// All blobs that the manifest names, the config among them; an index names none.
    pub blobs: Vec<BlobDescriptor>,
    /// Of an index: its images, put by digest before it. Empty for an image.
    pub children: Vec<Child>,
    /// Repositories of the same registry that may have some of the blobs (its base images'): mounted from there.
    pub mount_from: Vec<RepositoryPath>,
}

/// An image of an index.
#[derive(Debug, Clone)]
pub struct Child {
    /// The manifest's bytes.
    pub manifest: Bytes,
    /// The manifest's media type.
    pub media_type: String,
    /// All blobs that the manifest names, the config among them.
    pub blobs: Vec<BlobDescriptor>,
}

/// An image as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is; with the registry's port where it was found on another than the scheme's own.
    pub repository: Repository,
    /// Its digest.
    pub digest: Digest,
    /// The tags that point to it.
    pub tags: Vec<Tag>,
    /// Whether the registry had all of it before, tags included.
    pub unchanged: bool,
}

impl Pushed {
    /// The image by its first tag, where it has one, and its digest.
    pub fn reference(&self) -> Reference {
        let Repository { registry, path } = self.repository.clone();
        Reference { registry: Some(registry), path, tag: self.tags.first().cloned(), digest: Some(self.digest) }
    }
}

/// What a push does, as it does it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushEvent {
    /// The registry has the image and its tags: nothing is sent.
    Unchanged(Repository, Digest),
    /// A blob was found in the repository.
    BlobPresent(Repository, BlobDescriptor),
    /// A blob was mounted from another repository of the registry.
    BlobMounted {
        /// Where it is now.
        to: Repository,
        /// Where it was.
        from: RepositoryPath,
        /// The blob.
        blob: BlobDescriptor,
    },
    /// Bytes of a blob sent so far; begins anew when an upload is tried again.
    BlobProgress(Repository, BlobDescriptor, u64),
    /// A blob was sent.
    BlobSent(Repository, BlobDescriptor),
    /// A manifest can be pulled by its digest now.
    ManifestPut(Repository, Digest),
    /// A tag points to a manifest now.
    Tagged(Repository, Tag, Digest),
    /// Something on the way.
    Notice(Notice),
}
