//! Which proxy a request goes through: the rules that curl follows, on variables that the caller hands in.
//!
//! This machine is never reached through a proxy. Shown without user and password.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::error::{RegistryError, redacted};
use crate::reference::{Registry, is_loopback};

/// What the variables of the same names say; empty where they are not set. `Debug` shows no value, as each may hold a
/// password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// `HTTP_PROXY`: for plain HTTP.
    pub http: String,
    /// `HTTPS_PROXY`: for HTTPS.
    pub https: String,
    /// `ALL_PROXY`: for both, where they have none of their own.
    pub all: String,
    /// `NO_PROXY`: hosts, domains, addresses and networks that are reached directly, with commas between; `*`: all.
    pub no: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

impl Proxies {
    /// The proxy through which a registry is reached by HTTPS, without user and password; `None`: none. An error for one
    /// that is no address.
    pub fn for_registry(&self, registry: &Registry) -> Result<Option<String>, RegistryError> {
        let rules = ProxyRules::new(self)?;
        let url = format!("https://{registry}/").parse::<Url>().ok();
        Ok(url.and_then(|url| rules.shown(&url)))
    }
}

/// The same, parsed.
pub(super) struct ProxyRules {
    http: Option<Url>,
    https: Option<Url>,
    matcher: Matcher,
}

impl ProxyRules {
    /// Parses; an error for a proxy that is no address.
    pub fn new(proxies: &Proxies) -> Result<ProxyRules, RegistryError> {
        let Proxies { http, https, all, no } = proxies;
        let all = address("ALL_PROXY", all)?;
        let http = address("HTTP_PROXY", http)?.or_else(|| all.clone());
        let https = address("HTTPS_PROXY", https)?.or(all);
        // It is asked only whether there is a proxy for a host; which one, we know.
        let matcher = Matcher::builder().all("http://proxy").no(no.as_str()).build();
        Ok(ProxyRules { http, https, matcher })
    }

    /// The proxy for an address, user and password included; `None` where it is reached directly.
    pub fn of(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }?;
        if url.host_str().is_none_or(is_loopback) {
            return None;
        }
        self.matcher.intercept(&url.as_str().parse().ok()?).map(|_| proxy)
    }

    /// The proxy for an address as it may be shown.
    pub fn shown(&self, url: &Url) -> Option<String> {
        self.of(url).map(|proxy| redacted(proxy).trim_end_matches('/').to_owned())
    }
}

/// `host:port` alone means plain HTTP to the proxy, as for curl.
fn address(name: &str, text: &str) -> Result<Option<Url>, RegistryError> {
    if text.is_empty() {
        return Ok(None);
    }
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = full.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The text may hold a password.
    let cause =
        || format!("the variable {name} is not the address of an HTTP proxy, such as `http://proxy.example:3128`");
    url.map(Some).ok_or_else(|| RegistryError::Setting { cause: cause() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(proxies: &Proxies, url: &str) -> Option<String> {
        ProxyRules::new(proxies).expect("proxies").shown(&url.parse().expect("a URL"))
    }

    #[test]
    fn each_scheme_has_its_proxy_and_all_fills_in() {
        let proxies = Proxies { http: "p:1".into(), all: "http://u:hunter2@q:2/".into(), ..Proxies::default() };
        assert_eq!(shown(&proxies, "http://h.io/"), Some("http://p:1".into()));
        assert_eq!(shown(&proxies, "https://h.io/"), Some("http://q:2".into()));
        assert_eq!(shown(&Proxies::default(), "https://h.io/"), None);
        assert!(!format!("{proxies:?}").contains("hunter2"));
    }

    #[test]
    fn no_proxy_and_this_machine_are_reached_directly() {
        let no = "corp.example,10.0.0.0/8,*.test".to_owned();
        let proxies = Proxies { all: "p:1".into(), no, ..Proxies::default() };
        for url in ["https://a.corp.example/", "http://10.1.2.3:5000/", "http://registry.localhost/", "http://[::1]/"] {
            assert_eq!(shown(&proxies, url), None, "{url}");
        }
        assert!(shown(&proxies, "https://corp.example.evil/").is_some());
        let none = Proxies { no: "*".into(), ..proxies };
        assert_eq!(shown(&none, "https://h.io/"), None);
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_text() {
        for text in ["socks5://hunter2@p:1", "http://", "http://hunter2:x:y"] {
            let proxies = Proxies { https: text.into(), ..Proxies::default() };
            let error = ProxyRules::new(&proxies).err().expect(text).to_string();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter2"), "{error}");
        }
    }
}
