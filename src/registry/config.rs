//! What a caller decides about talking to registries: plain values, nothing read from the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::credentials::CredentialSources;
use super::retry::RetryPolicy;
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
    /// Contact nobody.
    pub offline: bool,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            credentials: CredentialSources::default(),
            hosts: BTreeMap::new(),
            retry: RetryPolicy::default(),
            parallel: 4,
            timeouts: Timeouts::default(),
            offline: false,
        }
    }
}

impl ClientConfig {
    /// Whether plain HTTP is right for a registry: this machine, or one that the workspace calls insecure.
    pub(super) fn is_plain(&self, registry: &Registry) -> bool {
        registry.is_loopback() || self.hosts.get(registry).is_some_and(|host| host.insecure)
    }
}

/// Settings of one registry.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HostConfig {
    /// Plain HTTP instead of HTTPS (`insecure = true` in the workspace).
    pub insecure: bool,
    /// Asked first, in order, when something is pulled: `registry/path` is `MIRROR/path` there. Never pushed to.
    pub mirrors: Vec<RegistryBase>,
}

impl HostConfig {
    /// A registry that is talked to in plain HTTP.
    pub fn insecure() -> HostConfig {
        HostConfig { insecure: true, ..HostConfig::default() }
    }
}

/// How long a registry may stay silent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until a request without a blob is answered in full.
    pub answer: Duration,
    /// How long an upload may make no progress; also the time that a registry may take to store a sent blob.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts { connect: seconds(15), answer: seconds(90), stall: seconds(300) }
    }
}
