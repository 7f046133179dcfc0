//! Blobs to send: where their bytes come from, and a stream of them that ends only if they are the right ones.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::Body;
use tokio::sync::mpsc::{self, Sender};

use super::error::RegistryError;
use crate::digest::{Digest, Hasher};
use crate::reason::reason;

/// A blob by digest and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDescriptor {
    /// The digest of its bytes as stored.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// Where the bytes of blobs come from; the store, or another registry.
pub trait BlobSource {
    /// Opens a blob at its beginning; may be called again when an upload is repeated. The bytes are verified here,
    /// so an implementation need not.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>>;
}

/// A blob as it is being sent.
pub(super) struct Sending {
    blob: BlobDescriptor,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sent: AtomicU64,
    failure: Mutex<Option<RegistryError>>,
}

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

impl Sending {
    /// A blob of which nothing was sent yet.
    pub fn new(blob: BlobDescriptor) -> Sending {
        Sending { blob, shared: Arc::default() }
    }

    /// How many bytes were handed to the connection.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Why the blob itself could not be sent, whatever the connection made of it; `None` where it could.
    pub fn failure(&self) -> Option<RegistryError> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The body of a request. Its last bytes are held back until all are known to be the right ones, so that a
    /// request with wrong bytes stays unfinished and no registry can take it for complete.
    pub fn body(&self, source: &dyn BlobSource) -> Result<Body, RegistryError> {
        let digest = self.blob.digest;
        let reader = source.open(&digest).map_err(|error| RegistryError::Source { digest, cause: reason(&error) })?;
        let (sender, mut receiver) = mpsc::channel(4);
        let (blob, shared) = (self.blob, self.shared.clone());
        shared.sent.store(0, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            if let Err(failure) = pump(blob, reader, &sender, &shared) {
                *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
                let _ = sender.blocking_send(Err(failure));
            }
        });
        Ok(Body::wrap_stream(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))))
    }
}

type Part = Result<Bytes, RegistryError>;

/// Reads, hashes and hands on, one chunk behind. Ends quietly where nobody takes the chunks any more.
fn pump(
    blob: BlobDescriptor,
    mut reader: impl Read,
    sender: &Sender<Part>,
    shared: &Shared,
) -> Result<(), RegistryError> {
    let digest = blob.digest;
    let (mut hasher, mut held, mut total) = (Hasher::new(), Bytes::new(), 0);
    loop {
        let chunk = read_chunk(&mut reader).map_err(|error| RegistryError::Source { digest, cause: reason(&error) })?;
        hasher.update(&chunk);
        total += chunk.len() as u64;
        if chunk.is_empty() || total > blob.size {
            break;
        }
        if !hand_on(std::mem::replace(&mut held, chunk), sender, shared) {
            return Ok(());
        }
    }
    let found = hasher.finish();
    if found != digest || total != blob.size {
        return Err(RegistryError::DigestMismatch { digest, found });
    }
    hand_on(held, sender, shared);
    Ok(())
}

/// Whether somebody still takes chunks.
fn hand_on(chunk: Bytes, sender: &Sender<Part>, shared: &Shared) -> bool {
    let size = chunk.len() as u64;
    let taken = chunk.is_empty() || sender.blocking_send(Ok(chunk)).is_ok();
    shared.sent.fetch_add(size, Ordering::Relaxed);
    taken
}

/// A full chunk, or what is left; empty at the end.
fn read_chunk(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::with_capacity(CHUNK);
    reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}
