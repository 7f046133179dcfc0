//! What can go wrong with a registry: which request, what was answered, what to do.
//!
//! Data that can be cloned (several images may share one failure) and never holds a secret: URLs are shown without
//! user and query, and what a registry said is cut at 64 KiB.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use oci_distribution::errors::OciEnvelope;
use reqwest::{Method, Url};

use super::advice::advice;
use crate::digest::Digest;
use crate::reason::reason;
use crate::reference::{Registry, Tag};

/// Method and address of a request, without user and query: `PUT https://host/v2/a/blobs/uploads/…`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RequestLine(Box<str>);

impl RequestLine {
    pub(super) fn new(method: &Method, url: &Url) -> RequestLine {
        RequestLine(format!("{method} {}", redacted(url)).into())
    }
}

/// A URL without user, password, query and fragment: each may hold a secret.
pub(super) fn redacted(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address or a repository that was tried, and why it did not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// `host:port`, as connected to, or the repository.
    pub address: String,
    /// Why it did not do.
    pub cause: String,
}

/// A registry failed us, mostly a failure of the environment (exit code 36): see [`RegistryError::is_mistake`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No address of the registry answers as a registry.
    #[error("registry `{registry}` can't be reached: {}: {}", tried_text(.tried), unreachable_help(.registry))]
    Unreachable {
        /// The registry as written.
        registry: Registry,
        /// What was tried, in order; never empty.
        tried: Vec<Tried>,
    },
    /// The TLS handshake failed.
    #[error("{request}: no trusted connection: {cause}: {advice}")]
    Tls {
        /// The request.
        request: RequestLine,
        /// What TLS said.
        cause: String,
        /// What to do.
        advice: &'static str,
    },
    /// The registry wants to know who we are (401), or refused who we said we are.
    #[error("{request}: not authorised{}: {note}", said(.message))]
    Unauthorized {
        /// The request.
        request: RequestLine,
        /// The registry's own message; may be empty.
        message: String,
        /// Which credentials were used and what to do.
        note: String,
    },
    /// The registry knows us and says no (403).
    #[error("{request}: denied{}: {note}", said(.message))]
    Denied {
        /// The request.
        request: RequestLine,
        /// The registry's own message; may be empty.
        message: String,
        /// Which credentials were used and what to do.
        note: String,
    },
    /// The registry answered with a status that the request does not allow.
    #[error("{request}: answered {status}{}{}", said(.message), advice(*.status, .message))]
    Status {
        /// The request.
        request: RequestLine,
        /// The HTTP status.
        status: u16,
        /// The registry's own message, at most 64 KiB; may be empty.
        message: String,
        /// How long it asks us to wait; `None` where it does not say.
        retry_after: Option<Duration>,
    },
    /// The registry does not let a tag be moved.
    #[error(
        "{request}: tag `{tag}` was not moved: answered {status}{}: the registry keeps it where it points: publish under another tag with --tag, or allow it to be moved there",
        said(.message)
    )]
    TagKept {
        /// The request.
        request: RequestLine,
        /// The tag.
        tag: Tag,
        /// The HTTP status.
        status: u16,
        /// The registry's own message; may be empty.
        message: String,
    },
    /// No connection could be made.
    #[error("{request}: no connection: {cause}: check that the registry runs, the network and the proxy")]
    NoConnection {
        /// The request.
        request: RequestLine,
        /// What happened.
        cause: String,
    },
    /// Nothing, or next to nothing, came within the time that we wait.
    #[error("{request}: {cause}: the registry or the network between is stuck or too slow, run the command again")]
    TooSlow {
        /// The request.
        request: RequestLine,
        /// What happened.
        cause: String,
    },
    /// The connection broke.
    #[error("{request}: {cause}: the registry or the network between broke off, run the command again")]
    Broken {
        /// The request.
        request: RequestLine,
        /// What happened.
        cause: String,
    },
    /// The answer is not one that a registry gives.
    #[error("{request}: {what}: this does not look like a registry, or a proxy changes its answers")]
    Protocol {
        /// The request.
        request: RequestLine,
        /// What is wrong with it.
        what: String,
    },
    /// A blob of another size than its manifest says.
    #[error(
        "{request}: {what}: the manifest was pushed with a wrong size, or a proxy changes what the registry serves"
    )]
    WrongSize {
        /// The request.
        request: RequestLine,
        /// The sizes.
        what: String,
    },
    /// The registry has no such manifest, tag, blob or repository (404).
    #[error("{request}: it is not there{}: check registry, repository, tag and digest", said(.message))]
    Missing {
        /// The request.
        request: RequestLine,
        /// The registry's own message; may be empty.
        message: String,
    },
    /// The bytes received are not those that were asked for.
    #[error(
        "{request}: the bytes served have the digest {found}, not {wanted}: the registry, or a proxy before it, is damaged or changes what it serves"
    )]
    WrongBytes {
        /// The request.
        request: RequestLine,
        /// The digest promised.
        wanted: Digest,
        /// The digest of the bytes received.
        found: Digest,
    },
    /// A manifest of Docker's schema 1, which has no digests of layers as stored and no config.
    #[error(
        "{request}: answered with a Docker schema 1 manifest, a format given up in 2017 that layerbuild does not read: ask for a newer tag, or push the image again with a current Docker"
    )]
    Schema1 {
        /// The request.
        request: RequestLine,
    },
    /// A registry with mirrors, none of which could serve what was wanted, and neither could the registry itself.
    #[error("`{wanted}` can't be had anywhere: {}", places_text(.tried))]
    Nowhere {
        /// What was wanted, as written.
        wanted: String,
        /// What was tried, in order: the repository there, and what happened.
        tried: Vec<Tried>,
        /// What the registry itself said, the last of them.
        last: Box<RegistryError>,
    },
    /// `--offline` forbids what was to be done.
    #[error("--offline forbids to ask {} for `{wanted}`: run it once without --offline", and(.registries))]
    Offline {
        /// What was wanted, as written.
        wanted: String,
        /// The registries that would have been asked, in order.
        registries: Vec<Registry>,
    },
    /// A host that `allow-hosts` does not name, or any under `--offline`.
    #[error("{request}: `{host}` is not contacted: {}", not_allowed(*.offline))]
    NotAllowed {
        /// The request that was not sent.
        request: RequestLine,
        /// Its host, with the port where one is written.
        host: String,
        /// Whether nobody may be contacted.
        offline: bool,
    },
    /// What the user set for registries or proxies can't be used.
    #[error("{cause}")]
    Setting {
        /// Which setting, and why not; never with a secret.
        cause: String,
    },
    /// The bytes to send are not those of their digest; nothing was committed.
    #[error("blob {digest} is corrupt: its bytes have the digest {found}: build again to replace it")]
    DigestMismatch {
        /// The digest promised.
        digest: Digest,
        /// The digest of the bytes read.
        found: Digest,
    },
    /// A blob to send could not be read; nothing was committed.
    #[error("blob {digest} can't be read: {cause}: build again to replace it")]
    Source {
        /// The blob.
        digest: Digest,
        /// Why it could not be read.
        cause: String,
    },
    /// The bytes received could not be written.
    #[error("blob {digest} can't be kept: {cause}")]
    Sink {
        /// The blob.
        digest: Digest,
        /// Why not.
        cause: String,
    },
    /// The client itself could not be set up.
    #[error("registries can't be talked to: {cause}")]
    Client {
        /// Why not.
        cause: String,
    },
}

impl RegistryError {
    /// Whether the mistake is the user's (exit code 2), not the environment's (36, `--offline` too): what they wrote is not there, or
    /// is forbidden by what they wrote elsewhere.
    pub fn is_mistake(&self) -> bool {
        match self {
            RegistryError::Missing { .. } | RegistryError::Schema1 { .. } | RegistryError::TagKept { .. } => true,
            RegistryError::NotAllowed { offline: false, .. } | RegistryError::Setting { .. } => true,
            RegistryError::Nowhere { last, .. } => last.is_mistake(),
            _ => false,
        }
    }

    /// Whether the registry says that there is no such thing.
    pub fn is_missing(&self) -> bool {
        match self {
            RegistryError::Missing { .. } => true,
            RegistryError::Nowhere { last, .. } => last.is_missing(),
            _ => false,
        }
    }

    /// Whether trying again may help (`Some`), and how long the registry asks us to wait.
    pub(super) fn retry(&self) -> Option<Option<Duration>> {
        match self {
            RegistryError::Status { status: 408 | 429 | 500..=599, retry_after, .. } => Some(*retry_after),
            RegistryError::NoConnection { .. } | RegistryError::Broken { .. } | RegistryError::TooSlow { .. } => {
                Some(None)
            }
            _ => None,
        }
    }

    /// Whether it took as long as we wait at all: once more is enough then.
    pub(super) fn took_long(&self) -> bool {
        matches!(self, RegistryError::TooSlow { .. })
    }

    /// The same, with the proxy that the request went through.
    pub(super) fn through(mut self, proxy: Option<String>) -> RegistryError {
        let (RegistryError::Tls { cause, .. }
        | RegistryError::NoConnection { cause, .. }
        | RegistryError::TooSlow { cause, .. }
        | RegistryError::Broken { cause, .. }) = &mut self
        else {
            return self;
        };
        cause.extend(proxy.map(|proxy| format!(", through the proxy {proxy}")));
        self
    }

    /// The error of a request that got no answer.
    pub(super) fn unanswered(request: RequestLine, error: &reqwest::Error) -> RegistryError {
        let cause = if error.is_timeout() { NO_ANSWER.to_owned() } else { deepest(error) };
        match (tls_cause(error), error) {
            // HTTP/2 keeps an error's text only.
            (None, _) if cause.contains("received fatal alert") => {
                RegistryError::Tls { request, cause, advice: REFUSES_US }
            }
            (Some(tls), _) => RegistryError::Tls { request, cause, advice: tls_advice(tls) },
            (None, error) if error.is_connect() => RegistryError::NoConnection { request, cause },
            (None, error) if error.is_timeout() => RegistryError::TooSlow { request, cause },
            _ => RegistryError::Broken { request, cause },
        }
    }
}

/// What is said where nothing came in time.
pub(super) const NO_ANSWER: &str = "no answer in time";

/// The innermost cause, the one that says something ("Connection refused").
pub(super) fn deepest(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| reason(error), reason)
}

/// An error and its causes. An `io::Error`'s own `source` skips the error that it wraps, which is often the telling one.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn next<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), |error| next(*error))
}

fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

const REFUSES_US: &str = "the registry refuses us: if it wants a certificate of yours, name it as `client-cert` and `client-key` of this `[registry]`";

fn tls_advice(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Wrong;
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Wrong::UnknownIssuer | Wrong::BadSignature => {
                "if the certificate comes from an authority of your own, name its file as `ca` of this `[registry]`, or in SSL_CERT_FILE"
            }
            Wrong::Expired | Wrong::ExpiredContext { .. } | Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "the registry needs a new certificate, or this machine's clock is wrong"
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "write the registry by the name that it is for, or give the registry a certificate for this name"
            }
            _ => "the registry needs another certificate",
        },
        rustls::Error::AlertReceived(_) => REFUSES_US,
        _ => "if it speaks plain HTTP, say `insecure = true` for it in `[registry]`; if not, look at its log",
    }
}

/// What a registry said in an error's body: its own JSON messages, or the text without markup; may be empty.
pub(super) fn message_of(body: &[u8]) -> String {
    if let Ok(envelope) = serde_json::from_slice::<OciEnvelope>(body) {
        let messages = envelope.errors.iter().map(|error| {
            let code = serde_json::to_value(&error.code).ok();
            let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or("UNKNOWN");
            format!("{code}: {}", error.message)
        });
        return messages.collect::<Vec<_>>().join("; ");
    }
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') {
        return "a page of HTML".to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn tried_text(tried: &[Tried]) -> String {
    let each: Vec<String> = tried.iter().map(|tried| format!("{} ({})", tried.address, tried.cause)).collect();
    format!("nothing usable answers on {}", each.join(" and "))
}

fn places_text(tried: &[Tried]) -> String {
    let each: Vec<String> = tried.iter().map(|tried| format!("{}: {}", tried.address, tried.cause)).collect();
    each.join("; then ")
}

fn and(registries: &[Registry]) -> String {
    let each: Vec<String> = registries.iter().map(|registry| format!("`{registry}`")).collect();
    each.join(" and ")
}

fn not_allowed(offline: bool) -> &'static str {
    match offline {
        true => "--offline forbids it",
        false => "it is not among the `allow-hosts`; add it there if it should be",
    }
}

fn unreachable_help(registry: &Registry) -> &'static str {
    match registry.is_loopback() {
        true => "start one with `layerbuild registry serve`, or name another with --registry",
        false => {
            "check the name, the network and the proxy; what is pulled can come from a mirror, `[registry.\"HOST\"] mirrors`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_show_neither_user_nor_query() {
        let url: Url = "https://bob:hunter2@h.io:8443/v2/a/?_state=hunter3#x".parse().expect("a URL");
        assert_eq!(RequestLine::new(&Method::PUT, &url).to_string(), "PUT https://h.io:8443/v2/a/");
    }

    #[test]
    fn messages_come_from_json_even_with_unknown_codes_and_html_is_named() {
        let json = br#"{"errors":[{"code":"DENIED","message":"no"},{"code":"OWN","message":"never"}]}"#;
        assert_eq!(message_of(json), "DENIED: no; OWN: never");
        assert_eq!(message_of(b"<html><h1>It works"), "a page of HTML");
        assert_eq!(message_of(b" quota\n exceeded "), "quota exceeded");
    }

    #[test]
    fn an_unreachable_registry_names_what_was_tried_in_order_and_what_to_do() {
        let tried = ["127.0.0.1:80", "127.0.0.1:5000"];
        let tried = tried.map(|address| Tried { address: address.into(), cause: "Connection refused".into() }).to_vec();
        let registry = "registry.localhost".parse().expect("a registry");
        let text = RegistryError::Unreachable { registry, tried }.to_string();
        let order = [text.find("127.0.0.1:80 "), text.find("127.0.0.1:5000 "), text.find("layerbuild registry serve")];
        assert!(order.is_sorted() && order.iter().all(Option::is_some), "{text}");
    }
}
