//! What is known of an upload from one attempt to the next: its session, how far it got, how much goes at once.
//!
//! Reads what a registry says of an upload session; sends nothing.

use reqwest::Url;
use reqwest::header::{HeaderMap, RANGE};

use super::answer::header;
use super::error::RegistryError;

/// The sizes of chunks that are tried where a registry, or a proxy before it, takes no more at once (413).
const CHUNKS: [u64; 4] = [16 << 20, 4 << 20, 1 << 20, 256 << 10];

/// An upload session of the registry's, and how many bytes of the blob it has.
pub(super) struct At {
    /// Where the next bytes go.
    pub location: Url,
    /// How many bytes of the blob it has.
    pub offset: u64,
}

/// What is known of an upload from one attempt to the next.
#[derive(Default)]
pub(super) struct Standing {
    /// The registry's session; `None` where none was begun, or the last one is of no use.
    pub location: Option<Url>,
    /// How many bytes of the blob it had when we last heard of it.
    pub taken: u64,
    /// Whether an attempt broke.
    pub broke: bool,
    /// Whether it was begun anew because the registry lost its thread; that is done once.
    pub renewed: bool,
    /// The most bytes that go into one request; `None`: all.
    pub chunk: Option<u64>,
    /// The fewest bytes that the registry wants in a chunk that isn't the last (`OCI-Chunk-Min-Length`).
    pub least: u64,
}

impl Standing {
    /// Whether an attempt can go on after an answer: in smaller chunks where a piece of `length` bytes was too large,
    /// in a new session, once, where the registry no longer knows this one or finds other bytes in it.
    pub fn mends(&mut self, error: &RegistryError, length: u64) -> bool {
        let RegistryError::Status { status, .. } = error else { return false };
        match status {
            // 405 and 501: no PUT with a body, which some proxies and stores refuse.
            405 | 413 | 501 => {
                let smaller = smaller(length, self.least);
                self.chunk = smaller.or(self.chunk);
                // The session has what came before; a proxy that refused may not even have asked it.
                self.broke = true;
                smaller.is_some()
            }
            400 | 404 | 416 => {
                self.location = None;
                !std::mem::replace(&mut self.renewed, true)
            }
            _ => false,
        }
    }
}

/// The next size of chunks after one of `length` bytes was too large.
fn smaller(length: u64, least: u64) -> Option<u64> {
    CHUNKS.into_iter().chain([least]).find(|size| *size < length && *size >= least.max(1))
}

/// How many bytes a session has by its `Range: 0-N`; `None` where it doesn't say.
pub(super) fn taken(headers: &HeaderMap) -> Option<u64> {
    let range = header(headers, RANGE.as_str())?;
    let last: u64 = range.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    last.checked_add(1)
}

/// The fewest bytes that a registry wants in a chunk that isn't the last; 0 where it doesn't say.
pub(super) fn least(headers: &HeaderMap) -> u64 {
    header(headers, "oci-chunk-min-length").and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn what_a_session_has_is_read_in_each_form_that_registries_write() {
        let read = |text: &'static str| taken(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static(text))]));
        assert_eq!((read("0-0"), read("0-99"), read("bytes=0-99")), (Some(1), Some(100), Some(100)));
        assert_eq!((read("0--1"), read("5-9"), read("0-18446744073709551615"), read("")), (None, None, None, None));
    }

    #[test]
    fn chunks_become_smaller_until_there_is_nothing_left_to_try() {
        assert_eq!(smaller(1 << 30, 0), Some(16 << 20));
        assert_eq!(smaller(16 << 20, 0), Some(4 << 20));
        assert_eq!(smaller(300_000, 0), Some(256 << 10));
        assert_eq!(smaller(256 << 10, 0), None);
        assert_eq!(smaller(16 << 20, 5 << 20), Some(5 << 20));
        assert_eq!(smaller(5 << 20, 5 << 20), None);
    }
}
