//! Reads `WWW-Authenticate` (RFC 9110 §11.6.1): which scheme a registry wants, and for tokens where to get them.
//!
//! Pure text to value; what is done with it is `auth`'s.

/// How a registry wants to be told who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from a token server.
    Bearer {
        /// The token server's address.
        realm: String,
        /// The service to name there; `None` where the registry names none.
        service: Option<String>,
    },
    /// User and password with each request.
    Basic,
}

/// The challenge to answer among a header's values: tokens before passwords; `None` where none can be answered.
pub(super) fn choose<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Challenge> {
    let offers: Vec<Offer> = values.into_iter().flat_map(parse).collect();
    let bearer = offers.iter().find(|offer| offer.is("bearer")).and_then(|offer| {
        let realm = offer.get("realm")?.to_owned();
        Some(Challenge::Bearer { realm, service: offer.get("service").map(str::to_owned) })
    });
    bearer.or_else(|| offers.iter().any(|offer| offer.is("basic")).then_some(Challenge::Basic))
}

/// Whether a challenge says that the token is good and its scope is too small (RFC 6750 §3.1).
pub(super) fn is_insufficient_scope<'a>(values: impl IntoIterator<Item = &'a str>) -> bool {
    values.into_iter().flat_map(parse).any(|offer| offer.get("error") == Some("insufficient_scope"))
}

struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// All challenges of one header value. Commas part both challenges and parameters: an item that begins with a word
/// and no `=` begins a challenge.
fn parse(value: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for item in split_items(value) {
        let (first, rest) = item.split_once(char::is_whitespace).unwrap_or((item, ""));
        let begins = !first.contains('=') && !rest.trim_start().starts_with('=');
        let parameter = if begins { rest } else { item };
        if begins {
            offers.push(Offer { scheme: first.to_owned(), parameters: Vec::new() });
        }
        if let (Some(offer), Some((key, value))) = (offers.last_mut(), parameter.split_once('=')) {
            offer.parameters.push((key.trim().to_owned(), unquote(value.trim())));
        }
    }
    offers
}

/// The non-empty items between commas that stand outside quotes.
fn split_items(value: &str) -> Vec<&str> {
    let (mut items, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                items.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&value[start..]);
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => text.extend(characters.next()),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) })
    }

    #[test]
    fn a_token_challenge_with_commas_in_its_scope_is_read() {
        let value = r#"Bearer realm="https://auth.io/token",service="reg.io",scope="repository:a:pull,push""#;
        assert_eq!(choose([value]), bearer("https://auth.io/token", Some("reg.io")));
    }

    #[test]
    fn tokens_come_before_passwords_in_one_header_or_in_two() {
        assert_eq!(choose([r#"Basic realm="x", bearer Realm=https://a"#]), bearer("https://a", None));
        assert_eq!(choose(["Basic realm=\"x\"", r#"Bearer realm = "https://a""#]), bearer("https://a", None));
    }

    #[test]
    fn basic_needs_no_parameters_and_unknown_schemes_are_passed_over() {
        assert_eq!(choose(["Negotiate, Basic"]), Some(Challenge::Basic));
        assert_eq!(choose(["Negotiate", "Digest realm=\"a, Basic\""]), None);
        assert_eq!(choose(["Bearer", "", ",,", "\""]), None);
    }

    #[test]
    fn escaped_quotes_stay_within_a_value() {
        assert_eq!(choose([r#"Bearer realm="a\",b",service=s"#]), bearer("a\",b", Some("s")));
    }

    #[test]
    fn a_scope_too_small_is_told_apart() {
        assert!(is_insufficient_scope([r#"Bearer realm="r",error="insufficient_scope""#]));
        assert!(!is_insufficient_scope([r#"Bearer realm="r",error="invalid_token""#]));
    }
}
