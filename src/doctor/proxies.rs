//! The proxies that the variables name, and whether the registry is reached through one.

use super::Finding;
use crate::reference::Registry;
use crate::registry::Proxies;

/// `registry`: the workspace's. A host of this machine, `*.localhost` too, is never reached through one.
pub fn check(proxies: &Proxies, registry: Option<&Registry>) -> Finding {
    let fix = "correct the variable, or unset it";
    if [&proxies.http, &proxies.https, &proxies.all].iter().all(|text| text.is_empty()) {
        return Finding::not_needed("proxy", "no variable names one");
    }
    let Some(registry) = registry else { return Finding::fine("proxy", "is named") };
    match proxies.for_registry(registry) {
        Err(error) => Finding::missing("proxy", error.to_string(), fix),
        Ok(None) => Finding::fine("proxy", format!("{registry} is reached without it")),
        Ok(Some(proxy)) => {
            let found = format!("{registry} is reached through {proxy}");
            let inside = format!("where it lies in your own network, add {} to NO_PROXY", registry.host());
            Finding { fix: Some(inside), ..Finding::fine("proxy", found) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn it_is_told_whether_the_registry_is_reached_through_one() {
        let of = |no: &str, registry: &str| {
            let proxies = Proxies { all: "http://u:secret@p:3128".into(), no: no.into(), ..Proxies::default() };
            check(&proxies, registry.parse().ok().as_ref())
        };
        let through = of("", "h.example");
        assert!(
            through.found.contains("through http://p:3128") && through.fix.is_some_and(|fix| fix.contains("h.example"))
        );
        assert_eq!(of("h.example", "h.example").found, "h.example is reached without it");
        assert_eq!(of("", "registry.localhost").fix, None);
        assert_eq!(check(&Proxies::default(), None).state, State::NotNeeded);
        let wrong = Proxies { all: "ftp://p".into(), ..Proxies::default() };
        assert_eq!(check(&wrong, "h".parse().ok().as_ref()).state, State::Missing);
    }
}
