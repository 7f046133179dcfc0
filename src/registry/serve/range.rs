//! Which bytes of a blob a request wants: the `Range` header (RFC 9110, section 14), one range of bytes.
//!
//! Takes headers and a size, gives a part. What can't be read, and several ranges at once, mean the whole.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Bytes(Range<u64>),
    /// Bytes that the blob doesn't have.
    Beyond,
}

/// What is wanted of a blob of this size.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Part {
    // We give no validator that an `If-Range` could repeat.
    if headers.contains_key(IF_RANGE) {
        return Part::Whole;
    }
    headers.get(RANGE).and_then(|value| parse(value.to_str().ok()?, size)).unwrap_or(Part::Whole)
}

fn parse(text: &str, size: u64) -> Option<Part> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let part = match (first.trim(), last.trim()) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..size.min(last.saturating_add(1))
        }
    };
    Some(if part.is_empty() { Part::Beyond } else { Part::Bytes(part) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Part {
        let headers = [(RANGE, text.parse().unwrap())].into_iter().collect();
        wanted(&headers, 10)
    }

    #[test]
    fn one_range_is_understood_in_its_three_forms() {
        assert_eq!(of("bytes=2-4"), Part::Bytes(2..5));
        assert_eq!(of("bytes=2-"), Part::Bytes(2..10));
        assert_eq!(of("bytes=-3"), Part::Bytes(7..10));
        assert_eq!((of("bytes=0-99"), of("bytes=-99")), (Part::Bytes(0..10), Part::Bytes(0..10)));
        assert_eq!((of("bytes=10-"), of("bytes=10-20"), of("bytes=-0")), (Part::Beyond, Part::Beyond, Part::Beyond));
        for text in ["bytes=0-1,4-5", "lines=1-2", "bytes=4-2", "bytes=a-b", "bytes", "bytes=-"] {
            assert_eq!(of(text), Part::Whole, "{text}");
        }
    }
}
