//! Blobs as they come: in one request or in many, broken, out of order, wrong, from another repository.

use super::{Served, cut};
use crate::digest::Digest;

/// Begins an upload; gives its location.
fn begin(served: &Served, repository: &str) -> String {
    let got = served.ask(&format!("POST /v2/{repository}/blobs/uploads/"));
    assert_eq!((got.status, got.header("range")), (202, Some("0-0")));
    let location = got.header("location").unwrap().to_owned();
    assert!(location.ends_with(got.header("docker-upload-uuid").unwrap()));
    location
}

/// What the repository gives for these bytes' digest.
fn status(served: &Served, repository: &str, bytes: &[u8]) -> u16 {
    served.ask(&format!("HEAD /v2/{repository}/blobs/{}", Digest::of(bytes))).status
}

#[test]
fn parts_in_order_make_a_blob() {
    let served = Served::new();
    let at = begin(&served, "a/b");
    let patch = |range: &str, body: &'static str| {
        served.send(
            &format!("PATCH {at}"),
            &[("content-range", range), ("content-length", &body.len().to_string())],
            body,
        )
    };
    let first = patch("0-3", "0123");
    assert_eq!((first.status, first.header("range"), first.header("location")), (202, Some("0-3"), Some(at.as_str())));
    assert_eq!(patch("4-5", "45").header("range"), Some("0-5"));
    let asked = served.ask(&format!("GET {at}"));
    assert_eq!((asked.status, asked.header("range")), (204, Some("0-5")));
    let digest = Digest::of(b"0123456789");
    let end = served.send(&format!("PUT {at}?digest={digest}"), &[("content-range", "6-9")], "6789");
    let there = format!("/v2/a/b/blobs/{digest}");
    assert_eq!((end.status, end.header("location")), (201, Some(there.as_str())));
    assert_eq!(end.header("docker-content-digest"), Some(digest.to_string().as_str()));
    assert_eq!(served.ask(&format!("GET {there}")).text(), "0123456789");
    assert_eq!(served.ask(&format!("GET {at}")).refusal(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
}

#[test]
fn a_stream_without_ranges_is_appended_and_the_last_request_may_be_empty() {
    let served = Served::new();
    let at = begin(&served, "a");
    assert_eq!(served.send(&format!("PATCH {at}"), &[], "hello").header("range"), Some("0-4"));
    assert_eq!(served.ask(&format!("PUT {at}?digest={}", Digest::of(b"hello"))).status, 201);
    let at = begin(&served, "a");
    assert_eq!(served.send(&format!("PUT {at}?digest={}", Digest::of(b"whole")), &[], "whole").status, 201);
    assert_eq!((status(&served, "a", b"hello"), status(&served, "a", b"whole")), (200, 200));
}

#[test]
fn a_part_out_of_order_is_refused_with_where_the_upload_stands() {
    let served = Served::new();
    let at = begin(&served, "a");
    served.send(&format!("PATCH {at}"), &[], "0123");
    for (line, range) in [("PATCH", "0-3"), ("PATCH", "5-6"), ("PUT", "9-9")] {
        let query = if line == "PUT" { format!("?digest={}", Digest::of(b"x")) } else { String::new() };
        let got = served.send(&format!("{line} {at}{query}"), &[("content-range", range)], "xx");
        assert_eq!(got.refusal(), (416, "BLOB_UPLOAD_INVALID".into()), "{line} {range}");
        assert_eq!((got.header("range"), got.header("location")), (Some("0-3"), Some(at.as_str())));
    }
    for range in ["4", "x-y", "7-4", ""] {
        let got = served.send(&format!("PATCH {at}"), &[("content-range", range)], "xx");
        assert_eq!(got.refusal(), (400, "BLOB_UPLOAD_INVALID".into()), "{range}");
    }
    let length = ("content-length", "2");
    let got = served.send(&format!("PATCH {at}"), &[("content-range", "4-9"), length], "xx");
    assert_eq!(got.refusal(), (400, "SIZE_INVALID".into()));
    assert_eq!(served.ask(&format!("GET {at}")).header("range"), Some("0-3"), "nothing of all that was taken");
}

#[test]
fn what_came_before_a_break_stays_and_the_client_goes_on_from_there() {
    let served = Served::new();
    let at = begin(&served, "a");
    assert_eq!(served.send(&format!("PATCH {at}"), &[], cut(b"0123")).status, 400);
    assert_eq!(served.ask(&format!("GET {at}")).header("range"), Some("0-3"));
    let put = format!("PUT {at}?digest={}", Digest::of(b"01234567"));
    assert_eq!(served.send(&put, &[], cut(b"45")).status, 400);
    assert_eq!(status(&served, "a", b"012345"), 404, "a broken request ends no upload");
    assert_eq!(served.send(&put, &[("content-range", "6-7")], "67").status, 201);
    assert_eq!(status(&served, "a", b"01234567"), 200);
}

#[test]
fn other_bytes_than_announced_are_not_kept() {
    let served = Served::new();
    let other = Digest::of(b"other");
    let at = begin(&served, "a");
    let got = served.send(&format!("PUT {at}?digest={other}"), &[], "bytes");
    assert_eq!(got.refusal(), (400, "DIGEST_INVALID".into()));
    assert!(got.text().contains(&Digest::of(b"bytes").to_string()), "{}", got.text());
    let got = served.send(&format!("POST /v2/a/blobs/uploads/?digest={other}"), &[], "bytes");
    assert_eq!(got.refusal(), (400, "DIGEST_INVALID".into()));
    assert_eq!(served.send(&format!("POST /v2/a/blobs/uploads/?digest={other}"), &[], cut(b"oth")).status, 400);
    assert_eq!((status(&served, "a", b"bytes"), status(&served, "a", b"other")), (404, 404));
    let at = begin(&served, "a");
    for query in ["", "?digest=", "?digest=sha512:ab"] {
        assert_eq!(served.ask(&format!("PUT {at}{query}")).refusal(), (400, "DIGEST_INVALID".into()), "{query}");
    }
}

#[test]
fn an_upload_that_is_unknown_cancelled_or_another_repositorys_is_not_found() {
    let served = Served::new();
    let at = begin(&served, "a");
    let elsewhere = at.replace("/v2/a/", "/v2/b/");
    assert_eq!(served.ask(&format!("DELETE {at}")).status, 204);
    for at in [at, elsewhere, "/v2/a/blobs/uploads/7f".to_owned()] {
        let put = format!("PUT {at}?digest={}", Digest::of(b"x"));
        for line in [format!("GET {at}"), format!("PATCH {at}"), put, format!("DELETE {at}")] {
            assert_eq!(served.send(&line, &[], "x").refusal(), (404, "BLOB_UPLOAD_UNKNOWN".into()), "{line}");
        }
    }
}

#[test]
fn a_blob_is_mounted_from_where_it_is_and_an_upload_begins_where_it_is_not() {
    let served = Served::new();
    let digest = served.blob("deep/a", b"blob");
    let mount = |to: &str, rest: &str| served.ask(&format!("POST /v2/{to}/blobs/uploads/?mount={digest}{rest}"));
    let mounted = mount("b", "&from=deep/a");
    let there = format!("/v2/b/blobs/{digest}");
    assert_eq!((mounted.status, mounted.header("location")), (201, Some(there.as_str())));
    assert_eq!(status(&served, "b", b"blob"), 200);
    let refused = mount("c", "&from=deep");
    assert_eq!((refused.status, status(&served, "c", b"blob")), (202, 404));
    let at = refused.header("location").unwrap();
    assert_eq!(served.send(&format!("PUT {at}?digest={digest}"), &[], "blob").status, 201);
    assert_eq!(mount("d", "&from=NO").refusal(), (400, "NAME_INVALID".into()));
}

#[test]
fn without_a_source_a_blob_is_mounted_from_any_repository_that_holds_images() {
    let served = Served::new();
    let built = served.store.blobs().put_bytes(b"built").unwrap();
    served.image("a", "1", "layer");
    let mount = |digest: Digest| served.ask(&format!("POST /v2/b/blobs/uploads/?mount={digest}")).status;
    assert_eq!((mount(Digest::of(b"layer")), mount(built)), (201, 202), "what was only built is nobody's");
    assert_eq!(status(&served, "b", b"layer"), 200);
}

#[test]
fn many_uploads_of_the_same_at_once_all_succeed() {
    let served = Served::new();
    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| number.wrapping_mul(2_654_435_761) as u8).collect();
    std::thread::scope(|scope| {
        for repository in ["a", "a", "b", "c/d"] {
            let (served, bytes) = (&served, &bytes);
            scope.spawn(move || served.blob(repository, bytes));
        }
    });
    assert_eq!(served.ask(&format!("GET /v2/a/blobs/{}", Digest::of(&bytes))).body, Some(bytes));
}
