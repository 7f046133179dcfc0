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

/// Progress after which failures are counted anew.
const PROGRESS: u64 = 1 << 20;

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
        self.retrying_on(action, || 0).await
    }

    /// The same of something long. `done`: how many bytes of it stand; after each further mebibyte, failures are counted
    /// anew.
    pub async fn retrying_on<T>(
        &self,
        action: impl AsyncFn() -> Result<T, RegistryError>,
        done: impl Fn() -> u64,
    ) -> Result<T, RegistryError> {
        let (mut attempt, mut mark) = (0, 0);
        loop {
            let error = match action().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if done() >= mark + PROGRESS {
                (attempt, mark) = (0, done());
            }
            let wait = error.retry().and_then(|asked| self.retry.wait(attempt, asked, random()));
            let Some(wait) = wait else { return Err(error) };
            attempt = self.retry.next(attempt, error.took_long());
            (self.notices)(Notice::Retrying { error, wait });
            tokio::time::sleep(wait).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn location(from: &str, to: &'static str) -> Result<String, String> {
        let from: Url = from.parse().expect("a URL");
        let request = Request::new(Method::POST, from.clone(), &"a".parse().expect("a path"));
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(to))]);
        request.location(&from, &headers).map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_upload_may_go_elsewhere_and_neither_to_plain_http_nor_from_afar_to_this_machine() {
        let here = "https://h.io/v2/a/blobs/uploads/";
        assert_eq!(location(here, "/v2/x?y=1"), Ok("https://h.io/v2/x?y=1".to_owned()));
        assert_eq!(location(here, "https://store.example/x"), Ok("https://store.example/x".to_owned()));
        assert!(location(here, "http://h.io/v2/x").is_err_and(|text| text.contains("X-Forwarded-Proto")));
        assert!(location(here, "https://127.0.0.1/x").is_err_and(|text| text.contains("to this machine")));
        assert!(location("http://h.io/", "http://localhost:5000/x").is_err());
        assert!(location("http://localhost/", "http://127.0.0.1:5000/x").is_ok());
        assert!(location(here, "file:///etc/passwd").is_err_and(|text| text.contains("`file`")));
    }
}
