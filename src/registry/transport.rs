//! HTTP: one request, one answer. TLS with the system's roots or a registry's own, `*.localhost` on this machine.
//!
//! Contacts nobody whom the caller forbids. Follows no redirect and knows no credentials: `session` decides both.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Body, Certificate, Client, ClientBuilder, Identity, Method, Proxy, Response, StatusCode, Url};

use super::config::{ClientConfig, HostConfig, Timeouts};
use super::error::{NO_ANSWER, RegistryError, RequestLine, deepest};
use super::proxy::ProxyRules;
use super::secret::Secret;
use crate::reason::reason;
use crate::reference::{Registry, is_loopback};

/// The HTTP clients of a process, each made when it is first needed: pooled connections, TLS roots.
pub(super) struct Transport {
    config: ClientConfig,
    proxies: Arc<ProxyRules>,
    clients: Mutex<HashMap<Trust, Client>>,
}

/// Whom a client trusts, and as whom it comes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Trust {
    /// Nobody: for plain HTTP, so that a machine without roots can use it.
    Nobody,
    /// The system's roots.
    System,
    /// These, and the registry's own authority; with our certificate for it where that may go.
    Own { registry: Registry, identify: bool },
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
    /// The registry on whose behalf it is sent, as the caller wrote it: its authority is trusted wherever it goes.
    pub registry: Registry,
    /// Whether it goes to the registry itself, which alone sees our certificate.
    pub own: bool,
}

impl Message {
    /// A request without headers, body and authorisation, to anybody.
    pub fn new(method: Method, url: Url, registry: &Registry) -> Message {
        Message {
            method,
            url,
            headers: HeaderMap::new(),
            load: Load::Nothing,
            long: false,
            authorization: None,
            registry: registry.clone(),
            own: false,
        }
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
    /// For a caller's settings; reads nothing yet.
    pub fn new(config: &ClientConfig) -> Result<Transport, RegistryError> {
        crate::tls::install_provider();
        let proxies = Arc::new(ProxyRules::new(&config.proxies)?);
        Ok(Transport { config: config.clone(), proxies, clients: Mutex::default() })
    }

    /// How long a registry may stay silent.
    pub fn timeouts(&self) -> &Timeouts {
        &self.config.timeouts
    }

    /// Sends one request. An answer of any status is `Ok`.
    pub async fn send(&self, message: Message) -> Result<Response, RegistryError> {
        let line = RequestLine::new(&message.method, &message.url);
        self.permit(&line, &message.url)?;
        let client = self.client(&message)?;
        let Message { method, url, headers, load, long, authorization, .. } = message;
        let proxy = self.proxies.shown(&url);
        let request = client.request(method, url).headers(headers);
        let request = match authorization {
            None => request,
            Some(Authorization::Basic(user, password)) => request.basic_auth(user, Some(password.expose())),
            Some(Authorization::Bearer(token)) => request.bearer_auth(token.expose()),
        };
        let limit = self.config.timeouts.answer;
        let request = match load {
            Load::Nothing if long => request,
            Load::Nothing => request.timeout(limit),
            Load::Bytes(bytes) => request.timeout(limit).body(bytes),
            Load::Stream(body) => request.body(body),
        };
        let answer = if long { tokio::time::timeout(limit, request.send()).await } else { Ok(request.send().await) };
        match answer {
            Ok(Ok(answer)) if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let cause = "the proxy wants user and password in its variable (407)".to_owned();
                Err(RegistryError::NoConnection { request: line, cause }.through(proxy))
            }
            Ok(answer) => answer.map_err(|error| RegistryError::unanswered(line, &error).through(proxy)),
            Err(_) => Err(RegistryError::TooSlow { request: line, cause: NO_ANSWER.to_owned() }.through(proxy)),
        }
    }

    /// Refuses hosts that the caller does not allow: every request comes past here, to token servers and along
    /// redirects too.
    fn permit(&self, line: &RequestLine, url: &Url) -> Result<(), RegistryError> {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let is_allowed = |allow: &super::config::AllowHosts| allow.covers(host, port);
        if !self.config.offline && self.config.allow.iter().all(is_allowed) {
            return Ok(());
        }
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Err(RegistryError::NotAllowed { request: line.clone(), host, offline: self.config.offline })
    }

    fn client(&self, message: &Message) -> Result<Client, RegistryError> {
        let host = self.config.hosts.get(&message.registry).filter(|host| host.has_tls());
        let trust = match (message.url.scheme(), host) {
            ("http", _) => Trust::Nobody,
            (_, None) => Trust::System,
            (_, Some(_)) => Trust::Own { registry: message.registry.clone(), identify: message.own },
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&trust) {
            return Ok(client.clone());
        }
        let client = self.build(&trust, host)?;
        clients.insert(trust, client.clone());
        Ok(client)
    }

    fn build(&self, trust: &Trust, host: Option<&HostConfig>) -> Result<Client, RegistryError> {
        let proxies = self.proxies.clone();
        let builder = Client::builder()
            .user_agent(concat!("layerbuild/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.config.timeouts.connect)
            .dns_resolver(Arc::new(Resolver))
            .no_proxy()
            .proxy(Proxy::custom(move |url| proxies.of(url).cloned()));
        let builder = match (trust, host) {
            (Trust::Nobody, _) => builder.tls_certs_only([]),
            (Trust::Own { registry, identify }, Some(host)) => own(builder, registry, host, *identify)?,
            _ => builder,
        };
        builder.build().map_err(|error| RegistryError::Client { cause: deepest(&error) })
    }
}

/// With the registry's own authority, and our certificate for it.
fn own(
    mut builder: ClientBuilder,
    registry: &Registry,
    host: &HostConfig,
    identify: bool,
) -> Result<ClientBuilder, RegistryError> {
    if let Some(path) = &host.ca {
        let certificates = Certificate::from_pem_bundle(&read(registry, "ca", path)?).ok();
        let certificates = certificates.filter(|found| !found.is_empty()).ok_or_else(|| {
            wrong(registry, "ca", path, "it holds no certificate in PEM, `-----BEGIN CERTIFICATE-----`")
        })?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let (Some(identity), true) = (&host.identity, identify) {
        let mut pem = read(registry, "client-cert", &identity.certificate)?;
        pem.push(b'\n');
        pem.extend(read(registry, "client-key", &identity.key)?);
        let found = Identity::from_pem(&pem).map_err(|_| {
            let what = "it and `client-key` are no certificate and key in PEM that belong together";
            wrong(registry, "client-cert", &identity.certificate, what)
        })?;
        builder = builder.identity(found);
    }
    Ok(builder)
}

fn read(registry: &Registry, key: &str, path: &Path) -> Result<Vec<u8>, RegistryError> {
    std::fs::read(path).map_err(|error| wrong(registry, key, path, &reason(&error)))
}

fn wrong(registry: &Registry, key: &str, path: &Path, why: &str) -> RegistryError {
    RegistryError::Setting {
        cause: format!("`{key}` of registry `{registry}`, `{}`, can't be used: {why}", path.display()),
    }
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
