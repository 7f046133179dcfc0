//! Finds the address at which a registry answers, and learns what it wants to know of us: one `GET /v2/` each.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};

use super::answer::header;
use super::auth::Authenticator;
use super::config::ClientConfig;
use super::credentials::Credentials;
use super::error::{RegistryError, Tried};
use super::session::{Notice, Payload, Request, Session};
use super::transport::Transport;
use crate::reference::Registry;

/// What all sessions of a process share.
pub(super) struct Shared {
    /// What the caller decided.
    pub config: ClientConfig,
    /// How requests are sent.
    pub transport: Transport,
    /// Who we are where.
    pub credentials: Credentials,
}

/// An address that may be the registry's.
struct Candidate {
    registry: Registry,
    base: Url,
}

/// Opens a session at the first address that answers as a registry.
pub(super) async fn open<'a>(
    shared: &'a Shared,
    registry: &Registry,
    notices: &'a dyn Fn(Notice),
) -> Result<Session<'a>, RegistryError> {
    first(shared, registry, candidates(&shared.config, registry), notices).await
}

async fn first<'a>(
    shared: &'a Shared,
    registry: &Registry,
    candidates: Vec<Candidate>,
    notices: &'a dyn Fn(Notice),
) -> Result<Session<'a>, RegistryError> {
    let mut tried = Vec::new();
    for candidate in candidates {
        let address = address(&candidate.base);
        let session = session(shared, candidate, notices);
        match session.retrying_ping().await? {
            None => return Ok(session),
            Some(cause) => tried.push(Tried { address, cause }),
        }
    }
    Err(RegistryError::Unreachable { registry: registry.clone(), tried })
}

fn session<'a>(shared: &'a Shared, candidate: Candidate, notices: &'a dyn Fn(Notice)) -> Session<'a> {
    let Candidate { registry, base } = candidate;
    let auth = Authenticator::new(registry.clone(), &shared.transport, &shared.credentials);
    Session { registry, base, auth, transport: &shared.transport, retry: &shared.config.retry, notices }
}

/// The addresses of a registry, in the order in which they are tried. A registry on this machine that is written
/// without a port is on 80, else on 5000, where Docker's own listens.
fn candidates(config: &ClientConfig, registry: &Registry) -> Vec<Candidate> {
    let scheme = if config.is_plain(registry) { "http" } else { "https" };
    let mut all = vec![registry.clone()];
    if registry.is_loopback() && registry.port.is_none() {
        all.push(registry.with_port(5000));
    }
    let candidate = |registry: Registry| {
        let base = format!("{scheme}://{registry}/").parse().ok()?;
        Some(Candidate { registry, base })
    };
    all.into_iter().filter_map(candidate).collect()
}

/// What is connected to, as `host:port`: names of this machine as the address they stand for.
fn address(base: &Url) -> String {
    let host = match base.host_str() {
        Some(host) if crate::reference::is_loopback(host) && !host.starts_with('[') => "127.0.0.1",
        host => host.unwrap_or_default(),
    };
    format!("{host}:{}", base.port_or_known_default().unwrap_or_default())
}

impl Session<'_> {
    /// Asks whether a registry is there; why not, where none is.
    async fn retrying_ping(&self) -> Result<Option<String>, RegistryError> {
        match self.retrying(async || self.ping().await).await {
            // Nobody listens: trying again would only delay the message.
            Err(RegistryError::Broken { cause, .. }) => Ok(Some(cause)),
            answer => answer,
        }
    }

    async fn ping(&self) -> Result<Option<String>, RegistryError> {
        let mut url = self.base.clone();
        url.set_path("/v2/");
        let headers = HeaderMap::new();
        let request = Request { method: Method::GET, url, scope: None, headers, payload: Payload::Nothing };
        let response = self.exchange(&request).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => {
                self.auth.learn(response.headers());
                Ok(None)
            }
            status if status.is_success() || status == StatusCode::FORBIDDEN || names_itself(response.headers()) => {
                Ok(None)
            }
            status if status.is_client_error() => Ok(Some(format!("answers {status}, which no registry does"))),
            _ => Err(self.refused(&request, response).await),
        }
    }
}

fn names_itself(headers: &HeaderMap) -> bool {
    header(headers, "docker-distribution-api-version").is_some()
}
