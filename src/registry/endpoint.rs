//! Finds the address at which a registry answers, and learns what it wants to know of us: one `GET /v2/` each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::header::{DATE, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use tokio::sync::OnceCell;

use super::answer::{header, is_html, message};
use super::auth::Authenticator;
use super::config::ClientConfig;
use super::credentials::Credentials;
use super::error::{RegistryError, Tried};
use super::retry::RetryPolicy;
use super::session::{Notice, Payload, Request, Session};
use super::transport::Transport;
use crate::reference::Registry;

/// What all sessions of a process share.
pub(super) struct Shared {
    /// What the caller decided.
    pub config: ClientConfig,
    /// How requests are sent.
    pub transport: Arc<Transport>,
    /// Who we are where.
    pub credentials: Arc<Credentials>,
    reached: Mutex<HashMap<Registry, ReachedCell>>,
}

impl Shared {
    /// Reads the credential files and the system's TLS roots.
    pub fn new(config: ClientConfig) -> Result<Arc<Shared>, RegistryError> {
        let transport = Arc::new(Transport::new(&config)?);
        let credentials = Arc::new(Credentials::new(config.credentials.clone()));
        Ok(Arc::new(Shared { config, transport, credentials, reached: Mutex::default() }))
    }
}

/// Where a registry was found, or why nowhere: asked once a process.
type ReachedCell = Arc<OnceCell<Result<Reached, RegistryError>>>;

/// A registry that answers.
#[derive(Clone)]
struct Reached {
    written: Registry,
    registry: Registry,
    base: Url,
    auth: Arc<Authenticator>,
}

impl Reached {
    fn session<'a>(self, shared: &'a Shared, retry: &'a RetryPolicy, notices: &'a dyn Fn(Notice)) -> Session<'a> {
        let Reached { written, registry, base, auth } = self;
        Session { written, registry, base, auth, transport: &shared.transport, retry, notices }
    }
}

/// An address that may be the registry's.
struct Candidate {
    registry: Registry,
    base: Url,
}

/// Opens a session at the first address that answers as a registry. Which one does is asked once a process, and so is
/// why none does.
pub(super) async fn open<'a>(
    shared: &'a Shared,
    registry: &Registry,
    notices: &'a dyn Fn(Notice),
) -> Result<Session<'a>, RegistryError> {
    open_with(shared, registry, &shared.config.retry, notices).await
}

/// The same with another policy, which the session keeps. A failure that may pass is remembered only after retries.
pub(super) async fn open_with<'a>(
    shared: &'a Shared,
    registry: &Registry,
    retry: &'a RetryPolicy,
    notices: &'a dyn Fn(Notice),
) -> Result<Session<'a>, RegistryError> {
    let cell = {
        let mut reached = shared.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.entry(registry.clone()).or_default().clone()
    };
    let candidates = candidates(&shared.config, registry);
    let ask = async || match first(shared, registry, candidates, retry, notices).await {
        Err(error) if retry.delays.is_empty() && error.retry().is_some() => Err(error),
        known => Ok(known),
    };
    let reached = cell.get_or_try_init(ask).await?;
    Ok(reached.clone()?.session(shared, retry, notices))
}

async fn first(
    shared: &Shared,
    registry: &Registry,
    candidates: Vec<Candidate>,
    retry: &RetryPolicy,
    notices: &dyn Fn(Notice),
) -> Result<Reached, RegistryError> {
    let (mut tried, mut broken) = (Vec::new(), None);
    for Candidate { registry: found, base } in candidates {
        let address = address(&base);
        let (transport, credentials) = (shared.transport.clone(), shared.credentials.clone());
        let auth = Arc::new(Authenticator::new(
            registry.clone(),
            found.clone(),
            base.scheme() == "http",
            transport,
            credentials,
        ));
        let reached = Reached { written: registry.clone(), registry: found, base, auth };
        match reached.clone().session(shared, retry, notices).retrying_ping().await {
            Ok(None) => return Ok(reached),
            Ok(Some(cause)) => tried.push(Tried { address, cause }),
            // Something listens that is no web server, or the connection broke.
            Err(error) => match &error {
                RegistryError::Broken { cause, .. } | RegistryError::TooSlow { cause, .. } => {
                    tried.push(Tried { address, cause: cause.clone() });
                    broken = Some(error);
                }
                _ => return Err(error),
            },
        }
    }
    let unreachable = RegistryError::Unreachable { registry: registry.clone(), tried };
    // Who was given one attempt only may do better in the next.
    Err(broken.filter(|_| retry.delays.is_empty()).unwrap_or(unreachable))
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
        let base = format!("{scheme}://{}/", actual(&registry)).parse().ok()?;
        Some(Candidate { registry, base })
    };
    all.into_iter().filter_map(candidate).collect()
}

/// Where a registry is really found: Docker Hub's is not at the address that its images are named by.
fn actual(registry: &Registry) -> String {
    match registry.host() {
        "docker.io" | "index.docker.io" => "registry-1.docker.io".to_owned(),
        _ => registry.to_string(),
    }
}

/// What is connected to, as `host:port`: names of this machine as the address they stand for.
fn address(base: &Url) -> String {
    let host = match base.host_str() {
        Some(host) if crate::reference::is_loopback(host) && !host.starts_with('[') => "127.0.0.1",
        host => host.unwrap_or_default(),
    };
    format!("{host}:{}", base.port_or_known_default().unwrap_or_default())
}

/// What time a registry has, by the `Date` of an answer (RFC 9110 §6.6.1); `None` where it doesn't say.
pub(super) async fn time(session: &Session<'_>) -> Option<SystemTime> {
    let response = session.exchange(&question(&session.base)).await.ok()?;
    httpdate::parse_http_date(header(response.headers(), DATE.as_str())?).ok()
}

/// `GET /v2/`, as nobody.
fn question(base: &Url) -> Request<'static> {
    let mut url = base.clone();
    url.set_path("/v2/");
    let (method, headers) = (Method::GET, HeaderMap::new());
    Request { method, url, scope: None, headers, payload: Payload::Nothing, long: false }
}

impl Session<'_> {
    /// Asks whether a registry is there; why not, where none is.
    async fn retrying_ping(&self) -> Result<Option<String>, RegistryError> {
        let mut answer = self.retrying(async || self.ping().await).await;
        // Servers that want a certificate of ours close the connection, and not all say why.
        if let Err(RegistryError::Broken { cause, .. } | RegistryError::TooSlow { cause, .. }) = &mut answer
            && self.base.scheme() == "https"
        {
            cause.push_str("; if it wants a certificate of yours, name it as `client-cert`");
        }
        answer
    }

    async fn ping(&self) -> Result<Option<String>, RegistryError> {
        let request = question(&self.base);
        let response = match self.exchange(&request).await {
            // Nobody listens: trying again would only delay the message.
            Err(RegistryError::NoConnection { cause, .. }) => return Ok(Some(cause)),
            answer => answer?,
        };
        match response.status() {
            StatusCode::UNAUTHORIZED => {
                self.auth.learn(response.headers());
                Ok(None)
            }
            status if status.is_success() && is_html(response.headers()) => {
                Ok(Some(format!("answers {status} with a page of HTML, which no registry does")))
            }
            status if status.is_success() || status == StatusCode::FORBIDDEN || names_itself(response.headers()) => {
                Ok(None)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(self.refused(&request, response).await),
            status if status.is_server_error() => Err(self.refused(&request, response).await),
            status => Ok(Some(format!("answers {status}, which no registry does: {}", message(response).await))),
        }
    }
}

fn names_itself(headers: &HeaderMap) -> bool {
    header(headers, "docker-distribution-api-version").is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::super::config::HostConfig;
    use super::super::fake::{Fake, Reply};
    use super::*;

    fn bases(config: &ClientConfig, registry: &str) -> Vec<(String, String)> {
        let candidates = candidates(config, &registry.parse().expect("a registry"));
        candidates.into_iter().map(|found| (found.registry.to_string(), found.base.to_string())).collect()
    }

    fn pair(registry: &str, base: &str) -> (String, String) {
        (registry.to_owned(), base.to_owned())
    }

    #[test]
    fn this_machine_is_plain_on_80_then_5000_and_all_others_are_https() {
        let config = ClientConfig::default();
        let expected = [
            pair("registry.localhost", "http://registry.localhost/"),
            pair("registry.localhost:5000", "http://registry.localhost:5000/"),
        ];
        assert_eq!(bases(&config, "registry.localhost"), expected);
        assert_eq!(bases(&config, "[::1]:9"), [pair("[::1]:9", "http://[::1]:9/")]);
        assert_eq!(bases(&config, "docker.io"), [pair("docker.io", "https://registry-1.docker.io/")]);
        assert_eq!(bases(&config, "h.io"), [pair("h.io", "https://h.io/")]);
        assert_eq!(bases(&config, "localhost.h.io:80"), [pair("localhost.h.io:80", "https://localhost.h.io:80/")]);
    }

    #[test]
    fn insecure_holds_for_the_registry_named_and_no_other() {
        let mut config = ClientConfig::default();
        config.hosts.insert("h.io:5000".parse().expect("a registry"), HostConfig::insecure());
        assert_eq!(bases(&config, "h.io:5000"), [pair("h.io:5000", "http://h.io:5000/")]);
        assert_eq!(bases(&config, "h.io:5001"), [pair("h.io:5001", "https://h.io:5001/")]);
    }

    #[test]
    fn addresses_are_shown_as_connected_to() {
        let shown = |url: &str| address(&url.parse().expect("a URL"));
        assert_eq!(shown("http://registry.localhost/"), "127.0.0.1:80");
        assert_eq!(shown("http://[::1]:5000/"), "[::1]:5000");
        assert_eq!(shown("https://h.io/"), "h.io:443");
    }

    /// Which of several addresses is taken.
    fn taken(bases: &[String]) -> Result<String, RegistryError> {
        let candidate = |base: &String| {
            let base: Url = base.parse().expect("a URL");
            Candidate { registry: base.authority().parse().expect("a registry"), base }
        };
        let config = ClientConfig { retry: RetryPolicy::immediate(0), ..ClientConfig::default() };
        let shared = Shared::new(config)?;
        let written = "registry.localhost".parse().expect("a registry");
        let candidates = bases.iter().map(candidate).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let reached = runtime.block_on(first(&shared, &written, candidates, &shared.config.retry, &|_| {}))?;
        Ok(reached.registry.to_string())
    }

    #[test]
    fn the_first_address_that_is_a_registry_is_taken() {
        let page = Fake::start(|_| Reply::new(404));
        let portal = Fake::start(|_| Reply::new(200).with("content-type", "text/html; charset=utf-8"));
        let real = Fake::start(|_| Reply::new(200));
        let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let bases = [&nobody.to_string(), &page.address, &portal.address, &real.address]
            .map(|address| format!("http://{address}/"));
        assert_eq!(taken(&bases), Ok(real.address.clone()));
    }

    #[test]
    fn a_server_that_fails_at_tls_is_told_apart_from_one_that_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("an answer");
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let error = taken(&[format!("https://{address}/")]).expect_err("no TLS there");
        server.join().expect("the server ends");
        assert!(matches!(error, RegistryError::Tls { .. }) && error.to_string().contains("insecure = true"), "{error}");
    }
}
