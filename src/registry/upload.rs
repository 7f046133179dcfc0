//! Gets one blob into one repository: asks for it, mounts it from another repository, or sends it.
//!
//! Sent whole in one request where the registry takes that, else in chunks (OCI distribution-spec, "Pushing a blob in
//! chunks"). A broken upload goes on where the registry says that it stands; where it says nothing of use, anew.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};

use super::answer::describes;
use super::auth::Scope;
use super::blob::BlobDescriptor;
use super::error::RegistryError;
use super::feed::{Feed, Open};
use super::session::{Notice, Payload, Request, Session};
use super::standing::{At, Standing, least, taken};
use crate::digest::Digest;
use crate::reference::RepositoryPath;

/// How a blob came into a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It was found there.
    Present,
    /// It was mounted from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// Whether a repository has a blob: one HEAD.
pub(super) async fn has(
    session: &Session<'_>,
    path: &RepositoryPath,
    blob: BlobDescriptor,
) -> Result<bool, RegistryError> {
    let request = question(session, path, blob.digest);
    session.retrying(async || asked(session, &request, blob).await).await
}

fn question<'a>(session: &Session<'_>, path: &RepositoryPath, digest: Digest) -> Request<'a> {
    Request::new(Method::HEAD, session.url(path, &format!("blobs/{digest}")), path)
}

/// Asks whether a repository has a blob, once.
pub(super) async fn asked(
    session: &Session<'_>,
    request: &Request<'_>,
    blob: BlobDescriptor,
) -> Result<bool, RegistryError> {
    let response = session.exchange(request).await?;
    match response.status() {
        // Something else than the blob, such as a proxy's page, is not the blob.
        StatusCode::OK => Ok(describes(response.headers(), blob.digest, blob.size)),
        StatusCode::NOT_FOUND => Ok(false),
        _ => Err(session.refused(request, response).await),
    }
}

/// An upload of one blob to one repository.
pub(super) struct Upload<'a> {
    /// The registry.
    pub session: &'a Session<'a>,
    /// The repository.
    pub path: &'a RepositoryPath,
    /// The blob.
    pub blob: BlobDescriptor,
    /// Opens it at its first byte.
    pub open: &'a Open<'a>,
    /// Hears how many bytes were sent, now and then; the number falls when an upload goes back.
    pub progress: &'a dyn Fn(u64),
}

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(200);

impl Upload<'_> {
    /// Brings the blob there, by a mount from `from` where the registry grants it.
    pub async fn run(&self, from: Option<&RepositoryPath>) -> Result<How, RegistryError> {
        let mut standing = Standing::default();
        if let Some(from) = from {
            match self.session.retrying(async || self.mount(from).await).await {
                Ok(Mount::Done) => return Ok(How::Mounted),
                Ok(Mount::Refused(location)) => standing.location = location,
                // A registry that fails at mounts may still take the blob.
                Err(RegistryError::Status { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let (standing, taken) = (Cell::new(standing), Cell::new(0));
        let attempt = async || {
            let mut known = standing.take();
            let result = self.attempt(&mut known).await;
            known.broke = true;
            taken.set(known.taken);
            standing.set(known);
            result
        };
        self.session.retrying_on(attempt, || taken.get()).await
    }

    /// Sends what the registry lacks of the blob. After a break, a registry that has it by now is not sent it again.
    async fn attempt(&self, standing: &mut Standing) -> Result<How, RegistryError> {
        if standing.broke
            && asked(self.session, &question(self.session, self.path, self.blob.digest), self.blob).await?
        {
            return Ok(How::Sent);
        }
        let feed = Feed::new(self.blob, self.open);
        let mut at = self.stand(standing).await?;
        loop {
            (standing.location, standing.taken) = (Some(at.location.clone()), at.offset);
            let left = self.blob.size - at.offset;
            let length = standing.chunk.map_or(left, |chunk| chunk.min(left));
            at = match self.piece(&at, length, &feed).await {
                Ok(None) => return Ok(How::Sent),
                Ok(Some(next)) => next,
                Err(error) if standing.mends(&error, length) => {
                    (self.session.notices)(Notice::Retrying { error, wait: Duration::ZERO });
                    self.stand(standing).await?
                }
                Err(error) => return Err(error),
            };
        }
    }

    /// Where the upload goes on: at the registry's session where that is still of use, else at a new one.
    async fn stand(&self, standing: &mut Standing) -> Result<At, RegistryError> {
        if let Some(location) = standing.location.take() {
            if !standing.broke {
                return Ok(At { location, offset: 0 });
            }
            if let Some(at) = self.resume(location).await? {
                return Ok(at);
            }
        }
        let request = Request::new(Method::POST, self.session.url(self.path, "blobs/uploads/"), self.path);
        let response = self.session.exchange(&request).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.session.refused(&request, response).await);
        }
        standing.least = least(response.headers());
        Ok(At { location: request.location(response.url(), response.headers())?, offset: 0 })
    }

    /// Asks a session how far it got; `None` where it can't go on.
    async fn resume(&self, location: Url) -> Result<Option<At>, RegistryError> {
        let request = Request::new(Method::GET, location.clone(), self.path);
        let response = self.session.exchange(&request).await?;
        if !response.status().is_success() {
            return match self.session.refused(&request, response).await {
                error if error.retry().is_some() => Err(error),
                _ => Ok(None),
            };
        }
        // Registries say `0-0` both of one byte and of none.
        let Some(offset) = taken(response.headers()).filter(|offset| (2..=self.blob.size).contains(offset)) else {
            return Ok(None);
        };
        Ok(Some(At { location: request.location(response.url(), response.headers()).unwrap_or(location), offset }))
    }

    /// Sends a piece of the blob; the last one ends the upload. Where it goes on, `None` at the end.
    async fn piece(&self, at: &At, length: u64, feed: &Feed<'_>) -> Result<Option<At>, RegistryError> {
        let end = at.offset + length;
        let last = end == self.blob.size;
        let mut url = at.location.clone();
        if last {
            url.query_pairs_mut().append_pair("digest", &self.blob.digest.to_string());
        }
        let open = || feed.piece(at.offset, length);
        let mut request = Request::new(if last { Method::PUT } else { Method::PATCH }, url, self.path);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if length > 0 && length < self.blob.size {
            let range = HeaderValue::from_str(&format!("{}-{}", at.offset, end - 1));
            request.headers.insert(CONTENT_RANGE, range.expect("digits are a header"));
        }
        request.payload = Payload::Stream(length, &open);
        let answer = self.watch(&request, feed).await;
        if let Some(failure) = feed.failure() {
            return Err(failure);
        }
        let response = answer?;
        match response.status() {
            status if !status.is_success() => Err(self.session.refused(&request, response).await),
            StatusCode::CREATED | StatusCode::NO_CONTENT if last => Ok(None),
            status if last => Err(request.protocol(format!("answered {status} to the end of an upload"))),
            _ => next(at, end, &request, &response).map(Some),
        }
    }

    /// Sends the request, tells of progress, and gives up when there is none for too long.
    async fn watch(&self, request: &Request<'_>, feed: &Feed<'_>) -> Result<Response, RegistryError> {
        let mut exchange = pin!(self.session.exchange(request));
        let (mut sent, mut idle) = (0, Duration::ZERO);
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                () = tokio::time::sleep(TICK) => {}
            }
            let now = feed.sent();
            idle = if now == sent { idle + TICK } else { Duration::ZERO };
            sent = now;
            (self.progress)(sent);
            if idle >= self.session.transport.timeouts().stall {
                let cause = format!("no progress for {} s after {sent} bytes", idle.as_secs());
                return Err(RegistryError::TooSlow { request: request.line(), cause });
            }
        }
    }

    async fn mount(&self, from: &RepositoryPath) -> Result<Mount, RegistryError> {
        let mut url = self.session.url(self.path, "blobs/uploads/");
        url.query_pairs_mut().append_pair("mount", &self.blob.digest.to_string()).append_pair("from", from.as_str());
        let mut request = Request::new(Method::POST, url, self.path);
        request.scope = Some(Scope { from: Some(from.clone()), ..Scope::of(self.path) });
        let response = match self.session.exchange(&request).await {
            // The token server does not let us read there: that is no reason not to send the blob.
            Err(RegistryError::Unauthorized { .. } | RegistryError::Denied { .. }) => return Ok(Mount::Refused(None)),
            response => response?,
        };
        match response.status().as_u16() {
            201 => Ok(Mount::Done),
            202 => Ok(Mount::Refused(Some(request.location(response.url(), response.headers())?))),
            400 | 401 | 403 | 404 | 405 => Ok(Mount::Refused(None)),
            _ => Err(self.session.refused(&request, response).await),
        }
    }
}

enum Mount {
    Done,
    /// The registry may have begun an upload session instead.
    Refused(Option<Url>),
}

/// Where an upload goes on after a chunk that ended before `end`: where the registry says, else there.
fn next(at: &At, end: u64, request: &Request<'_>, response: &Response) -> Result<At, RegistryError> {
    let location = request.location(response.url(), response.headers())?;
    let offset = taken(response.headers()).unwrap_or(end);
    if offset <= at.offset || offset > end {
        let cause = format!("it says that it has {offset} bytes after a chunk of the bytes {} to {end}", at.offset);
        return Err(RegistryError::Broken { request: request.line(), cause });
    }
    Ok(At { location, offset })
}
