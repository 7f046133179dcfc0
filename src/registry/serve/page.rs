//! One page of a sorted list: `n` entries after `last`, and a link to the next (distribution specification, "Listing Tags").
//!
//! Takes a query and a list; knows nothing of what is listed.

use axum::http::HeaderValue;

use super::refusal::{Code, Refusal};

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// At most so many; `None`: all.
    n: Option<usize>,
    /// Only what comes after this; `None`: from the beginning.
    last: Option<String>,
}

impl Page {
    /// From a query such as `n=10&last=a`.
    pub(super) fn parse(query: &str) -> Result<Page, Refusal> {
        let mut page = Page::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "n" => page.n = Some(number(&value)?),
                "last" => page.last = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The entries of this page, and the `Link` to the next one where there is one. `path`: of the list.
    pub(super) fn cut(&self, mut entries: Vec<String>, path: &str) -> (Vec<String>, Option<HeaderValue>) {
        entries.sort_by_cached_key(|entry| order(entry));
        if let Some(last) = self.last.as_deref().map(order) {
            entries.retain(|entry| order(entry) > last);
        }
        let Some(n) = self.n.filter(|n| *n < entries.len()) else { return (entries, None) };
        entries.truncate(n);
        let link = entries.last().and_then(|last| link(path, n, last));
        (entries, link)
    }
}

fn number(text: &str) -> Result<usize, Refusal> {
    text.parse().map_err(|_| Refusal::new(Code::PageInvalid, format!("n is `{text}`, which is no number of entries")))
}

/// Letters first, whatever their case, as the specification wants it; equal ones by case.
fn order(entry: &str) -> (String, String) {
    (entry.to_ascii_lowercase(), entry.to_owned())
}

fn link(path: &str, n: usize, last: &str) -> Option<HeaderValue> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("n", &n.to_string())
        .append_pair("last", last)
        .finish();
    format!("<{path}?{query}>; rel=\"next\"").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(query: &str) -> (Vec<String>, Option<String>) {
        let entries = ["b", "A", "a", "C"].map(str::to_owned).to_vec();
        let (entries, link) = Page::parse(query).unwrap().cut(entries, "/list");
        (entries, link.map(|link| link.to_str().unwrap().to_owned()))
    }

    #[test]
    fn following_the_links_gives_every_entry_once() {
        assert_eq!(cut(""), (vec!["A".into(), "a".into(), "b".into(), "C".into()], None));
        assert_eq!(cut("n=2"), (vec!["A".into(), "a".into()], Some("</list?n=2&last=a>; rel=\"next\"".into())));
        assert_eq!(cut("n=2&last=a"), (vec!["b".into(), "C".into()], None));
        assert_eq!(cut("n=1&last=A"), (vec!["a".into()], Some("</list?n=1&last=a>; rel=\"next\"".into())));
    }

    #[test]
    fn nothing_is_asked_for_and_nothing_is_left() {
        assert_eq!((cut("n=0"), cut("last=z"), cut("n=9&x=1").0.len()), ((vec![], None), (vec![], None), 4));
        for query in ["n=-1", "n=x", "n=", "n=99999999999999999999"] {
            assert!(Page::parse(query).is_err(), "{query}");
        }
    }
}
