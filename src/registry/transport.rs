//! HTTP: one request, one answer. TLS with the system's roots, `*.localhost` on this machine, no proxy for loopback.
//!
//! Follows no redirect and knows no credentials: `session` decides both.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Body, Client, ClientBuilder, Method, Response, Url};

use super::config::Timeouts;
use super::error::{NO_ANSWER, RegistryError, RequestLine, deepest};
use super::secret::Secret;
use crate::reference::is_loopback;

/// The two HTTP clients of a process: its pooled connections, its TLS roots.
pub(super) struct Transport {
    /// For this machine: no proxy, whatever the environment says.
    near: Client,
    /// For all others: with the environment's proxies.
    far: Client,
    timeouts: Timeouts,
}

/// One request.
pub(super) struct Message {
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Its headers, without `Authorization`.
    pub headers: HeaderMap,
    /// What it carries.
    pub load: Load,
    /// Whether the answer's body may take as long as it needs: only its beginning is waited for.
    pub long: bool,
    /// Who sends it; `None`: nobody.
    pub authorization: Option<Authorization>,
}

impl Message {
    /// A request without headers, body and authorisation.
    pub fn new(method: Method, url: Url) -> Message {
        Message { method, url, headers: HeaderMap::new(), load: Load::Nothing, long: false, authorization: None }
    }
}

/// Who sends a request.
pub(super) enum Authorization {
    /// User and password.
    Basic(String, Secret),
    /// The bearer of a token.
    Bearer(Secret),
}

/// What a request carries.
pub(super) enum Load {
    /// Nothing.
    Nothing,
    /// Bytes in memory.
    Bytes(Bytes),
    /// A blob; its length stands in the headers.
    Stream(Body),
}

impl Transport {
    /// Sets up TLS and both clients.
    pub fn new(timeouts: Timeouts) -> Result<Transport, RegistryError> {
        crate::tls::install_provider();
        let near = build(&timeouts, ClientBuilder::no_proxy)?;
        let far = build(&timeouts, |builder| builder)?;
        Ok(Transport { near, far, timeouts })
    }

    /// How long a registry may stay silent.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Sends one request. An answer of any status is `Ok`.
    pub async fn send(&self, message: Message) -> Result<Response, RegistryError> {
        let Message { method, url, headers, load, long, authorization } = message;
        let client = if url.host_str().is_some_and(is_loopback) { &self.near } else { &self.far };
        let line = RequestLine::new(&method, &url);
        let request = client.request(method, url).headers(headers);
        let request = match authorization {
            None => request,
            Some(Authorization::Basic(user, password)) => request.basic_auth(user, Some(password.expose())),
            Some(Authorization::Bearer(token)) => request.bearer_auth(token.expose()),
        };
        let request = match load {
            Load::Nothing if long => request,
            Load::Nothing => request.timeout(self.timeouts.answer),
            Load::Bytes(bytes) => request.timeout(self.timeouts.answer).body(bytes),
            Load::Stream(body) => request.body(body),
        };
        let answer = request.send();
        let answer = match long {
            false => answer.await,
            true => match tokio::time::timeout(self.timeouts.answer, answer).await {
                Ok(answer) => answer,
                Err(_) => return Err(RegistryError::Broken { request: line, cause: NO_ANSWER.to_owned() }),
            },
        };
        answer.map_err(|error| RegistryError::unanswered(line, &error))
    }
}

fn build(timeouts: &Timeouts, with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, RegistryError> {
    let builder = Client::builder()
        .user_agent(concat!("layerbuild/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeouts.connect)
        .dns_resolver(Arc::new(Resolver));
    with(builder).build().map_err(|error| RegistryError::Client { cause: deepest(&error) })
}

/// The system's resolver, but for `localhost` and what is below it: those are this machine, whatever it says.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if is_loopback(name.as_str()) {
                let own = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
                return Ok(Box::new(own.into_iter()) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
