//! The bytes of one blob on their way into requests, piece by piece; the last ones are let out only if all are right.
//!
//! Takes a blob and a way to open it anew; gives bodies of requests. Holds a few chunks in memory, never the blob.
//! Knows nothing of registries.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use reqwest::Body;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::blob::{BlobDescriptor, Supply};
use super::error::RegistryError;
use crate::digest::{Digest, Hasher};
use crate::reason::reason;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// A blob as it is being sent.
pub(super) struct Feed<'a> {
    blob: BlobDescriptor,
    open: &'a Open<'a>,
    /// The bytes from some place on; `None` before the first piece.
    tap: Mutex<Option<Arc<Mutex<Tap>>>>,
    sent: Arc<AtomicU64>,
    failure: Slot,
}

/// Gives a blob's bytes from the first on, each time it is called.
pub(super) type Open<'a> = dyn Fn() -> Result<Supply, RegistryError> + 'a;

/// Where the bytes come out.
struct Tap {
    receiver: Receiver<Part>,
    /// What was received and not handed out yet.
    rest: Bytes,
    /// The place in the blob of the next byte to be handed out.
    position: u64,
}

type Part = Result<Bytes, RegistryError>;
type Slot = Arc<Mutex<Option<RegistryError>>>;

impl<'a> Feed<'a> {
    /// A blob of which nothing was sent yet.
    pub fn new(blob: BlobDescriptor, open: &'a Open<'a>) -> Feed<'a> {
        Feed { blob, open, tap: Mutex::default(), sent: Arc::default(), failure: Arc::default() }
    }

    /// The place in the blob up to which bytes were handed to the connection.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Why the blob itself could not be sent, whatever the connection made of it; `None` where it could.
    pub fn failure(&self) -> Option<RegistryError> {
        lock(&self.failure).clone()
    }

    /// The body of a request that carries `length` bytes from `start` on. The blob's last bytes are held back until
    /// all are known to be the right ones, so that a request with wrong bytes stays unfinished and no registry can
    /// take it for complete. A piece that follows the one before goes on reading; any other begins anew.
    pub fn piece(&self, start: u64, length: u64) -> Result<Body, RegistryError> {
        let mut current = lock(&self.tap);
        let tap = match current.take().filter(|tap| lock(tap).position == start) {
            Some(tap) => tap,
            None => self.begin(start)?,
        };
        *current = Some(tap.clone());
        self.sent.store(start, Ordering::Relaxed);
        let (mut left, sent) = (length, self.sent.clone());
        let take = move |context: &mut Context<'_>| {
            let part = ready!(lock(&tap).take(left, context));
            let taken = part.as_ref().and_then(|part| part.as_ref().ok()).map_or(0, |part| part.len() as u64);
            left -= taken;
            sent.fetch_add(taken, Ordering::Relaxed);
            Poll::Ready(part)
        };
        Ok(Body::wrap_stream(futures_util::stream::poll_fn(take)))
    }

    fn begin(&self, skip: u64) -> Result<Arc<Mutex<Tap>>, RegistryError> {
        *lock(&self.failure) = None;
        let (sender, receiver) = mpsc::channel(4);
        let gate = Gate { blob: self.blob, hasher: Hasher::new(), held: Bytes::new(), total: 0, skip };
        let failure = self.failure.clone();
        match (self.open)()? {
            Supply::Reader(reader) => {
                tokio::task::spawn_blocking(move || read(gate, reader, &sender, &failure));
            }
            Supply::Parts(parts) => {
                tokio::spawn(forward(gate, parts, sender, failure));
            }
        }
        Ok(Arc::new(Mutex::new(Tap { receiver, rest: Bytes::new(), position: skip })))
    }
}

impl Tap {
    /// The next bytes, at most `left`.
    fn take(&mut self, left: u64, context: &mut Context<'_>) -> Poll<Option<Part>> {
        if left == 0 {
            return Poll::Ready(None);
        }
        if self.rest.is_empty() {
            match ready!(self.receiver.poll_recv(context)) {
                Some(Ok(part)) => self.rest = part,
                end => return Poll::Ready(end),
            }
        }
        let size = self.rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.position += size as u64;
        Poll::Ready(Some(Ok(self.rest.split_to(size))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a file into the tap, to its end or until nobody takes the bytes any more.
fn read(mut gate: Gate, mut reader: impl Read, sender: &Sender<Part>, failure: &Mutex<Option<RegistryError>>) {
    let digest = gate.blob.digest;
    let end = loop {
        let chunk = match read_chunk(&mut reader) {
            Ok(chunk) => chunk,
            Err(error) => break Err(RegistryError::Source { digest, cause: reason(&error) }),
        };
        if chunk.is_empty() {
            break gate.end();
        }
        match gate.pass(chunk) {
            Ok(part) if !part.is_empty() && sender.blocking_send(Ok(part.clone())).is_err() => return,
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    let _ = sender.blocking_send(noted(end, failure));
}

/// As [`read`], of what another registry sends.
async fn forward(mut gate: Gate, mut parts: Receiver<Part>, sender: Sender<Part>, failure: Slot) {
    let end = loop {
        let part = match parts.recv().await {
            None => break gate.end(),
            Some(chunk) => chunk.and_then(|chunk| gate.pass(chunk)),
        };
        match part {
            Ok(part) if !part.is_empty() && sender.send(Ok(part.clone())).await.is_err() => return,
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    let _ = sender.send(noted(end, &failure)).await;
}

fn noted(end: Part, failure: &Mutex<Option<RegistryError>>) -> Part {
    end.inspect_err(|error| *lock(failure) = Some(error.clone()))
}

/// A full chunk, or what is left; empty at the end.
fn read_chunk(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::with_capacity(CHUNK);
    reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

/// Hashes what passes and stays one chunk behind.
struct Gate {
    blob: BlobDescriptor,
    hasher: Hasher,
    held: Bytes,
    total: u64,
    /// How many bytes at the beginning are hashed and not let out.
    skip: u64,
}

impl Gate {
    /// Takes a chunk in, lets the one before out.
    fn pass(&mut self, chunk: Bytes) -> Part {
        self.hasher.update(&chunk);
        self.total += chunk.len() as u64;
        if self.total > self.blob.size {
            return Err(self.mismatch());
        }
        let out = std::mem::replace(&mut self.held, chunk);
        Ok(self.skipped(out))
    }

    /// Lets the last chunk out if all were the right ones.
    fn end(mut self) -> Part {
        if self.total != self.blob.size || self.found() != self.blob.digest {
            return Err(self.mismatch());
        }
        let out = std::mem::take(&mut self.held);
        Ok(self.skipped(out))
    }

    fn found(&self) -> Digest {
        self.hasher.clone().finish()
    }

    fn mismatch(&self) -> RegistryError {
        RegistryError::DigestMismatch { digest: self.blob.digest, found: self.found() }
    }

    fn skipped(&mut self, mut out: Bytes) -> Bytes {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX).min(out.len());
        out.advance(skip);
        self.skip -= skip as u64;
        out
    }
}
