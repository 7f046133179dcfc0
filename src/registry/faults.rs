//! Tests of a push against a registry that misbehaves: `fake` answers as each test says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::fake::{Fake, Reply, Seen};
use super::testing::{LAYER, Memory, config, memory, push, push_with, request, well};
use super::*;
use crate::digest::Digest;
use crate::reference::Repository;

/// Answers the first requests that begin with `start` with `replies`, all others well.
fn stumbling(start: &'static str, replies: Vec<Reply>) -> Fake {
    let mut replies = replies.into_iter();
    Fake::start(move |seen| match seen.line.starts_with(start) {
        true => replies.next().unwrap_or_else(|| well(seen)),
        false => well(seen),
    })
}

#[test]
fn order_is_blob_then_manifest_then_tag_and_the_locations_query_is_kept() {
    let fake = Fake::start(well);
    push(&fake).expect("pushed");
    let puts: Vec<String> =
        fake.seen().into_iter().map(|seen| seen.line).filter(|line| line.starts_with("PUT")).collect();
    assert_eq!(puts.len(), 3, "{puts:?}");
    let digest = format!("digest=sha256%3A{}", Digest::of(LAYER).hex());
    assert_eq!(puts[0], format!("PUT /upload/1?_state=s%2F1&{digest}"));
    assert!(puts[1].starts_with("PUT /v2/a/b/manifests/sha256:") && puts[2].ends_with("/manifests/t"), "{puts:?}");
}

#[test]
fn passing_failures_of_each_step_are_tried_again() {
    for start in [
        "GET /v2/",
        "HEAD /v2/a/b/manifests/t",
        "HEAD /v2/a/b/blobs",
        "POST",
        "PUT /upload",
        "PUT /v2/a/b/manifests/sha256",
        "PUT /v2/a/b/manifests/t",
    ] {
        for reply in [Reply::new(503), Reply::new(429).with("retry-after", "0"), Reply::new(408), Reply::cut()] {
            let fake = stumbling(start, vec![reply.clone(); 2]);
            push(&fake).unwrap_or_else(|error| panic!("{start} {reply:?}: {error}"));
        }
    }
}

#[test]
fn lasting_failures_are_told_and_no_tag_is_put() {
    for start in ["HEAD /v2/a/b/blobs", "POST", "PUT /upload", "PUT /v2/a/b/manifests/sha256"] {
        let fake =
            stumbling(start, vec![Reply::new(503).body("{\"errors\":[{\"code\":\"X\",\"message\":\"disk\"}]}"); 9]);
        let error = push(&fake).expect_err(start);
        assert!(matches!(error, RegistryError::Status { status: 503, .. }), "{start}: {error}");
        assert_eq!(fake.count(start), 3, "{start}: one attempt and two retries");
        assert_eq!(fake.count("PUT /v2/a/b/manifests/t"), 0, "{start}");
    }
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    let fake = stumbling("POST", vec![Reply::new(413).body("too big"); 9]);
    let error = push(&fake).expect_err("refused").to_string();
    assert!(error.contains("413") && error.contains("too big") && error.contains("limit"), "{error}");
    assert_eq!(fake.count("POST"), 1);
}

#[test]
fn a_wait_longer_than_allowed_is_a_failure_at_once() {
    let fake = stumbling("POST", vec![Reply::new(429).with("retry-after", "3600")]);
    let error = push(&fake).expect_err("too long");
    let hour = Some(Duration::from_secs(3600));
    assert!(matches!(error, RegistryError::Status { status: 429, retry_after, .. } if retry_after == hour), "{error}");
}

#[test]
fn wrong_bytes_never_complete_an_upload() {
    for wrong in [b"a layeR".to_vec(), b"a lay".to_vec(), b"a layer and more".to_vec(), Vec::new()] {
        let fake = Fake::start(well);
        let blobs = Memory(BTreeMap::from([(Digest::of(LAYER), wrong)]));
        let (results, _) = push_with(config(), &[request(&fake.address, "a/b")], &blobs);
        assert!(matches!(results[0], Err(RegistryError::DigestMismatch { .. })), "{results:?}");
        let complete = fake.seen().iter().any(|seen| seen.line.starts_with("PUT") && seen.whole);
        assert!(!complete, "no PUT was complete");
    }
}

#[test]
fn a_blob_that_cannot_be_opened_is_told() {
    let fake = Fake::start(well);
    let (results, _) = push_with(config(), &[request(&fake.address, "a/b")], &Memory::default());
    assert!(matches!(results[0], Err(RegistryError::Source { .. })), "{results:?}");
    assert_eq!(fake.count("PUT"), 0);
}

#[test]
fn a_shared_layer_is_sent_once_and_mounted_and_each_refusal_of_a_mount_falls_back() {
    for (status, posts, sent) in [(201, 0, 1), (202, 0, 2), (401, 1, 2), (403, 1, 2), (404, 1, 2)] {
        let reply = Reply::new(status).with("location", "/upload/mount");
        let fake = stumbling("POST /v2/c/blobs/uploads/?mount=", vec![reply]);
        let requests = [request(&fake.address, "a/b"), request(&fake.address, "c")];
        let (results, events) = push_with(config(), &requests, &memory());
        assert!(results.iter().all(Result::is_ok), "{status}: {results:?}");
        assert_eq!(fake.count("PUT /upload/"), sent, "{status}");
        assert_eq!(fake.count("POST /v2/c/blobs/uploads/?mount="), 1, "{status}");
        assert_eq!(fake.count("POST /v2/c/blobs/uploads/") - 1, posts, "{status}");
        let mounted = events.iter().any(|event| matches!(event, PushEvent::BlobMounted { .. }));
        assert_eq!(mounted, status == 201);
        assert!(fake.seen().iter().all(|seen| seen.line.contains("mount=") == seen.line.contains("from=")));
    }
}

#[test]
fn a_base_images_repository_is_mounted_from() {
    let fake = Fake::start(|seen| match seen.line.as_str() {
        line if line.starts_with("HEAD /v2/base/blobs/") => Reply::new(200),
        line if line.contains("?mount=") && line.contains("from=base") => Reply::new(201),
        _ => well(seen),
    });
    let requests = [PushRequest { mount_from: vec!["base".parse().expect("a path")], ..request(&fake.address, "a/b") }];
    push_with(config(), &requests, &memory()).0.remove(0).expect("pushed");
    assert_eq!(fake.count("PUT /upload"), 0);
}

#[test]
fn one_image_that_fails_does_not_keep_the_others() {
    let fake = stumbling("POST /v2/bad/", vec![Reply::new(403); 9]);
    let requests = [request(&fake.address, "bad"), request(&fake.address, "good")];
    let (results, _) = push_with(config(), &requests, &memory());
    assert!(matches!(results[0], Err(RegistryError::Denied { .. })), "{results:?}");
    assert!(results[1].is_ok(), "{results:?}");
}

#[test]
fn an_unchanged_image_costs_one_head_a_tag() {
    let image = request("h.io", "a/b");
    let digest = Digest::of(&image.manifest).to_string();
    let fake = Fake::start(move |seen| match seen.line.starts_with("HEAD") {
        true => Reply::new(200).with("docker-content-digest", digest.clone()),
        false => well(seen),
    });
    let (results, events) = push_with(config(), &[request(&fake.address, "a/b")], &Memory::default());
    assert!(results[0].as_ref().expect("pushed").unchanged);
    assert!(matches!(events[..], [PushEvent::Unchanged(..)]), "{events:?}");
    assert_eq!((fake.count("HEAD"), fake.seen().len()), (1, 2), "one HEAD beside the first GET /v2/");
}

#[test]
fn a_registry_that_is_none_or_is_not_there_is_named_with_what_was_tried() {
    let page = stumbling("GET /v2/", vec![Reply::new(404).body("<html>It works!")]);
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    for address in [page.address.clone(), nobody] {
        let (results, _) = push_with(config(), &[request(&address, "a/b")], &memory());
        let Err(RegistryError::Unreachable { tried, .. }) = &results[0] else { panic!("{results:?}") };
        assert_eq!(tried[0].address, address);
    }
}

/// A registry that wants tokens from its own `/token`; with one, it answers so.
fn token_registry_with(own: &'static Mutex<String>, mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Fake {
    let fake = Fake::start(move |seen| {
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", own.lock().expect("an address"));
        match seen.line.as_str() {
            line if line.starts_with("GET /token") => Reply::new(200).body(r#"{"token":"tok3n","expires_in":300}"#),
            _ if seen.header("authorization") != Some("Bearer tok3n") => {
                Reply::new(401).with("www-authenticate", realm)
            }
            _ => answer(seen),
        }
    });
    own.lock().expect("an address").clone_from(&fake.address);
    fake
}

fn with_credentials(address: &str) -> (tempfile::TempDir, ClientConfig) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    let text =
        format!(r#"{{"auths":{{"{address}":{{"username":"bob","password":"hunter2","auth":"Ym9iOmh1bnRlcjI="}}}}}}"#);
    std::fs::write(&file, text).expect("a file");
    let credentials = CredentialSources { files: vec![file], ..CredentialSources::default() };
    (folder, ClientConfig { credentials, ..config() })
}

#[test]
fn a_token_is_asked_for_once_a_scope_with_the_users_password() {
    static OWN: Mutex<String> = Mutex::new(String::new());
    let fake = token_registry_with(&OWN, well);
    let (_folder, config) = with_credentials(&fake.address);
    let (results, _) = push_with(config, &[request(&fake.address, "a/b")], &memory());
    results[0].as_ref().expect("pushed");
    let asked: Vec<Seen> = fake.seen().into_iter().filter(|seen| seen.line.starts_with("GET /token")).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "GET /token?service=s&scope=repository%3Aa%2Fb%3Apull%2Cpush");
    assert_eq!(asked[0].header("authorization"), Some("Basic Ym9iOmh1bnRlcjI="));
    assert_eq!(fake.count("HEAD /v2/a/b/manifests/t"), 1, "the challenge was learnt before");
}

#[test]
fn basic_credentials_are_sent_only_after_they_were_asked_for_and_never_shown() {
    let fake = Fake::start(|seen| match seen.header("authorization") {
        None => Reply::new(401).with("www-authenticate", "Basic realm=\"r\""),
        Some("Basic Ym9iOmh1bnRlcjI=") if !seen.line.starts_with("POST") => well(seen),
        Some(_) => Reply::new(401).with("www-authenticate", "Basic realm=\"r\""),
    });
    let (_folder, config) = with_credentials(&fake.address);
    assert!(!format!("{config:?}").contains("hunter2"));
    let (results, events) = push_with(config, &[request(&fake.address, "a/b")], &memory());
    let error = results[0].as_ref().expect_err("POST is refused");
    assert!(matches!(error, RegistryError::Unauthorized { .. }) && error.to_string().contains("bob"), "{error}");
    let shown = format!("{results:?} {events:?} {error}");
    assert!(!shown.contains("hunter2") && !shown.contains("Ym9i"), "{shown}");
    assert_eq!(fake.seen()[0].header("authorization"), None);
}

#[test]
fn without_credentials_the_error_says_how_to_log_in() {
    let fake = Fake::start(|_| Reply::new(401).with("www-authenticate", "Basic realm=\"r\""));
    let error = push(&fake).expect_err("refused").to_string();
    assert!(error.contains(&format!("docker login {}", fake.address)), "{error}");
}

#[test]
fn upload_locations_and_redirects_elsewhere_get_no_credentials() {
    let other = Fake::start(|seen| if seen.line.starts_with("HEAD") { Reply::new(404) } else { Reply::new(201) });
    let elsewhere = format!("http://{}/elsewhere?sig=1", other.address);
    let fake = Fake::start(move |seen| match (seen.header("authorization"), seen.line.split(' ').next()) {
        (None, _) => Reply::new(401).with("www-authenticate", "Basic realm=\"r\""),
        (_, Some("POST")) => Reply::new(202).with("location", elsewhere.clone()),
        (_, Some("HEAD")) if seen.line.contains("/blobs/") => Reply::new(307).with("location", elsewhere.clone()),
        _ => well(seen),
    });
    let (_folder, config) = with_credentials(&fake.address);
    push_with(config, &[request(&fake.address, "a/b")], &memory()).0.remove(0).expect("pushed");
    let seen = other.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.header("authorization").is_none()), "{seen:?}");
    assert_eq!(seen[1].body, LAYER);
}

#[test]
fn a_redirect_in_circles_ends() {
    let fake = stumbling("HEAD /v2/a/b/manifests/", vec![Reply::new(307).with("location", "/v2/a/b/manifests/t"); 99]);
    let error = push(&fake).expect_err("circles");
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
}

#[test]
fn a_name_below_localhost_is_this_machine() {
    let fake = Fake::start(well);
    let port = fake.address.rsplit_once(':').expect("a port").1.to_owned();
    let (results, _) = push_with(config(), &[request(&format!("registry.localhost:{port}"), "a/b")], &memory());
    let pushed = results[0].as_ref().expect("pushed");
    assert!(pushed.reference().to_string().starts_with(&format!("registry.localhost:{port}/a/b:t@sha256:")));
}

/// An index of two images, each with a layer of its own; the blobs of both.
fn index(address: &str) -> (PushRequest, Memory) {
    let child = |text: &str| {
        let blobs = vec![BlobDescriptor { digest: Digest::of(text.as_bytes()), size: text.len() as u64 }];
        Child { manifest: format!("{{\"{text}\":1}}").into(), media_type: "application/y".to_owned(), blobs }
    };
    let memory = Memory(["one", "two"].map(|text| (Digest::of(text.as_bytes()), text.into())).into());
    let children = vec![child("one"), child("two")];
    (PushRequest { children, blobs: Vec::new(), ..request(address, "a/b") }, memory)
}

#[test]
fn an_index_is_put_after_its_images_and_those_after_their_blobs() {
    let fake = Fake::start(well);
    let (request, memory) = index(&fake.address);
    push_with(config(), std::slice::from_ref(&request), &memory).0.remove(0).expect("pushed");
    let puts = fake.seen().into_iter().map(|seen| seen.line).filter(|line| line.starts_with("PUT")).collect::<Vec<_>>();
    let manifest = |bytes: &[u8]| format!("PUT /v2/a/b/manifests/{}", Digest::of(bytes));
    let mut expected: Vec<String> = request.children.iter().map(|child| manifest(&child.manifest)).collect();
    expected.extend([manifest(&request.manifest), "PUT /v2/a/b/manifests/t".to_owned()]);
    assert!(puts[..2].iter().all(|line| line.starts_with("PUT /upload/")), "{puts:?}");
    assert_eq!(puts[2..], expected);
}

#[test]
fn an_index_that_lacks_an_image_is_not_put() {
    let fake = stumbling("PUT /v2/a/b/manifests/sha256", vec![Reply::new(201), Reply::new(400), Reply::new(400)]);
    let (request, memory) = index(&fake.address);
    let (results, _) = push_with(config(), &[request], &memory);
    assert!(matches!(results[0], Err(RegistryError::Status { status: 400, .. })), "{results:?}");
    assert_eq!((fake.count("PUT /v2/a/b/manifests/sha256"), fake.count("PUT /v2/a/b/manifests/t")), (2, 0));
}

#[test]
fn an_index_that_is_there_costs_one_head_and_an_image_of_it_that_is_there_sends_no_blob() {
    let (whole, _) = index("h.io");
    let digest = Digest::of(&whole.manifest).to_string();
    let fake = Fake::start(move |seen| match seen.line.starts_with("HEAD") {
        true => Reply::new(200).with("docker-content-digest", digest.clone()),
        false => well(seen),
    });
    let (results, _) = push_with(config(), &[index(&fake.address).0], &Memory::default());
    assert!(results[0].as_ref().expect("pushed").unchanged);
    assert_eq!(fake.count("HEAD"), 1);

    let first = Digest::of(&whole.children[0].manifest).to_string();
    let fake = Fake::start(move |seen| match seen.line.starts_with("HEAD") && seen.line.ends_with(&first) {
        true => Reply::new(200),
        false => well(seen),
    });
    let (request, memory) = index(&fake.address);
    push_with(config(), &[request], &memory).0.remove(0).expect("pushed");
    assert_eq!((fake.count("PUT /upload/"), fake.count("PUT /v2/a/b/manifests/")), (1, 3));
}

#[test]
fn six_images_that_are_there_cost_one_head_each_and_one_token_a_scope() {
    static OWN: Mutex<String> = Mutex::new(String::new());
    let names = ["base", "platform/a", "platform/b", "data/a", "data/b", "data/c"];
    let digests: BTreeMap<String, String> = names
        .map(|name| (format!("HEAD /v2/{name}/manifests/t"), Digest::of(&request("h.io", name).manifest).to_string()))
        .into();
    let fake = token_registry_with(&OWN, move |seen| match digests.get(&seen.line) {
        Some(digest) => Reply::new(200).with("docker-content-digest", digest.clone()),
        None => well(seen),
    });
    let (_folder, config) = with_credentials(&fake.address);
    let requests = names.map(|name| request(&fake.address, name));
    let (results, events) = push_with(config, &requests, &Memory::default());
    assert!(results.iter().flatten().filter(|pushed| pushed.unchanged).count() == 6, "{results:?}");
    assert_eq!(events.len(), 6, "{events:?}");
    assert_eq!((fake.count("HEAD"), fake.count("GET /token"), fake.count("GET /v2/")), (6, 6, 1));
    assert_eq!(fake.seen().len(), 13, "and nothing else");
}

#[test]
fn a_tag_that_the_registry_keeps_is_told_with_what_to_do() {
    for (status, body) in [(409, ""), (403, r#"{"errors":[{"code":"DENIED","message":"tag is immutable"}]}"#)] {
        let fake = stumbling("PUT /v2/a/b/manifests/t", vec![Reply::new(status).body(body); 9]);
        let error = push(&fake).expect_err("kept");
        assert!(matches!(error, RegistryError::TagKept { .. }), "{error}");
        let text = error.to_string();
        let parts = [&*fake.address, "PUT ", "`t`", &status.to_string(), "--tag"];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(fake.count("PUT /v2/a/b/manifests/t"), 1, "it is not tried again");
    }
}

#[test]
fn a_blob_that_the_registry_refuses_is_sent_once_more_and_then_told() {
    let refusal = r#"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#;
    let fake = stumbling("PUT /upload", vec![Reply::new(400).body(refusal); 9]);
    let error = push(&fake).expect_err("refused").to_string();
    assert!(error.contains("400 (DIGEST_INVALID: no)") && error.contains("proxy"), "{error}");
    assert_eq!((fake.count("PUT /upload"), fake.count("PUT /v2/")), (2, 0));
}

/// Blobs that are all in another repository.
struct Away(Repository);

impl BlobSource for Away {
    fn open(&self, _digest: &Digest) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn origin(&self, _digest: &Digest) -> Option<Repository> {
        Some(self.0.clone())
    }
}

#[test]
fn a_blob_of_another_registry_is_streamed_through_and_its_wrong_bytes_complete_nothing() {
    for (bytes, right) in [(LAYER, true), (b"a layeR", false)] {
        let from = Fake::start(move |seen| match seen.line.starts_with("GET /v2/base/blobs/") {
            true => Reply::new(200).body(bytes),
            false => Reply::new(200),
        });
        let to = Fake::start(well);
        let away = Repository { path: "base".parse().expect("a path"), ..request(&from.address, "x").repository };
        let result =
            Pusher::new(config()).expect("a pusher").push(&[request(&to.address, "a/b")], &Away(away), &|_| {});
        assert_eq!(result[0].is_ok(), right, "{result:?}");
        let sent = to.seen().into_iter().find(|seen| seen.line.starts_with("PUT /upload/") && seen.whole);
        assert_eq!(sent.map(|seen| seen.body), right.then(|| LAYER.to_vec()));
    }
}

#[test]
fn a_blob_of_the_same_registry_is_mounted_from_where_it_is_and_streamed_where_that_is_refused() {
    for refused in [false, true] {
        let fake = Fake::start(move |seen| match seen.line.as_str() {
            line if line.starts_with("HEAD /v2/base/blobs/") => Reply::new(200),
            line if line.contains("?mount=") && line.contains("from=base") && !refused => Reply::new(201),
            line if line.contains("?mount=") => Reply::new(403),
            line if line.starts_with("GET /v2/base/blobs/") => Reply::new(200).body("a layer"),
            _ => well(seen),
        });
        let request = request(&fake.address, "a/b");
        let away = Repository { path: "base".parse().expect("a path"), ..request.repository.clone() };
        let result = Pusher::new(config()).expect("a pusher").push(&[request], &Away(away), &|_| {});
        assert!(result[0].is_ok(), "{result:?}");
        assert_eq!(
            (fake.count("PUT /upload/"), fake.count("GET /v2/base/")),
            (usize::from(refused), usize::from(refused))
        );
    }
}
