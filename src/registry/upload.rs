//! Gets one blob into one repository: asks for it, mounts it from another repository, or sends it whole.
//!
//! An upload that breaks is begun anew; resuming one belongs here, and nowhere else.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};

use super::auth::Scope;
use super::blob::{BlobDescriptor, BlobSource, Sending};
use super::error::RegistryError;
use super::session::{Payload, Request, Session};
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
pub(super) async fn has(session: &Session<'_>, path: &RepositoryPath, digest: Digest) -> Result<bool, RegistryError> {
    let request = question(session, path, digest);
    session.retrying(async || asked(session, &request).await).await
}

fn question<'a>(session: &Session<'_>, path: &RepositoryPath, digest: Digest) -> Request<'a> {
    Request::new(Method::HEAD, session.url(path, &format!("blobs/{digest}")), path)
}

async fn asked(session: &Session<'_>, request: &Request<'_>) -> Result<bool, RegistryError> {
    let response = session.exchange(request).await?;
    match response.status() {
        StatusCode::OK => Ok(true),
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
    /// Where its bytes come from.
    pub source: &'a dyn BlobSource,
    /// Hears how many bytes were sent, now and then; the number falls when an upload is begun anew.
    pub progress: &'a dyn Fn(u64),
}

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(200);

impl Upload<'_> {
    /// Brings the blob there, by a mount from `from` where the registry grants it.
    pub async fn run(&self, from: Option<&RepositoryPath>) -> Result<How, RegistryError> {
        let mut location = None;
        if let Some(from) = from {
            match self.session.retrying(async || self.mount(from).await).await? {
                Mount::Done => return Ok(How::Mounted),
                Mount::Refused(session) => location = session,
            }
        }
        let state = Cell::new(State::Fresh(location));
        self.session.retrying(async || self.attempt(state.replace(State::Again)).await).await
    }

    /// Sends the blob once. After a break, a registry that has it by now is not sent it again.
    async fn attempt(&self, state: State) -> Result<How, RegistryError> {
        let location = match state {
            State::Fresh(Some(location)) => location,
            State::Again if self.has().await? => return Ok(How::Sent),
            State::Fresh(None) | State::Again => self.begin().await?,
        };
        self.send(location).await.map(|()| How::Sent)
    }

    async fn has(&self) -> Result<bool, RegistryError> {
        asked(self.session, &question(self.session, self.path, self.blob.digest)).await
    }

    async fn begin(&self) -> Result<Url, RegistryError> {
        let request = Request::new(Method::POST, self.session.url(self.path, "blobs/uploads/"), self.path);
        let response = self.session.exchange(&request).await?;
        match response.status() {
            StatusCode::ACCEPTED => request.location(response.url(), response.headers()),
            _ => Err(self.session.refused(&request, response).await),
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

    async fn send(&self, mut location: Url) -> Result<(), RegistryError> {
        location.query_pairs_mut().append_pair("digest", &self.blob.digest.to_string());
        let sending = Sending::new(self.blob);
        let open = || sending.body(self.source);
        let mut request = Request::new(Method::PUT, location, self.path);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        request.payload = Payload::Stream(self.blob.size, &open);
        let answer = self.watch(&request, &sending).await;
        if let Some(failure) = sending.failure() {
            return Err(failure);
        }
        let response = answer?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(self.session.refused(&request, response).await),
        }
    }

    /// Sends the request, tells of progress, and gives up when there is none for too long.
    async fn watch(&self, request: &Request<'_>, sending: &Sending) -> Result<Response, RegistryError> {
        let mut exchange = pin!(self.session.exchange(request));
        let (mut sent, mut idle) = (0, Duration::ZERO);
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                () = tokio::time::sleep(TICK) => {}
            }
            let now = sending.sent();
            idle = if now == sent { idle + TICK } else { Duration::ZERO };
            sent = now;
            (self.progress)(sent);
            if idle >= self.session.transport.timeouts().stall {
                let cause = format!("no progress for {} s after {sent} bytes", idle.as_secs());
                return Err(RegistryError::Broken { request: request.line(), cause });
            }
        }
    }
}

/// Where an upload stands.
enum State {
    /// Nothing was sent; a refused mount may have begun a session.
    Fresh(Option<Url>),
    /// An attempt broke.
    Again,
}

enum Mount {
    Done,
    /// The registry may have begun an upload session instead.
    Refused(Option<Url>),
}
