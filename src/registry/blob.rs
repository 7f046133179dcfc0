//! Blobs to send: what they are, and where their bytes come from.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

use super::error::RegistryError;
use crate::digest::Digest;
use crate::reference::Repository;

/// A blob by digest and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDescriptor {
    /// The digest of its bytes as stored.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// Where the bytes of blobs come from: this machine, or another repository.
pub trait BlobSource {
    /// Opens a blob at its beginning; may be called again when an upload is repeated. The bytes are verified here,
    /// so an implementation need not.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>>;

    /// The repository that has a blob which this machine lacks: mounted from there where it is in the same registry,
    /// else streamed through without touching the disk. `None`: it is to be opened here.
    fn origin(&self, _digest: &Digest) -> Option<Repository> {
        None
    }
}

/// A blob's bytes as they come: from a file, or from another registry.
pub(super) enum Supply {
    /// Read on a thread of its own.
    Reader(Box<dyn Read + Send>),
    /// Sent by another registry, a few parts ahead of who takes them; a failure is the last part.
    Parts(Receiver<Result<Bytes, RegistryError>>),
}
