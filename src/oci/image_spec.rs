//! What an `image` target says of its image: a plain value that makes an action's key.
//!
//! Nothing here is checked against a base; `image_config` lays it over one. Knows nothing of TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::oci::image_requires::Requires;
use crate::platform::Platform;

/// What an image's config and manifest shall say beyond what comes from the base. Absent fields keep the base's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// What the image runs on; the base must be for the same.
    pub platform: Platform,
    /// Variables in the order written. In values `$NAME` and `${NAME}` come from the base, `$$` is a dollar.
    pub env: Vec<(String, String)>,
    /// What a container needs in its environment beyond what the base says; see [`crate::oci::image_requires`].
    pub requires: Requires,
    /// The program and its first arguments; setting it clears an inherited `cmd`. Empty: no entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments, or the program where there is no entrypoint. Empty: none.
    pub cmd: Option<Vec<String>>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// The directory that the program starts in, absolute.
    pub workdir: Option<String>,
    /// Ports that the program listens on, added to the base's.
    pub ports: BTreeSet<Port>,
    /// Absolute paths that are volumes, added to the base's.
    pub volumes: BTreeSet<String>,
    /// Notes in the config, laid over the base's.
    pub labels: BTreeMap<String, String>,
    /// Notes in the manifest; the base's are not inherited, they speak of the base. With any, the manifest is OCI's.
    pub annotations: BTreeMap<String, String>,
    /// Such as `SIGINT`: what stops the program.
    pub stop_signal: Option<String>,
    /// How an engine learns whether the program is well; replaces the base's as a whole.
    pub healthcheck: Option<Healthcheck>,
    /// Seconds since 1970 that `created` fields say; 0 by default, so that no digest depends on the time of day.
    pub created: u64,
}

/// How an engine learns whether the program is well (`Healthcheck` of Docker's image config; OCI has no such field).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// What is run.
    pub test: HealthTest,
    /// Time between two checks; absent: the engine's default.
    pub interval: Option<Duration>,
    /// Time after which a check has failed; absent: the engine's default.
    pub timeout: Option<Duration>,
    /// Time after the start in which failures don't count; absent: none.
    pub start_period: Option<Duration>,
    /// Time between two checks during the start period; absent: the engine's default.
    pub start_interval: Option<Duration>,
    /// Failures in a row until the container is unhealthy; absent: the engine's default.
    pub retries: Option<u32>,
}

/// What a health check runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthTest {
    /// Nothing: switches off the base's health check.
    None,
    /// A program with its arguments.
    Command(Vec<String>),
    /// A line for the image's shell.
    Shell(String),
}

/// A port and its protocol; written `8080`, `8080/tcp` or `53/udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Port {
    number: u16,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// Text that is no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a port: expected a number from 1 to 65535, with `/tcp`, `/udp` or `/sctp` after it or nothing")]
pub struct PortError(pub String);

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Port, PortError> {
        let fail = || PortError(text.to_owned());
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return Err(fail()),
        };
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()); // `parse` would take `+80`
        let number = number.parse().ok().filter(|number| plain && *number > 0).ok_or_else(fail)?;
        Ok(Port { number, protocol })
    }
}

impl fmt::Display for Port {
    /// As a key of `ExposedPorts`: always with the protocol.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}

impl TryFrom<String> for Port {
    type Error = PortError;

    fn try_from(text: String) -> Result<Port, PortError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_a_protocol_is_tcp() {
        for (text, full) in [("8080", "8080/tcp"), ("8080/tcp", "8080/tcp"), ("53/udp", "53/udp")] {
            assert_eq!(text.parse::<Port>().map(|port| port.to_string()), Ok(full.to_owned()));
        }
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for text in ["", "0", "65536", "+80", "80/", "80/TCP", "80-90", "http", "127.0.0.1:80"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }
}
