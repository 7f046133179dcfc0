//! What a caller decides about talking to registries: plain values, nothing read from the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::credentials::CredentialSources;
use super::proxy::Proxies;
use super::retry::RetryPolicy;
use crate::host_pattern::HostPattern;
use crate::reference::{Registry, RegistryBase};

/// How registries are talked to.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where credentials come from; the default has none.
    pub credentials: CredentialSources,
    /// Settings of single registries, by host and port as written in references.
    pub hosts: BTreeMap<Registry, HostConfig>,
    /// When a failed request is tried again.
    pub retry: RetryPolicy,
    /// How many requests are under way at once; at least one.
    pub parallel: usize,
    /// How long a registry may stay silent.
    pub timeouts: Timeouts,
    /// The only hosts that may be contacted, each list for itself: registries, their token servers and whatever they
    /// redirect to. No list: all. Proxies are not asked about.
    pub allow: Vec<AllowHosts>,
    /// Contact nobody.
    pub offline: bool,
    /// What the environment says of proxies.
    pub proxies: Proxies,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            credentials: CredentialSources::default(),
            hosts: BTreeMap::new(),
            retry: RetryPolicy::default(),
            parallel: 4,
            timeouts: Timeouts::default(),
            allow: Vec::new(),
            offline: false,
            proxies: Proxies::default(),
        }
    }
}

impl ClientConfig {
    /// Whether plain HTTP is right for a registry: where it is said to be, and on this machine where nothing is said.
    pub(super) fn is_plain(&self, registry: &Registry) -> bool {
        let host = self.hosts.get(registry);
        let said = host.and_then(|host| host.insecure.or(host.has_tls().then_some(false)));
        said.unwrap_or_else(|| registry.is_loopback())
    }
}

/// Settings of one registry.
#[derive(Debug, Clone, Default)]
pub struct HostConfig {
    /// Plain HTTP (`true`) or HTTPS (`false`); `None`: plain HTTP on this machine only, and not with `ca` or
    /// `identity`.
    pub insecure: Option<bool>,
    /// A PEM file of authorities that are trusted for this registry, besides the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate for this registry; no other host sees it.
    pub identity: Option<ClientIdentity>,
    /// Asked first, in order, when something is pulled: `registry/path` is `MIRROR/path` there. Never pushed to.
    pub mirrors: Vec<RegistryBase>,
}

impl HostConfig {
    /// A registry that is talked to in plain HTTP.
    pub fn insecure() -> HostConfig {
        HostConfig { insecure: Some(true), ..HostConfig::default() }
    }

    /// Whether TLS is to be other than everywhere.
    pub(super) fn has_tls(&self) -> bool {
        self.ca.is_some() || self.identity.is_some()
    }
}

/// Our certificate for a registry, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Hosts that may be contacted, when no other may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowHosts(pub Vec<HostPattern>);

impl AllowHosts {
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|pattern| pattern.covers(host, port))
    }
}

/// How long a registry may stay silent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until a request without a blob is answered in full.
    pub answer: Duration,
    /// How long a transfer may make no progress; also the time that a registry may take to store a sent blob.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts { connect: seconds(15), answer: seconds(90), stall: seconds(300) }
    }
}
