//! Image references, `[host[:port]/]path[:tag][@digest]`, and their parts, each parsed once.
//!
//! Takes text, gives values that are valid by construction (OCI distribution-spec, "Pulling manifests").
//! Adds neither a default registry nor a default tag, and doesn't know how a registry is reached.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use crate::digest::Digest;
use crate::label::Label;

/// Text that is no reference, or no part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {why}")]
pub struct ReferenceError {
    /// What was written.
    pub text: String,
    /// What it was read as, with its article.
    pub kind: &'static str,
    /// Why it is none and what to write, as a phrase.
    pub why: String,
}

impl ReferenceError {
    fn new(text: &str, kind: &'static str, why: impl Into<String>) -> ReferenceError {
        ReferenceError { text: text.to_owned(), kind, why: why.into() }
    }
}

/// A registry's host and port, `host[:port]`; the host is kept in lower case, an IPv6 address in brackets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    host: Arc<str>,
    /// The port written; `None` where none was, which leaves the choice to the scheme.
    pub port: Option<u16>,
}

impl Registry {
    /// The host, with brackets around an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The same host with a port.
    pub fn with_port(&self, port: u16) -> Registry {
        Registry { host: self.host.clone(), port: Some(port) }
    }

    /// Whether it is this machine: `localhost`, `*.localhost` (RFC 6761) or a loopback address.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host, with or without brackets, is this machine: `localhost`, `*.localhost` or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl FromStr for Registry {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Registry, ReferenceError> {
        let fail = |why: &str| ReferenceError::new(text, "a registry", why);
        if text.contains("://") {
            return Err(fail("write `host[:port]` without a scheme"));
        }
        let (host, port) = split_port(text);
        if !is_host(host) {
            return Err(fail("expected a host name or address, `host[:port]`, an IPv6 address in brackets"));
        }
        let port = port.map(|port| parse_port(port).ok_or_else(|| fail("a port is a number from 1 to 65535")));
        Ok(Registry { host: host.to_ascii_lowercase().into(), port: port.transpose()? })
    }
}

/// Host and what follows its last colon; a colon within brackets belongs to the host.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_part = |part: &str| {
        let allowed = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        allowed && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The path of a repository within its registry, such as `datakits/sqlserver-bronze`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPath(Arc<str>);

impl RepositoryPath {
    /// The path, without slashes at its ends; never empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryPath {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<RepositoryPath, ReferenceError> {
        let fail = |why: &str| ReferenceError::new(text, "a repository's path", why);
        if text.is_empty() {
            return Err(fail("the path is missing"));
        }
        if text.len() > 255 {
            return Err(fail("it is longer than 255 bytes"));
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(fail("repositories are written in lower case"));
        }
        if !text.split('/').all(is_path_part) {
            return Err(fail(BAD_PATH));
        }
        Ok(RepositoryPath(text.into()))
    }
}

const BAD_PATH: &str = "each part is lower-case letters and digits, joined by one `.`, one or two `_`, or dashes";

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_joint = |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-');
    let ends_in_words =
        |part: &str| part.bytes().next().is_some_and(is_word) && part.bytes().last().is_some_and(is_word);
    ends_in_words(part) && part.split(|c: char| c.is_ascii() && is_word(c as u8)).all(is_joint)
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository in its registry: `host[:port]/path`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// Where it lives.
    pub registry: Registry,
    /// Its path there.
    pub path: RepositoryPath,
}

impl FromStr for Repository {
    type Err = ReferenceError;

    /// `HOST[:PORT]/PATH`; a tag or a digest is an error.
    fn from_str(text: &str) -> Result<Repository, ReferenceError> {
        let reference: Reference = text.parse()?;
        if reference.tag.is_some() || reference.digest.is_some() {
            return Err(ReferenceError::new(text, "a repository", "write `HOST[:PORT]/PATH` without tag and digest"));
        }
        reference.repository()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// A tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Tag, ReferenceError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = text.bytes().next().is_some_and(is_word);
        if first && text.len() <= 128 && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-')) {
            return Ok(Tag(text.into()));
        }
        let why = "a tag is 1 to 128 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`";
        Err(ReferenceError::new(text, "a tag", why))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An image reference: `[host[:port]/]path[:tag][@digest]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry; `None` where the text names none.
    pub registry: Option<Registry>,
    /// The repository's path.
    pub path: RepositoryPath,
    /// The tag; `None` where the text names none.
    pub tag: Option<Tag>,
    /// The digest; `None` where the text names none.
    pub digest: Option<Digest>,
}

impl Reference {
    /// The repository with its registry; an error that says what to write where no registry is named.
    pub fn repository(&self) -> Result<Repository, ReferenceError> {
        let registry = self.registry.clone().ok_or_else(|| {
            let text = self.to_string();
            let why = format!("it names no registry: write `docker.io/library/{text}` or `HOST[:PORT]/{text}`");
            ReferenceError::new(&text, "a full reference", why)
        })?;
        Ok(Repository { registry, path: self.path.clone() })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        let fail = |why: String| ReferenceError::new(text, "an image reference", why);
        if text.contains("://") {
            return Err(fail("write `host[:port]/path[:tag][@digest]` without a scheme".to_owned()));
        }
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let (registry, rest) = split_registry(name);
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        Ok(Reference {
            registry: registry.map(str::parse).transpose().map_err(|error| fail(error_text(&error)))?,
            path: path.parse().map_err(|error| fail(error_text(&error)))?,
            tag: tag.map(str::parse).transpose().map_err(|error| fail(error_text(&error)))?,
            digest: digest
                .map(str::parse)
                .transpose()
                .map_err(|error: crate::digest::DigestError| fail(error.to_string()))?,
        })
    }
}

fn error_text(error: &ReferenceError) -> String {
    error.to_string()
}

/// The first part is a registry when it could be nothing else: Docker's rule, so that both read a text alike.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    let is_registry = |first: &str| {
        first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':') || byte.is_ascii_uppercase())
    };
    match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, name),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(self.path.as_str())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// Where a workspace's images are published: `HOST[:PORT][/PREFIX]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryBase {
    /// The registry.
    pub registry: Registry,
    /// What stands before every repository's path; `None` for nothing.
    pub prefix: Option<RepositoryPath>,
}

impl RegistryBase {
    /// Where an image is published: `//datakits:x` at `<base>/datakits/x`, `//:x` at `<base>/x`.
    ///
    /// ```
    /// # use layerbuild::{label::{Label, PackagePath}, reference::RegistryBase};
    /// let base: RegistryBase = "registry.localhost:5000/team".parse().unwrap();
    /// let label = Label::parse("//datakits:bronze", &PackagePath::default()).unwrap();
    /// assert_eq!(base.repository(&label).unwrap().to_string(), "registry.localhost:5000/team/datakits/bronze");
    /// ```
    pub fn repository(&self, label: &Label) -> Result<Repository, ReferenceError> {
        let prefix = self.prefix.as_ref().map_or("", RepositoryPath::as_str);
        let parts = [prefix, label.package.as_str(), &label.name];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Ok(Repository { registry: self.registry.clone(), path: parts.join("/").parse()? })
    }
}

impl FromStr for RegistryBase {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<RegistryBase, ReferenceError> {
        if text.contains("://") {
            return Err(ReferenceError::new(text, "a registry", "write `HOST[:PORT][/PREFIX]` without a scheme"));
        }
        let (registry, prefix) = text.split_once('/').map_or((text, None), |(registry, rest)| (registry, Some(rest)));
        Ok(RegistryBase { registry: registry.parse()?, prefix: prefix.map(str::parse).transpose()? })
    }
}

impl fmt::Display for RegistryBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.registry)?;
        self.prefix.as_ref().map_or(Ok(()), |prefix| write!(f, "/{prefix}"))
    }
}

macro_rules! debug_as_display {
    ($($name:ty),*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        })*
    };
}
debug_as_display!(Registry, RepositoryPath, Repository, Tag, Reference, RegistryBase);

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<String>, bool) {
        let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(reference.to_string(), text, "display is what was parsed");
        let tag = reference.tag.map(|tag| tag.to_string());
        (
            reference.registry.map(|registry| registry.to_string()),
            reference.path.to_string(),
            tag,
            reference.digest.is_some(),
        )
    }

    #[test]
    fn every_part_is_found_and_none_is_added() {
        let digest = Digest::of(b"");
        let deep = format!("host:5000/a/b/c@{digest}");
        assert_eq!(parts(&deep), (Some("host:5000".into()), "a/b/c".into(), None, true));
        assert_eq!(parts("debian"), (None, "debian".into(), None, false));
        assert_eq!(parts("library/debian:12"), (None, "library/debian".into(), Some("12".into()), false));
        assert_eq!(parts("localhost/x"), (Some("localhost".into()), "x".into(), None, false));
        assert_eq!(
            parts("[::1]:5000/a__b/c--d:v1"),
            (Some("[::1]:5000".into()), "a__b/c--d".into(), Some("v1".into()), false)
        );
        assert_eq!(
            parts(&format!("quay.io/a:t@{digest}")),
            (Some("quay.io".into()), "a".into(), Some("t".into()), true)
        );
    }

    #[test]
    fn what_the_grammar_forbids_is_refused() {
        let long = "a".repeat(256);
        for text in
            ["", "a:", "a@", "h.io/", "h.io/A", "h.io/a..b", "h.io/a___b", "h.io/-a", "h.io/a-", "h.io//a", "h:0/a"]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
        for text in
            ["h:99999/a", "h:+80/a", "[::g]/a.b/c", "h.io/a:-x", "a@sha256:12", "a:b:c", &long, "h_x:1/a", "[::1/a"]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_scheme_is_refused_with_what_to_write() {
        let reference = "https://h.io/a".parse::<Reference>().expect_err("a scheme");
        let base = "https://h.io/a".parse::<RegistryBase>().expect_err("a scheme");
        assert!(reference.to_string().contains("without a scheme") && base.to_string().contains("without a scheme"));
    }

    #[test]
    fn an_upper_case_label_is_no_repository() {
        let base: RegistryBase = "h.io".parse().expect("a base");
        let label = Label::parse("//a:App", &crate::label::PackagePath::default()).expect("a label");
        assert!(base.repository(&label).expect_err("upper case").to_string().contains("lower case"));
    }

    #[test]
    fn loopback_is_recognised_and_its_lookalikes_are_not() {
        for text in ["localhost", "registry.localhost:5000", "127.0.0.1", "127.8.8.8:1", "[::1]:5000", "LOCALHOST"] {
            assert!(text.parse::<Registry>().expect(text).is_loopback(), "{text}");
        }
        for text in ["localhost.example", "notlocalhost", "128.0.0.1", "[::2]", "127.0.0.1.example"] {
            assert!(!text.parse::<Registry>().expect(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn a_reference_without_a_registry_says_what_to_write() {
        let error = "debian:12".parse::<Reference>().expect("a reference").repository().expect_err("no registry");
        assert!(error.to_string().contains("docker.io/library/debian:12"), "{error}");
    }

    #[test]
    fn a_repository_has_a_registry_and_neither_tag_nor_digest() {
        let read = |text: &str| text.parse::<Repository>().map(|repository| repository.to_string());
        assert_eq!(read("a.example:5000/x/y"), Ok("a.example:5000/x/y".to_owned()));
        let digest = Digest::of(b"");
        for text in ["a.example/x:1", &format!("a.example/x@{digest}"), "a.example", "x/y", "https://a.example/x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
