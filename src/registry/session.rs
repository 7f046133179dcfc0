//! One registry that is talked to: requests with credentials where they may go, redirects, retries.
//!
//! Credentials go to the registry's own origin only (scheme, host and port), never along a redirect or to an upload
//! location elsewhere. Knows nothing of blobs and manifests.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response, StatusCode, Url};

use super::answer::{header, refusal};
use super::auth::{Authenticator, Scope};
use super::error::{RegistryError, RequestLine};
use super::retry::{RetryPolicy, random};
use super::transport::{Load, Message, Transport};
use crate::reference::{Registry, RepositoryPath, is_loopback};

/// What happens on the way and may interest someone who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A request failed and will be tried again.
    Retrying {
        /// Why it failed.
        error: RegistryError,
        /// How long we wait first.
        wait: Duration,
    },
}

/// A registry, at the address that answered.
pub(super) struct Session<'a> {
    /// The registry as written.
    pub written: Registry,
    /// The registry as reached: with a port where that isn't the scheme's own.
    pub registry: Registry,
    /// Its address, ending in `/`.
    pub base: Url,
    /// Who we are there.
    pub auth: Arc<Authenticator>,
    /// How requests are sent.
    pub transport: &'a Transport,
    /// When failed requests are tried again.
    pub retry: &'a RetryPolicy,
    /// Who hears of retries.
    pub notices: &'a dyn Fn(Notice),
}

/// A request to a registry; it can be sent again.
pub(super) struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Where it goes first.
    pub url: Url,
    /// What it needs to be allowed; `None` for a request that comes as nobody.
    pub scope: Option<Scope>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Payload<'a>,
    /// Whether the answer's body may take as long as it needs: only its beginning is waited for.
    pub long: bool,
}

/// A body that can be made again for each time the request is sent.
pub(super) enum Payload<'a> {
    /// No body.
    Nothing,
    /// Bytes in memory.
    Bytes(bytes::Bytes),
    /// A blob of a known size.
    Stream(u64, &'a dyn Fn() -> Result<Body, RegistryError>),
}

impl Payload<'_> {
    fn load(&self, headers: &mut HeaderMap) -> Result<Load, RegistryError> {
        Ok(match self {
            Payload::Nothing => Load::Nothing,
            Payload::Bytes(bytes) => Load::Bytes(bytes.clone()),
            Payload::Stream(size, open) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(*size));
                Load::Stream(open()?)
            }
        })
    }
}

impl<'a> Request<'a> {
    /// A request on one repository, without headers and body.
    pub fn new(method: Method, url: Url, path: &RepositoryPath) -> Request<'a> {
        let scope = Some(Scope::of(path));
        Request { method, url, scope, headers: HeaderMap::new(), payload: Payload::Nothing, long: false }
    }

    /// A request that reads one repository.
    pub fn reading(method: Method, url: Url, path: &RepositoryPath) -> Request<'a> {
        Request { scope: Some(Scope::reading(path)), ..Request::new(method, url, path) }
    }

    /// Method and address, for messages.
    pub fn line(&self) -> RequestLine {
        RequestLine::new(&self.method, &self.url)
    }

    /// The error of an answer that no registry gives.
    pub fn protocol(&self, what: impl Into<String>) -> RegistryError {
        RegistryError::Protocol { request: self.line(), what: what.into() }
    }

    /// Where the answer's `Location` points, seen from `from`. Leaving HTTPS for plain HTTP is refused, and so is a
    /// registry elsewhere that sends us to this machine.
    pub fn location(&self, from: &Url, headers: &HeaderMap) -> Result<Url, RegistryError> {
        let location = header(headers, LOCATION.as_str()).ok_or_else(|| self.protocol("the answer has no Location"))?;
        let url = from.join(location).map_err(|_| self.protocol("the answer's Location is no address"))?;
        let is_plain = url.scheme() == "http";
        if !is_plain && url.scheme() != "https" {
            return Err(self.protocol(format!("it points to a `{}` address", url.scheme())));
        }
        let near = |url: &Url| url.host_str().is_some_and(is_loopback);
        if near(&url) && !near(from) {
            return Err(self.protocol("it points to this machine, from another, which is refused"));
        }
        if is_plain && from.scheme() == "https" {
            let what = "it points from HTTPS to plain HTTP, which is refused (a proxy before a registry has to tell it so by `X-Forwarded-Proto: https`)";
            return Err(self.protocol(what));
        }
        Ok(url)
    }
}

/// How often a request may be sent elsewhere, the second time with a fresh token included.
const MAX_HOPS: usize = 6;

impl Session<'_> {
    /// An address below `/v2/<path>/`. `rest` is `blobs/…`, `manifests/…`.
    pub fn url(&self, path: &RepositoryPath, rest: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{path}/{rest}"));
        url
    }

    /// Sends a request: with our credentials where they may go, once more when they are refused, along redirects.
    /// An answer of any status is `Ok`.
    pub async fn exchange(&self, request: &Request<'_>) -> Result<Response, RegistryError> {
        let mut url = request.url.clone();
        let mut renewed = false;
        for _ in 0..MAX_HOPS {
            let response = self.send(request, &url).await?;
            if response.status() == StatusCode::UNAUTHORIZED && !renewed && self.renew(request, &url, &response) {
                renewed = true;
            } else if follows(&request.method, response.status()) {
                url = request.location(&url, response.headers())?;
            } else {
                return Ok(response);
            }
        }
        Err(request.protocol("it sends us in circles"))
    }

    /// Prepares a second attempt after a 401; whether there is any point in one.
    fn renew(&self, request: &Request<'_>, url: &Url, response: &Response) -> bool {
        let Some(scope) = request.scope.as_ref().filter(|_| self.is_own(url)) else { return false };
        self.auth.forget(scope);
        self.auth.learn(response.headers())
    }

    async fn send(&self, request: &Request<'_>, url: &Url) -> Result<Response, RegistryError> {
        let mut message = Message::new(request.method.clone(), url.clone(), &self.written);
        message.own = self.is_own(url);
        message.headers = request.headers.clone();
        message.long = request.long;
        message.load = request.payload.load(&mut message.headers)?;
        if let Some(scope) = request.scope.as_ref().filter(|_| self.is_own(url)) {
            message.authorization = self.auth.authorization(scope).await?;
        }
        self.transport.send(message).await
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// The error that an answer stands for.
    pub async fn refused(&self, request: &Request<'_>, response: Response) -> RegistryError {
        let note = match &request.scope {
            Some(scope) => self.auth.note(scope).await,
            None => "look at its configuration".to_owned(),
        };
        refusal(request.line(), response, note).await
    }

    /// Does something again as long as it fails in a way that may pass.
    pub async fn retrying<T>(&self, action: impl AsyncFn() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        let mut attempt = 0;
        loop {
            let error = match action().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let wait = error.retry().and_then(|asked| self.retry.wait(attempt, asked, random()));
            let Some(wait) = wait else { return Err(error) };
            (self.notices)(Notice::Retrying { error, wait });
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

/// Whether a redirect keeps the method, so that following it still means the same.
fn follows(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        307 | 308 => true,
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        _ => false,
    }
}
