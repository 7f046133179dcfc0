//! Patterns of hosts, as `allow-hosts` lists them: `HOST`, `HOST:PORT`, `*.DOMAIN`, `*.DOMAIN:PORT`.
//!
//! Knows nothing of how a host is reached.

use std::fmt;
use std::str::FromStr;

use crate::reference::{ReferenceError, Registry};

/// A pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Whether it stands for everything below the host, and not for the host itself.
    below: bool,
    host: Registry,
}

/// Where Docker Hub's registry and token server really are.
const DOCKER_HUB: [&str; 3] = ["registry-1.docker.io", "auth.docker.io", "index.docker.io"];

impl HostPattern {
    /// Whether a host is covered, with or without brackets, at a port. A pattern without a port covers every port;
    /// `docker.io` covers the hosts at which Docker Hub's registry and token server are found.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let (host, own) = (bare(host), bare(self.host.host()));
        let named = match self.below {
            true => host.strip_suffix(&own).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            false => host == own || (own == "docker.io" && DOCKER_HUB.contains(&&*host)),
        };
        named && self.host.port.is_none_or(|own| own == port)
    }
}

impl FromStr for HostPattern {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<HostPattern, ReferenceError> {
        let below = text.strip_prefix("*.");
        Ok(HostPattern { below: below.is_some(), host: below.unwrap_or(text).parse()? })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.below { "*." } else { "" };
        write!(f, "{below}{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, host: &str, port: u16) -> bool {
        let parsed: HostPattern = pattern.parse().expect(pattern);
        assert_eq!(parsed.to_string(), pattern.to_ascii_lowercase());
        parsed.covers(host, port)
    }

    #[test]
    fn a_host_is_covered_at_every_port_or_at_the_one_written() {
        assert!(covers("h.io", "H.io", 443) && covers("h.io", "h.io", 5000) && covers("h.io:5000", "h.io", 5000));
        assert!(
            !covers("h.io:5000", "h.io", 443) && !covers("h.io", "a.h.io", 443) && !covers("h.io", "h.io.evil", 443)
        );
        assert!(covers("[::1]:80", "::1", 80) && covers("[::1]:80", "[::1]", 80));
    }

    #[test]
    fn a_star_covers_what_is_below_and_not_the_domain_itself() {
        assert!(covers("*.corp.example", "a.corp.example", 443) && covers("*.corp.example", "a.b.corp.example", 1));
        assert!(!covers("*.corp.example", "corp.example", 443) && !covers("*.corp.example", "xcorp.example", 443));
        assert!(!covers("*.corp.example:80", "a.corp.example", 443));
    }

    #[test]
    fn docker_hub_is_covered_where_it_really_is() {
        assert!(covers("docker.io", "registry-1.docker.io", 443) && covers("docker.io", "auth.docker.io", 443));
        assert!(!covers("docker.io", "evil.docker.io", 443));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "*", "*.", "https://h.io", "h.io/a", "a.*.io", "h:0"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
