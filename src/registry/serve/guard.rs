//! Who may ask: programs of this machine, under a name of this machine.
//!
//! There are no passwords, so a page in this machine's browser must get nothing: it shows itself by `Origin`, or by the name
//! under which it reached us (DNS rebinding). Loopback listening keeps other machines out.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use super::refusal::{Code, Refusal};
use crate::reference::{Registry, is_loopback};

/// Refuses what no registry client of this machine sends.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::new(Code::Denied, "this registry does not answer web pages"));
    }
    let Some(host) = headers.get(HOST) else { return Ok(()) };
    let registry = host.to_str().ok().and_then(|text| text.parse::<Registry>().ok());
    match registry {
        Some(registry) if is_loopback(registry.host()) => Ok(()),
        _ => {
            let why = "this registry is for one machine: call it localhost, *.localhost or a loopback address";
            Err(Refusal::new(Code::Denied, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
        check(&headers).is_ok()
    }

    #[test]
    fn names_of_this_machine_are_answered_and_no_others() {
        for host in ["localhost:5000", "registry.localhost", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"] {
            assert!(answers(host, None), "{host}");
        }
        for host in ["evil.example:5000", "localhost.evil.example", "10.0.2.2:5000", "a b", ""] {
            assert!(!answers(host, None), "{host}");
        }
        assert!(!answers("localhost:5000", Some("http://localhost:5000")) && !answers("localhost", Some("null")));
    }
}
