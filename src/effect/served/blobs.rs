//! Blobs as they are given: whole, in part, not at all.

use std::os::unix::fs::PermissionsExt as _;

use super::Served;
use crate::digest::Digest;

#[test]
fn a_blob_is_given_whole_or_in_part() {
    let served = Served::new();
    let digest = served.blob("a/b/c/d", b"0123456789");
    let line = format!("GET /v2/a/b/c/d/blobs/{digest}");
    let whole = served.ask(&line);
    assert_eq!((whole.status, whole.text().as_str(), whole.header("content-length")), (200, "0123456789", Some("10")));
    assert_eq!(whole.header("docker-content-digest"), Some(digest.to_string().as_str()));
    assert_eq!(whole.header("docker-distribution-api-version"), Some("registry/2.0"));
    let some = served.send(&line, &[("range", "bytes=2-4")], "");
    assert_eq!((some.status, some.text().as_str()), (206, "234"));
    assert_eq!((some.header("content-range"), some.header("content-length")), (Some("bytes 2-4/10"), Some("3")));
    let beyond = served.send(&line, &[("range", "bytes=10-")], "");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    let head = served.ask(&line.replace("GET", "HEAD"));
    assert_eq!((head.status, head.text().as_str(), head.header("content-length")), (200, "", Some("10")));
    assert_eq!(served.ask(&line.replace(':', "%3A")).text(), "0123456789");
}

#[test]
fn the_empty_blob_is_one() {
    let served = Served::new();
    let digest = served.blob("a", b"");
    let got = served.ask(&format!("GET /v2/a/blobs/{digest}"));
    assert_eq!((got.status, got.text().as_str(), got.header("content-length")), (200, "", Some("0")));
}

#[test]
fn what_is_in_the_store_or_in_another_repository_is_not_in_this_one() {
    let served = Served::new();
    let built = served.store.blobs().put_bytes(b"built").unwrap();
    let pushed = served.blob("a", b"pushed");
    for line in [format!("/v2/a/blobs/{built}"), format!("/v2/b/blobs/{pushed}"), format!("/v2/a/b/blobs/{pushed}")] {
        assert_eq!(served.ask(&format!("GET {line}")).refusal(), (404, "BLOB_UNKNOWN".into()), "{line}");
        assert_eq!(served.ask(&format!("HEAD {line}")).status, 404);
    }
    assert_eq!(served.ask("GET /v2/a/blobs/sha256:12").refusal(), (400, "DIGEST_INVALID".into()));
    assert_eq!(served.ask(&format!("DELETE /v2/a/blobs/{pushed}")).refusal(), (405, "UNSUPPORTED".into()));
}

#[test]
fn a_damaged_blob_breaks_off_is_missing_then_and_a_push_brings_it_back() {
    for range in [None, Some("bytes=1-2")] {
        let served = Served::new();
        served.image("a", "1", "hello");
        let digest = Digest::of(b"hello");
        let path = served.store.blobs().path(&digest);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&path, b"hallo").unwrap();
        let line = format!("GET /v2/a/blobs/{digest}");
        let headers: Vec<_> = range.iter().map(|range| ("range", *range)).collect();
        let got = served.send(&line, &headers, "");
        assert!(got.body.is_none() || got.status == 500, "{}", got.status);
        assert_eq!(served.ask(&line).status, 404);
        assert_eq!(served.ask("HEAD /v2/a/manifests/1").status, 404, "or a push would send nothing");
        assert_eq!(served.store.take_warnings().len(), 1);
        served.blob("a", b"hello");
        assert_eq!(served.ask(&line).text(), "hello");
        assert_eq!(served.ask("HEAD /v2/a/manifests/1").status, 200);
    }
}

#[test]
fn web_pages_and_names_of_other_machines_get_nothing() {
    let served = Served::new();
    assert_eq!(served.send("GET /v2/", &[("origin", "http://evil.example")], "").refusal(), (403, "DENIED".into()));
    assert_eq!(served.ask("GET /v2/").status, 200);
    assert_eq!(served.ask("GET /v3/").status, 404);
    assert_eq!(served.ask("POST /v2/_catalog").refusal(), (405, "UNSUPPORTED".into()));
}
