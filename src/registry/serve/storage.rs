//! What the server asks of whoever keeps the bytes: a small trait, and the values that cross it.
//!
//! All of it blocks and may be called from many threads at once. Knows nothing of HTTP and of how anything is kept.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::ops::Range;

use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

/// The place could not be read or written: a full disk, a damaged file. The text goes to the client and to the server's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StorageError(pub String);

/// A manifest as it is given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// As it was pushed.
    pub media_type: String,
    /// As they were pushed; of the digest that was asked for.
    pub bytes: Vec<u8>,
}

/// A manifest to be kept, and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The manifest.
    pub manifest: StoredManifest,
    /// Blobs that the repository must have.
    pub blobs: BTreeSet<Digest>,
    /// Manifests that the repository must have.
    pub manifests: BTreeSet<Digest>,
    /// The manifest that this one says something about; it need not exist.
    pub subject: Option<Digest>,
}

/// What became of a wish to delete a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, with the tags that pointed to it.
    Done,
    /// There was none.
    Unknown,
    /// An index of the repository names it, so it stays.
    NeededBy(Digest),
}

/// Keeps what a registry holds.
pub trait Storage: Send + Sync + 'static {
    /// Repositories that hold a manifest, sorted.
    fn repositories(&self) -> Result<Vec<RepositoryPath>, StorageError>;
    /// A repository's tags, in any order.
    fn tags(&self, repository: &RepositoryPath) -> Result<Vec<Tag>, StorageError>;
    /// What a tag points to; `None` where there is no such tag.
    fn tagged(&self, repository: &RepositoryPath, tag: &Tag) -> Result<Option<Digest>, StorageError>;

    /// A manifest, its digest checked; `None` where the repository has none of this digest, or lost what it names.
    fn manifest(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<StoredManifest>, StorageError>;
    /// The manifests whose subject this digest is.
    fn referrers(&self, repository: &RepositoryPath, subject: &Digest) -> Result<Vec<StoredManifest>, StorageError>;
    /// Keeps a manifest, and then points the tag to it. Where the repository lacks what the manifest names, nothing is done
    /// and the lacking digests are given.
    fn publish(
        &self,
        repository: &RepositoryPath,
        publication: &Publication,
        tag: Option<&Tag>,
    ) -> Result<BTreeSet<Digest>, StorageError>;
    /// Takes a tag away; whether there was one.
    fn delete_tag(&self, repository: &RepositoryPath, tag: &Tag) -> Result<bool, StorageError>;
    /// Takes a manifest away, and every tag that points to it.
    fn delete_manifest(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Deleted, StorageError>;

    /// A blob's size in bytes; `None` where the repository doesn't have it.
    fn blob(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<u64>, StorageError>;
    /// Reads a part of a blob, of which [`Storage::blob`] gave the size. Reading fails before its end where the blob's bytes
    /// are not those of its digest.
    fn open(&self, digest: &Digest, size: u64, part: Range<u64>) -> Result<Box<dyn Read + Send>, StorageError>;
    /// Makes a blob of one repository another one's too; whether the first had it.
    fn mount(&self, digest: &Digest, from: &RepositoryPath, to: &RepositoryPath) -> Result<bool, StorageError>;
    /// A blob that is about to come.
    fn begin(&self) -> Result<Box<dyn Incoming>, StorageError>;
}

/// A blob that is coming. Dropped before it is kept, it leaves nothing.
pub trait Incoming: Write + Send {
    /// How many bytes came so far.
    fn size(&self) -> u64;
    /// Makes it a repository's blob if it has this digest; else it is dropped, and the digest that it has is given.
    fn keep(self: Box<Self>, repository: &RepositoryPath, digest: &Digest) -> Result<Result<(), Digest>, StorageError>;
}
