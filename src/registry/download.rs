//! A blob as a stream of verified bytes that goes on where it broke off, at the next place where one fails.
//!
//! The last bytes are handed out only when all are known to be the right ones, in number and by SHA-256. Owned, so that
//! it outlives the call that opened it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::answer::{header, is_html, message};
use super::blob::BlobDescriptor;
use super::endpoint::{Shared, open_with};
use super::error::{RegistryError, RequestLine};
use super::place::Search;
use super::retry::ONCE;
use super::session::{Notice, Request, Session};
use crate::digest::Hasher;
use crate::reference::Repository;

/// Who hears of retries, for streams that outlive the call which opened them.
pub(super) type Notices = Arc<dyn Fn(Notice) + Send + Sync>;

/// A blob that is being read.
pub(super) struct Download {
    shared: Arc<Shared>,
    notices: Notices,
    blob: BlobDescriptor,
    /// Where it may come from.
    search: Search,
    /// How many bytes had been received when attempts were last counted anew.
    mark: u64,
    body: Option<Body>,
    /// The last request, for messages.
    line: Option<RequestLine>,
    hasher: Hasher,
    /// How many bytes were received and hashed.
    received: u64,
    /// Received, and not handed out yet.
    held: Bytes,
    /// Whether any bytes were handed out.
    begun: bool,
    done: bool,
}

/// What must come within the time that a registry may stay silent: less is as good as nothing.
const LEAST: usize = 16 * 1024;

/// Progress after which failures are counted anew.
const PROGRESS: u64 = 1 << 20;

struct Body {
    request: RequestLine,
    response: Response,
    /// How many bytes to pass over: of an answer that begins at the beginning although it was asked for the rest.
    skip: u64,
    /// Until when some more must have come.
    deadline: Instant,
    /// How many bytes came since the deadline was set.
    since: usize,
}

impl Download {
    /// A blob of which nothing was asked for yet. `repository`: as written; its mirrors are tried first.
    pub fn new(
        shared: Arc<Shared>,
        repository: &Repository,
        blob: BlobDescriptor,
        notices: Notices,
    ) -> Result<Download, RegistryError> {
        let search = Search::new(&shared, format!("{repository}@{}", blob.digest), repository)?;
        Ok(Download {
            shared,
            notices,
            blob,
            search,
            mark: 0,
            body: None,
            line: None,
            hasher: Hasher::new(),
            received: 0,
            held: Bytes::new(),
            begun: false,
            done: false,
        })
    }

    /// The next bytes; `None` after the last, once. The bytes of a blob that turns out wrong end in an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        while !self.done {
            match self.read().await {
                Ok(Some(chunk)) => {
                    let before = std::mem::replace(&mut self.held, chunk);
                    if !before.is_empty() {
                        self.begun = true;
                        return Ok(Some(before));
                    }
                }
                Ok(None) => self.done = true,
                Err(error) => self.failed(error).await?,
            }
        }
        let last = std::mem::take(&mut self.held);
        Ok(Some(last).filter(|last| !last.is_empty()))
    }

    /// The same in parts that come in on another thread, a few ahead and no longer than somebody takes them: for a
    /// request's body, or a reader. A failure is the last part. Called within a runtime.
    pub fn parts(mut self) -> mpsc::Receiver<Result<Bytes, RegistryError>> {
        let (sender, receiver) = mpsc::channel(4);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                loop {
                    let part = tokio::select! {
                        part = self.next() => part.transpose(),
                        () = sender.closed() => None,
                    };
                    let Some(part) = part else { break };
                    let failed = part.is_err();
                    if sender.send(part).await.is_err() || failed {
                        break;
                    }
                }
            });
        });
        receiver
    }

    /// The next bytes as they come in; `None` when all were received and are right.
    async fn read(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let Some(body) = &mut self.body else {
                // A connection that broke after the last byte has done its work.
                if self.received == self.blob.size && self.blob.size > 0 {
                    return self.end();
                }
                self.body = Some(self.ask().await?);
                continue;
            };
            let stall = self.shared.transport.timeouts().stall;
            let Some(mut chunk) = body.chunk(stall).await? else { return self.end() };
            let skipped = body.skip.min(chunk.len() as u64);
            body.skip -= skipped;
            chunk.advance(skipped as usize);
            if !chunk.is_empty() {
                self.take(&chunk)?;
                return Ok(Some(chunk));
            }
        }
    }

    fn take(&mut self, chunk: &Bytes) -> Result<(), RegistryError> {
        let received = self.received + chunk.len() as u64;
        if received > self.blob.size {
            let BlobDescriptor { digest, size } = self.blob;
            let what = format!("blob {digest} is larger than the {size} bytes that its manifest says");
            return Err(RegistryError::WrongSize { request: self.line(), what });
        }
        self.received = received;
        self.hasher.update(chunk);
        Ok(())
    }

    /// At the end of an answer.
    fn end(&mut self) -> Result<Option<Bytes>, RegistryError> {
        let request = self.line();
        if self.received < self.blob.size {
            let cause = format!("the answer ended after {} of {} bytes", self.received, self.blob.size);
            return Err(RegistryError::Broken { request, cause });
        }
        let found = std::mem::replace(&mut self.hasher, Hasher::new()).finish();
        match found == self.blob.digest {
            true => Ok(None),
            false => Err(RegistryError::WrongBytes { request, wanted: self.blob.digest, found }),
        }
    }

    fn line(&self) -> RequestLine {
        self.line.clone().unwrap_or_default()
    }

    /// After a failure: goes on, here or at the next place; an error where there is none.
    async fn failed(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.body = None;
        if matches!(error, RegistryError::WrongBytes { .. }) {
            // What was handed out can't be taken back: then another place can't mend it.
            if self.begun {
                return Err(error);
            }
            (self.hasher, self.received, self.mark, self.held) = (Hasher::new(), 0, 0, Bytes::new());
        } else if self.received - self.mark >= PROGRESS {
            self.mark = self.received;
            if error.retry().is_some() {
                return self.search.stay(error, &*self.notices).await;
            }
        }
        self.search.go_on(error, &*self.notices).await
    }

    async fn ask(&mut self) -> Result<Body, RegistryError> {
        let Some(place) = self.search.place() else {
            return Err(RegistryError::Client { cause: "a blob was read on after its end".to_owned() });
        };
        let session = open_with(&self.shared, &place.registry, &ONCE, &*self.notices).await?;
        let mut request = Request::reading(
            Method::GET,
            session.url(&place.path, &format!("blobs/{}", self.blob.digest)),
            &place.path,
        );
        if self.received > 0 {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.received)).expect("digits are a header");
            request.headers.insert(RANGE, range);
        }
        request.long = true;
        self.line = Some(request.line());
        let response = session.exchange(&request).await?;
        self.accept(&session, &request, response).await
    }

    async fn accept(
        &self,
        session: &Session<'_>,
        request: &Request<'_>,
        response: Response,
    ) -> Result<Body, RegistryError> {
        let line = request.line();
        let rest = self.blob.size - self.received;
        let (skip, expected) = match response.status() {
            StatusCode::OK => (self.received, self.blob.size),
            StatusCode::PARTIAL_CONTENT if starts_at(&response) == Some(self.received) => (0, rest),
            StatusCode::PARTIAL_CONTENT => {
                let what = "it answers another range than the one asked for".to_owned();
                return Err(RegistryError::Protocol { request: line, what });
            }
            StatusCode::NOT_FOUND => {
                return Err(RegistryError::Missing { request: line, message: message(response).await });
            }
            _ => return Err(session.refused(request, response).await),
        };
        match response.content_length().filter(|length| *length != expected) {
            None => {
                let deadline = Instant::now() + self.shared.transport.timeouts().stall;
                Ok(Body { request: line, response, skip, deadline, since: 0 })
            }
            Some(_) if is_html(response.headers()) => {
                let what = "answered with a page of HTML instead of a blob".to_owned();
                Err(RegistryError::Protocol { request: line, what })
            }
            Some(length) => {
                let BlobDescriptor { digest, size } = self.blob;
                let what = match self.received {
                    0 => format!("it sends {length} bytes of blob {digest} where its manifest says {size}"),
                    _ => format!("it sends {length} bytes of blob {digest} where {expected} of {size} are missing"),
                };
                Err(RegistryError::WrongSize { request: line, what })
            }
        }
    }
}

/// Where the part of a `206` begins (RFC 9110 §14.4).
fn starts_at(response: &Response) -> Option<u64> {
    let range = header(response.headers(), CONTENT_RANGE.as_str())?.strip_prefix("bytes ")?;
    range.split('-').next()?.trim().parse().ok()
}

impl Body {
    /// The next bytes; `None` at the end.
    async fn chunk(&mut self, stall: Duration) -> Result<Option<Bytes>, RegistryError> {
        let Ok(chunk) = tokio::time::timeout_at(self.deadline, self.response.chunk()).await else {
            let cause = format!("no more than {} bytes came within {} s", self.since, stall.as_secs_f32());
            return Err(RegistryError::TooSlow { request: self.request.clone(), cause });
        };
        let chunk = chunk.map_err(|error| RegistryError::unanswered(self.request.clone(), &error))?;
        self.since += chunk.as_ref().map_or(0, Bytes::len);
        if self.since >= LEAST {
            (self.deadline, self.since) = (Instant::now() + stall, 0);
        }
        Ok(chunk)
    }
}

/// A blob as a reader, for whoever reads on an ordinary thread; the error of a read wraps a [`RegistryError`]. Ended
/// before the end, it stops the transfer.
pub struct BlobReader {
    parts: mpsc::Receiver<Result<Bytes, RegistryError>>,
    part: Bytes,
    /// How many bytes are still to come.
    left: u64,
    /// What the parts come from lives as long as they are read.
    _runtime: Arc<Runtime>,
}

impl BlobReader {
    /// Begins to read.
    pub(super) fn new(download: Download, runtime: Arc<Runtime>) -> BlobReader {
        let left = download.blob.size;
        let parts = {
            let _entered = runtime.enter();
            download.parts()
        };
        BlobReader { parts, part: Bytes::new(), left, _runtime: runtime }
    }
}

impl io::Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.part = part.map_err(io::Error::other)?,
                // An end that nobody vouches for is none.
                None if self.left > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => return Ok(0),
            }
        }
        let size = self.part.len().min(buffer.len());
        self.part.copy_to_slice(&mut buffer[..size]);
        self.left -= size as u64;
        Ok(size)
    }
}
