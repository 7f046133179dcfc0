//! Tests of single uploads against a registry that keeps sessions: resumed, in chunks, begun anew.

use std::sync::{Arc, Mutex};

use super::fake::{Fake, Reply, Seen};
use super::testing::{Memory, config, push_with, request, well};
use super::*;
use crate::digest::Digest;

/// A registry with one upload session, which does what its fields say.
struct Desk {
    /// What it took of the blob so far.
    taken: Vec<u8>,
    /// How many sessions were begun.
    sessions: usize,
    /// Breaks the connection after this many bytes of a request that carries any, as often as `times` says.
    breaks: Option<usize>,
    times: usize,
    /// Refuses larger bodies with 413.
    limit: usize,
    /// What it says of chunks.
    least: Option<usize>,
    /// Whether it says where a session stands.
    tells: bool,
}

impl Default for Desk {
    fn default() -> Desk {
        Desk { taken: Vec::new(), sessions: 0, breaks: None, times: 1, limit: usize::MAX, least: None, tells: true }
    }
}

impl Desk {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let (method, path) = seen.line.split_once(' ').expect("a request line");
        match method {
            "POST" => self.begin(),
            "GET" if path.starts_with("/upload/") && self.tells => self.stand(Reply::new(204)),
            "GET" if path.starts_with("/upload/") => Reply::new(404),
            "PATCH" | "PUT" if path.starts_with("/upload/") => self.take(seen),
            _ => well(seen),
        }
    }

    fn begin(&mut self) -> Reply {
        self.sessions += 1;
        self.taken.clear();
        let reply = self.stand(Reply::new(202));
        match self.least {
            Some(least) => reply.with("oci-chunk-min-length", least.to_string()),
            None => reply,
        }
    }

    fn stand(&self, reply: Reply) -> Reply {
        let end = self.taken.len().saturating_sub(1);
        reply
            .with("location", format!("/upload/{}?at={}", self.sessions, self.taken.len()))
            .with("range", format!("0-{end}"))
    }

    fn take(&mut self, seen: &Seen) -> Reply {
        if seen.body.len() > self.limit {
            return Reply::new(413).body("too much");
        }
        let start = seen
            .header("content-range")
            .map_or(0, |range| range.split('-').next().expect("a start").parse().expect("digits"));
        if start != self.taken.len() && !seen.body.is_empty() {
            return Reply::new(416);
        }
        let broken = self.breaks.filter(|_| !seen.body.is_empty());
        let kept = broken.map_or(seen.body.len(), |size| size.min(seen.body.len()));
        self.taken.extend_from_slice(&seen.body[..kept]);
        match (broken, seen.line.starts_with("PUT")) {
            (Some(_), _) => {
                self.times -= 1;
                self.breaks = self.breaks.filter(|_| self.times > 0);
                Reply::cut()
            }
            (None, true) => Reply::new(201),
            (None, false) => self.stand(Reply::new(202)),
        }
    }
}

/// Bytes of which no two pieces are alike.
fn blob(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

/// What became of a push, the requests that carried bytes of the blob (method, how many), and the registry.
type Sent = (Result<Pushed, RegistryError>, Vec<(String, usize)>, Arc<Mutex<Desk>>);

/// Pushes an image with this one blob, and returns the registry's requests that carried bytes of it, with how many.
fn sent(desk: Desk, bytes: &[u8]) -> Sent {
    let desk = Arc::new(Mutex::new(desk));
    let fake = Fake::start({
        let desk = desk.clone();
        move |seen| desk.lock().expect("the desk").answer(seen)
    });
    let digest = Digest::of(bytes);
    let blobs = vec![BlobDescriptor { digest, size: bytes.len() as u64 }];
    let request = PushRequest { blobs, ..request(&fake.address, "a/b") };
    let (mut results, _) = push_with(config(), &[request], &Memory([(digest, bytes.to_vec())].into()));
    let carried = fake.seen().into_iter().filter(|seen| seen.line.contains("/upload/") && !seen.body.is_empty());
    let carried =
        carried.map(|seen| (seen.line.split('/').next().expect("a method").trim().to_owned(), seen.body.len()));
    (results.remove(0), carried.collect(), desk)
}

#[test]
fn an_upload_that_broke_goes_on_where_the_registry_says_that_it_stands() {
    let bytes = blob(700_000);
    let (result, carried, desk) = sent(Desk { breaks: Some(300_000), ..Desk::default() }, &bytes);
    result.expect("pushed");
    let desk = desk.lock().expect("the desk");
    assert_eq!((desk.sessions, &desk.taken), (1, &bytes));
    assert_eq!(carried, [("PUT".to_owned(), 700_000), ("PUT".to_owned(), 400_000)]);
}

#[test]
fn an_upload_that_makes_progress_may_break_more_often_than_there_are_retries() {
    let bytes = blob(4_000_000);
    let (result, _, desk) = sent(Desk { breaks: Some(1_200_000), times: 3, ..Desk::default() }, &bytes);
    result.expect("pushed");
    assert_eq!(desk.lock().expect("the desk").taken, bytes);
    let (result, carried, _) = sent(Desk { breaks: Some(10_000), times: 9, ..Desk::default() }, &bytes);
    assert!(matches!(result, Err(RegistryError::Broken { .. })), "{result:?}");
    assert_eq!(carried.len(), 3, "one attempt and two retries");
}

#[test]
fn an_upload_whose_session_is_lost_or_says_nothing_of_use_begins_anew() {
    let bytes = blob(700_000);
    for (tells, breaks) in [(false, 300_000), (true, 1), (true, 0)] {
        let (result, carried, desk) = sent(Desk { breaks: Some(breaks), tells, ..Desk::default() }, &bytes);
        result.expect("pushed");
        let desk = desk.lock().expect("the desk");
        assert_eq!((desk.sessions, &desk.taken), (2, &bytes), "{tells} {breaks}");
        assert_eq!(carried.len(), 2, "{carried:?}");
    }
}

#[test]
fn all_bytes_there_and_the_answer_lost_ends_the_session_without_sending_any_again() {
    let bytes = blob(700_000);
    let (result, carried, desk) = sent(Desk { breaks: Some(700_000), ..Desk::default() }, &bytes);
    result.expect("pushed");
    assert_eq!((carried.len(), desk.lock().expect("the desk").sessions), (1, 1));
}

#[test]
fn what_is_too_large_for_one_request_goes_in_chunks_and_a_broken_one_is_resumed() {
    let bytes = blob(1_300_000);
    let limit = 500_000;
    for breaks in [None, Some(100_000)] {
        let (result, carried, desk) = sent(Desk { limit, breaks, ..Desk::default() }, &bytes);
        result.expect("pushed");
        assert_eq!(desk.lock().expect("the desk").taken, bytes, "{breaks:?}");
        let taken: Vec<usize> = carried.iter().map(|(_, size)| *size).filter(|size| *size <= limit).collect();
        assert!(taken.iter().all(|size| *size <= 256 << 10), "{carried:?}");
        assert_eq!(carried.last().map(|(method, _)| method.as_str()), Some("PUT"));
    }
}

#[test]
fn chunks_are_not_smaller_than_the_registry_wants_them() {
    let bytes = blob(1_300_000);
    let (result, carried, _) = sent(Desk { limit: 500_000, least: Some(400_000), ..Desk::default() }, &bytes);
    result.expect("pushed");
    let patches: Vec<usize> = carried.iter().filter(|(method, _)| method == "PATCH").map(|(_, size)| *size).collect();
    assert_eq!(patches[patches.len() - 3..], [400_000; 3], "{carried:?}");
}

#[test]
fn a_limit_below_every_chunk_is_told_with_what_to_do() {
    let (result, carried, _) = sent(Desk { limit: 1_000, ..Desk::default() }, &blob(1_300_000));
    let error = result.expect_err("refused").to_string();
    assert!(error.contains("413") && error.contains("raise that limit"), "{error}");
    assert_eq!(carried.len(), 3, "whole, in chunks of 1 MiB, of 256 KiB: {carried:?}");
}
