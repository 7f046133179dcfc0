//! Tests of reading from registries that serve well and that don't: `fake` answers as each test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fake::{Fake, Reply, Seen};
use super::*;
use crate::digest::Digest;
use crate::reference::{Reference, Registry, Repository};

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
const LAYER: &[u8] = b"the bytes of a layer, which are some more than a few";

fn config() -> ClientConfig {
    ClientConfig { retry: RetryPolicy::immediate(2), ..ClientConfig::default() }
}

fn puller(config: ClientConfig) -> Puller {
    Puller::new(config).expect("a puller")
}

/// A configuration in which `a.test` has these mirrors, below `m/n`, and `a.test` itself is reached by nobody.
fn mirrored(mirrors: &[&Fake]) -> ClientConfig {
    let mirrors = mirrors.iter().map(|fake| format!("{}/m/n", fake.address).parse().expect("a mirror")).collect();
    let host = HostConfig { mirrors, ..HostConfig::default() };
    let proxies = Proxies { all: nobody(), ..Proxies::default() };
    ClientConfig { hosts: [("a.test".parse().expect("a registry"), host)].into(), proxies, ..config() }
}

/// An address on which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

fn repository(address: &str) -> Repository {
    reference(&format!("{address}/a/b")).repository().expect("a repository")
}

fn layer() -> BlobDescriptor {
    BlobDescriptor { digest: Digest::of(LAYER), size: LAYER.len() as u64 }
}

/// What a registry answers that has one image.
fn well(seen: &Seen) -> Reply {
    let path = seen.line.split(' ').nth(1).expect("a path");
    match path.rsplit('/').nth(1) {
        _ if path == "/v2/" => Reply::new(200),
        Some("manifests") => Reply::new(200).with("content-type", "application/json").body(MANIFEST),
        Some("blobs") => blob(seen),
        _ => Reply::new(404),
    }
}

/// The layer, or the part of it that is asked for.
fn blob(seen: &Seen) -> Reply {
    let from = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        None => Reply::new(200).body(LAYER),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", LAYER.len() - 1, LAYER.len());
            Reply::new(206).with("content-range", range).body(&LAYER[from..])
        }
    }
}

/// Answers the first requests for blobs with `replies`, all others well.
fn blobs(replies: Vec<Reply>) -> Fake {
    let mut replies = replies.into_iter();
    Fake::start(move |seen| match seen.line.contains("/blobs/") {
        true => replies.next().unwrap_or_else(|| blob(seen)),
        false => well(seen),
    })
}

/// Answers every request for a manifest like this.
fn manifests(reply: Reply) -> Fake {
    Fake::start(move |seen| if seen.line.contains("/manifests/") { reply.clone() } else { well(seen) })
}

fn resolve(fake: &Fake) -> Result<Document, RegistryError> {
    puller(config()).resolve(&reference(&format!("{}/a/b:t", fake.address)))
}

fn fetch(config: ClientConfig, address: &str, blob: BlobDescriptor) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    puller(config).blob(&repository(address), &blob, &mut bytes)?;
    Ok(bytes)
}

/// An error's text, the server's address replaced.
fn text(error: &RegistryError, fake: &Fake) -> String {
    error.to_string().replace(&fake.address, "R")
}

#[test]
fn a_manifest_is_given_as_served_with_its_digest_and_where_it_was() {
    let fake = Fake::start(well);
    let document = resolve(&fake).expect("a manifest");
    assert_eq!((document.digest, &*document.bytes), (Digest::of(MANIFEST.as_bytes()), MANIFEST.as_bytes()));
    assert_eq!(document.media_type, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(document.from.to_string(), format!("{}/a/b", fake.address));
    let asked = fake.seen().pop().expect("a request");
    let accepts = |(name, value): &(String, String)| name == "accept" && value.starts_with("application/vnd.");
    assert_eq!(asked.headers.iter().filter(|header| accepts(header)).count(), 4, "{asked:?}");
}

#[test]
fn a_deep_reference_with_port_tag_and_digest_is_asked_for_by_digest() {
    let fake = Fake::start(well);
    let digest = Digest::of(MANIFEST.as_bytes());
    let document = puller(config()).resolve(&reference(&format!("{}/a/b/c:t@{digest}", fake.address)));
    assert_eq!(document.expect("a manifest").digest, digest);
    assert_eq!(fake.count(&format!("GET /v2/a/b/c/manifests/{digest}")), 1);
}

#[test]
fn a_media_type_is_the_manifests_own_else_the_headers_else_by_its_shape() {
    let kind = |served: &str, body: &str| {
        let fake = manifests(Reply::new(200).with("content-type", served).body(body));
        resolve(&fake).expect(body).media_type
    };
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(kind("application/json", r#"{"schemaVersion":2,"mediaType":"application/vnd.x"}"#), "application/vnd.x");
    assert_eq!(kind(&format!("{docker}; charset=utf-8"), r#"{"schemaVersion":2}"#), docker);
    assert!(kind("text/plain", r#"{"schemaVersion":2,"manifests":[]}"#).contains("image.index"));
    assert!(kind("text/plain", r#"{"schemaVersion":2,"layers":[]}"#).contains("image.manifest"));
}

#[test]
fn bytes_of_another_digest_are_never_given() {
    let other = Digest::of(b"other");
    let fake = manifests(Reply::new(200).with("docker-content-digest", other.to_string()).body(MANIFEST));
    let by_digest = puller(config()).resolve(&reference(&format!("{}/a/b@{other}", fake.address)));
    for error in [resolve(&fake).expect_err("by tag"), by_digest.expect_err("by digest")] {
        assert!(matches!(error, RegistryError::WrongBytes { wanted, .. } if wanted == other), "{error}");
        assert!(!error.is_mistake() && error.to_string().contains("changes what it serves"), "{error}");
    }
}

#[test]
fn what_is_no_manifest_is_told_in_a_sentence() {
    let large = Reply::new(200).body(vec![b' '; document::LIMIT + 1]);
    let v1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    for (reply, sentence) in [
        (Reply::new(200).body("<!DOCTYPE html><p>Sign in"), "answered with a page of HTML instead of a manifest"),
        (Reply::new(200).body("{"), "the manifest is not the JSON it should be"),
        (Reply::new(200).body("{\"a\":1}"), "the answer is JSON, but no manifest"),
        (large, "the answer is larger than 4 MiB, the most that a registry should serve here"),
        (Reply::new(200).with("content-type", v1).body("{}"), "answered with a Docker schema 1 manifest"),
        (Reply::new(200).body("{\"schemaVersion\":1}"), "push the image again with a current Docker"),
    ] {
        let fake = manifests(reply);
        let said = text(&resolve(&fake).expect_err(sentence), &fake);
        assert!(said.starts_with("GET http://R/v2/a/b/manifests/t: ") && said.contains(sentence), "{said}");
    }
}

#[test]
fn what_is_not_there_is_the_users_mistake_and_says_what_to_check() {
    let envelope = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such tag"}]}"#;
    let fake = manifests(Reply::new(404).body(envelope));
    let error = resolve(&fake).expect_err("not there");
    assert!(error.is_mistake());
    let said = "GET http://R/v2/a/b/manifests/t: it is not there (MANIFEST_UNKNOWN: no such tag): \
                check registry, repository, tag and digest";
    assert_eq!(text(&error, &fake), said);
    let head = puller(config()).head(&reference(&format!("{}/a/b:t", fake.address)));
    assert_eq!(head, Ok(None));
}

#[test]
fn a_digest_is_asked_for_by_head_and_read_where_the_registry_does_not_say_it() {
    let digest = Digest::of(MANIFEST.as_bytes());
    let saying = manifests(Reply::new(200).with("docker-content-digest", digest.to_string()));
    let silent = Fake::start(well);
    for (fake, gets) in [(&saying, 0), (&silent, 1)] {
        let head = puller(config()).head(&reference(&format!("{}/a/b:t", fake.address)));
        assert_eq!(head, Ok(Some(digest)));
        assert_eq!(fake.count("GET /v2/a/b/manifests/t"), gets);
    }
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_told() {
    for reply in [Reply::new(503), Reply::new(429).with("retry-after", "0"), Reply::cut()] {
        let mut left = 2;
        let fake = Fake::start(move |seen| match seen.line.contains("/manifests/") && left > 0 {
            true => {
                left -= 1;
                reply.clone()
            }
            false => well(seen),
        });
        resolve(&fake).expect("the third time");
    }
    let fake = manifests(Reply::new(500).body("out of disk"));
    let said = text(&resolve(&fake).expect_err("lasting"), &fake);
    assert!(said.contains("answered 500 (out of disk)") && said.contains("look at its log"), "{said}");
    assert_eq!(fake.count("GET /v2/a/b/manifests/t"), 3);
}

#[test]
fn an_address_is_asked_for_once_a_process() {
    let fake = Fake::start(well);
    let puller = puller(config());
    for _ in 0..3 {
        puller.resolve(&reference(&format!("{}/a/b:t", fake.address))).expect("a manifest");
    }
    assert_eq!((fake.count("GET /v2/ "), fake.seen().len()), (0, 4), "one GET /v2/, three manifests");
}

#[test]
fn mirrors_are_asked_in_order_below_their_paths_and_the_first_that_has_it_serves() {
    let (empty, full) =
        (Fake::start(|seen| Reply::new(if seen.line == "GET /v2/" { 200 } else { 404 })), Fake::start(well));
    let puller = puller(mirrored(&[&empty, &full]));
    let document = puller.resolve(&reference("a.test/x:t")).expect("from the second");
    assert_eq!(document.from.to_string(), format!("{}/m/n/x", full.address));
    for fake in [&empty, &full] {
        assert_eq!(fake.count("GET /v2/m/n/x/manifests/t"), 1);
    }
    let mut bytes = Vec::new();
    puller.blob(&repository("a.test"), &layer(), &mut bytes).expect("from the second");
    assert_eq!(bytes, LAYER);
}

#[test]
fn a_mirror_that_fails_keeps_those_behind_it_waiting_no_longer_than_one_attempt() {
    let (busy, good) = (Fake::start(|_| Reply::new(503)), Fake::start(well));
    let mut config = mirrored(&[&busy, &good]);
    config.retry = RetryPolicy { delays: vec![Duration::MAX; 9], longest: Duration::ZERO };
    let document = puller(config.clone()).resolve(&reference("a.test/x:t")).expect("from the second");
    assert_eq!(document.from.to_string(), format!("{}/m/n/x", good.address));
    assert_eq!(fetch(config, "a.test", layer()).as_deref(), Ok(LAYER));
    assert_eq!(busy.seen().len(), 2, "one attempt a puller");
}

#[test]
fn where_nobody_serves_those_that_may_do_better_are_asked_again() {
    let mut requests = 0;
    let busy = Fake::start(move |seen| {
        requests += 1;
        if requests <= 2 { Reply::new(503) } else { well(seen) }
    });
    let empty = manifests(Reply::new(404));
    let document = puller(mirrored(&[&busy, &empty])).resolve(&reference("a.test/x:t")).expect("in the third round");
    assert_eq!(document.from.to_string(), format!("{}/m/n/x", busy.address));
    assert_eq!(empty.count("GET /v2/m/n/x/manifests/t"), 1, "what is not there is not asked for again");
}

#[test]
fn when_nothing_serves_all_that_was_tried_is_shown_in_order_with_each_cause() {
    let forbidding = manifests(Reply::new(403));
    let mut config = mirrored(&[&forbidding]);
    let down = format!("{}/deep/er", nobody());
    let host = config.hosts.get_mut(&"a.test".parse::<Registry>().expect("a registry")).expect("settings");
    host.mirrors.insert(0, down.parse().expect("a mirror"));
    let error = puller(config).resolve(&reference("a.test/x:t")).expect_err("nothing serves");
    let RegistryError::Nowhere { tried, .. } = &error else { panic!("{error}") };
    let places: Vec<&str> = tried.iter().map(|tried| &*tried.address).collect();
    let second = format!("{}/m/n/x", forbidding.address);
    assert_eq!(places, [&*format!("{down}/x"), &*second, "a.test/x"]);
    assert!(tried[0].cause.contains("Connection refused") && tried[1].cause.contains("denied"), "{error}");
    assert!(error.to_string().starts_with(&format!("`a.test/x:t` can't be had anywhere: {down}/x: ")), "{error}");
}

#[test]
fn docker_hubs_short_names_stand_below_library() {
    let fake = Fake::start(well);
    let mut config = mirrored(&[&fake]);
    let host = config.hosts.pop_first().expect("settings").1;
    config.hosts.insert("docker.io".parse().expect("a registry"), host);
    let document = puller(config).resolve(&reference("docker.io/debian:12")).expect("a manifest");
    assert_eq!(document.from.to_string(), format!("{}/m/n/library/debian", fake.address));
}

#[test]
fn a_blob_goes_on_where_it_broke_off() {
    for left in [0, 1, 20, LAYER.len() - 1] {
        let fake = blobs(vec![Reply::new(200).body(LAYER).broken_after(left)]);
        assert_eq!(fetch(config(), &fake.address, layer()).as_deref(), Ok(LAYER), "{left}");
        let ranges: Vec<Option<String>> = fake
            .seen()
            .iter()
            .filter(|seen| seen.line.contains("/blobs/"))
            .map(|seen| seen.header("range").map(str::to_owned))
            .collect();
        assert_eq!(ranges, [None, (left > 0).then(|| format!("bytes={left}-"))], "{left}");
    }
}

#[test]
fn a_registry_without_ranges_is_read_from_the_beginning_and_what_is_known_passed_over() {
    let whole = Reply::new(200).body(LAYER);
    let fake = blobs(vec![whole.clone().broken_after(20), whole]);
    assert_eq!(fetch(config(), &fake.address, layer()).as_deref(), Ok(LAYER));
}

#[test]
fn another_range_than_the_one_asked_for_is_refused() {
    let wrong = Reply::new(206).with("content-range", "bytes 3-51/52").body(&LAYER[3..]);
    let fake = blobs(vec![Reply::new(200).body(LAYER).broken_after(20), wrong]);
    let error = fetch(config(), &fake.address, layer()).expect_err("another range");
    assert!(error.to_string().contains("it answers another range"), "{error}");
}

#[test]
fn a_blob_that_breaks_off_for_good_goes_on_at_the_next_place() {
    let broken = Reply::new(200).body(LAYER).broken_after(20);
    let refused = Reply::new(500);
    let first = blobs([vec![broken], vec![refused; 9]].concat());
    let second = Fake::start(well);
    assert_eq!(fetch(mirrored(&[&first, &second]), "a.test", layer()).as_deref(), Ok(LAYER));
    assert_eq!(second.seen().pop().expect("a request").header("range"), Some("bytes=20-"));
}

#[test]
fn wrong_bytes_of_a_small_blob_are_had_right_from_the_next_place_and_else_told() {
    let wrong = || blobs(vec![Reply::new(200).body(vec![b'x'; LAYER.len()]); 9]);
    let right = Fake::start(well);
    assert_eq!(fetch(mirrored(&[&wrong(), &right]), "a.test", layer()).as_deref(), Ok(LAYER));
    let fake = wrong();
    let error = fetch(config(), &fake.address, layer()).expect_err("wrong bytes");
    assert!(matches!(error, RegistryError::WrongBytes { .. }), "{error}");
    assert!(text(&error, &fake).starts_with("GET http://R/v2/a/b/blobs/sha256:"), "{error}");
}

#[test]
fn the_last_bytes_of_a_wrong_blob_are_never_written() {
    let size = 3 << 20;
    let served: Vec<u8> = vec![7; size];
    let fake = blobs(vec![Reply::new(200).body(served)]);
    let blob = BlobDescriptor { digest: Digest::of(b"other"), size: size as u64 };
    let mut bytes = Vec::new();
    let error = puller(config()).blob(&repository(&fake.address), &blob, &mut bytes).expect_err("wrong");
    assert!(matches!(error, RegistryError::WrongBytes { .. }) && bytes.len() < size, "{error}");
}

#[test]
fn a_manifest_that_lies_about_sizes_is_found_out() {
    for size in [0, 1, LAYER.len() as u64 - 1, LAYER.len() as u64 + 1] {
        let fake = Fake::start(well);
        let error = fetch(config(), &fake.address, BlobDescriptor { size, ..layer() }).expect_err("a lie");
        let said = format!("it sends {} bytes of blob", LAYER.len());
        assert!(error.to_string().contains(&said) && error.to_string().contains("its manifest says"), "{error}");
    }
}

#[test]
fn a_page_in_a_blobs_place_is_called_one() {
    let fake = blobs(vec![Reply::new(200).with("content-type", "text/html").body("<p>Sign in"); 9]);
    let error = fetch(config(), &fake.address, layer()).expect_err("a page");
    assert!(error.to_string().contains("answered with a page of HTML instead of a blob"), "{error}");
}

#[test]
fn whether_a_blob_is_there_is_one_question_and_every_place_is_asked() {
    let has = |config, address: &str| puller(config).has(&repository(address), &layer());
    let other = Fake::start(|seen| match seen.line.split(' ').next() {
        Some("HEAD") => Reply::new(200).with("docker-content-digest", Digest::of(b"other").to_string()),
        _ => Reply::new(200),
    });
    let empty = Fake::start(|seen| Reply::new(if seen.line == "GET /v2/" { 200 } else { 404 }));
    let full = Fake::start(|_| Reply::new(200).with("docker-content-digest", layer().digest.to_string()));
    assert_eq!(has(config(), &full.address), Ok(true));
    assert_eq!(full.count(&format!("HEAD /v2/a/b/blobs/{}", layer().digest)), 1);
    assert_eq!((has(config(), &empty.address), has(config(), &other.address)), (Ok(false), Ok(false)));
    assert_eq!(has(mirrored(&[&empty, &full]), "a.test"), Ok(true));
    assert!(has(config(), &blobs(vec![Reply::new(403)]).address).is_err());
}

#[test]
fn an_empty_blob_is_a_blob() {
    let fake = blobs(vec![Reply::new(200)]);
    let blob = BlobDescriptor { digest: Digest::of(b""), size: 0 };
    assert_eq!(fetch(config(), &fake.address, blob), Ok(Vec::new()));
}

#[test]
fn a_body_that_stalls_or_drips_is_given_up_after_the_time_set_and_gone_on_with() {
    let timeouts = Timeouts { stall: Duration::from_millis(60), ..Timeouts::default() };
    let whole = Reply::new(200).body(LAYER);
    for slow in [whole.clone().silent_after(9), Reply::new(200).body(LAYER).dripping()] {
        let config = ClientConfig { timeouts, ..config() };
        let fake = blobs(vec![slow.clone()]);
        assert_eq!(fetch(config.clone(), &fake.address, layer()).as_deref(), Ok(LAYER));
        let never = ClientConfig { retry: RetryPolicy::immediate(0), ..config };
        let error = fetch(never, &blobs(vec![slow]).address, layer()).expect_err("slow");
        let said = error.to_string();
        assert!(said.contains("no more than ") && said.contains("came within 0.06 s"), "{said}");
    }
}

#[test]
fn a_manifest_that_drips_is_given_up_after_the_time_set() {
    let timeouts = Timeouts { answer: Duration::from_millis(60), ..Timeouts::default() };
    let fake = manifests(Reply::new(200).body(MANIFEST).dripping());
    let retry = RetryPolicy::immediate(9);
    let error =
        puller(ClientConfig { timeouts, retry, ..config() }).resolve(&reference(&format!("{}/a/b:t", fake.address)));
    let said = error.expect_err("slow").to_string();
    assert!(said.contains("no answer in time") && said.contains("run the command again"), "{said}");
    assert_eq!(fake.count("GET /v2/a/b/manifests/t"), 2, "what takes all the time there is is tried once more");
}

#[test]
fn a_reader_ends_after_the_right_bytes_and_fails_with_the_registrys_error() {
    let read = |fake: &Fake| {
        let reader = puller(config()).open(&repository(&fake.address), &layer());
        std::io::read_to_string(reader.expect("a reader"))
    };
    let (right, wrong) = (Fake::start(well), blobs(vec![Reply::new(403); 9]));
    assert_eq!(read(&right).expect("the blob").as_bytes(), LAYER);
    let error = read(&wrong).expect_err("forbidden");
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<RegistryError>());
    assert!(matches!(inner, Some(RegistryError::Denied { .. })), "{error}");
}

#[test]
fn a_reader_that_is_dropped_early_waits_for_nobody() {
    let fake = blobs(vec![Reply::new(200).body(LAYER).silent_after(9)]);
    let puller = puller(config());
    let reader = puller.open(&repository(&fake.address), &layer()).expect("a reader");
    // Else this waits for the time that a registry may stay silent.
    drop((puller, reader));
}

#[test]
fn tags_are_gathered_over_pages() {
    let fake = Fake::start(|seen| match seen.line.as_str() {
        "GET /v2/a/b/tags/list?n=1000" => {
            Reply::new(200).with("link", "</v2/a/b/tags/list?last=y>; rel=\"next\"").body(r#"{"tags":["x","y"]}"#)
        }
        "GET /v2/a/b/tags/list?last=y" => Reply::new(200).body(r#"{"name":"a/b","tags":["z"]}"#),
        _ => well(seen),
    });
    assert_eq!(puller(config()).tags(&repository(&fake.address)), Ok(["x", "y", "z"].map(str::to_owned).to_vec()));
}

#[test]
fn lists_without_end_elsewhere_or_of_nothing_are_told_apart() {
    let tags = |reply: Reply| {
        let fake = Fake::start(move |seen| if seen.line.contains("/tags/") { reply.clone() } else { well(seen) });
        puller(config()).tags(&repository(&fake.address)).map_err(|error| text(&error, &fake))
    };
    let page = |link: &str| Reply::new(200).with("link", link).body(r#"{"tags":[]}"#);
    assert!(tags(page("<?n=1>; rel=\"next\"")).expect_err("circles").contains("more than 1000 pages"));
    assert!(tags(page("<http://evil.test/>; rel=next")).expect_err("elsewhere").contains("at another host"));
    assert!(tags(Reply::new(404)).expect_err("nothing").contains("it is not there"));
    assert_eq!(tags(Reply::new(200).body(r#"{"tags":null}"#)), Ok(Vec::new()));
}

#[test]
fn redirects_in_circles_end_and_blobs_elsewhere_are_fetched_without_credentials() {
    let circle = manifests(Reply::new(307).with("location", "/v2/a/b/manifests/t"));
    let said = text(&resolve(&circle).expect_err("circles"), &circle);
    assert!(said.contains("it sends us in circles"), "{said}");

    let store = Fake::start(blob);
    let elsewhere = format!("http://{}/blob?sig=hunter3", store.address);
    let fake = Fake::start(move |seen| match seen.header("authorization") {
        None => Reply::new(401).with("www-authenticate", "Basic realm=\"r\""),
        _ if seen.line.contains("/blobs/") => Reply::new(307).with("location", elsewhere.clone()),
        _ => well(seen),
    });
    let (_folder, credentials) = login(&format!(r#"{{"auths":{{"{}":{{"auth":"{BOB}"}}}}}}"#, fake.address));
    let bytes = fetch(ClientConfig { credentials, ..config() }, &fake.address, layer());
    assert_eq!(bytes.as_deref(), Ok(LAYER));
    assert!(store.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

const BOB: &str = "Ym9iOmh1bnRlcjI="; // bob:hunter2

/// Credentials of one file; helpers are looked for beside it.
fn login(text: &str) -> (tempfile::TempDir, CredentialSources) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, text).expect("a file");
    let variables = [("PATH".into(), format!("{}:/usr/bin:/bin", folder.path().display()).into())];
    let environment = HelperEnvironment::new(variables);
    (folder, CredentialSources { files: vec![file], environment, ..CredentialSources::default() })
}

/// A registry with its own token server, which gives every repository a token of its own.
fn token_registry() -> (Fake, Arc<Mutex<String>>) {
    let own: Arc<Mutex<String>> = Arc::default();
    let known = own.clone();
    let fake = Fake::start(move |seen| {
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", known.lock().expect("an address"));
        match (seen.line.as_str(), seen.header("authorization")) {
            (line, _) if line.starts_with("GET /token") => Reply::new(200).body(r#"{"token":"tok3n"}"#),
            (_, Some("Bearer tok3n")) => well(seen),
            _ => Reply::new(401).with("www-authenticate", realm),
        }
    });
    own.lock().expect("an address").clone_from(&fake.address);
    (fake, own)
}

#[test]
fn a_pull_asks_for_reading_only_as_who_the_repositorys_own_entry_says() {
    let (fake, _) = token_registry();
    let entry = |key: &str, auth: &str| format!(r#""{}/{key}":{{"auth":"{auth}"}}"#, fake.address);
    let (_folder, credentials) = login(&format!(r#"{{"auths":{{{},{}}}}}"#, entry("a", "YTpi"), entry("a/b", BOB)));
    fetch(ClientConfig { credentials, ..config() }, &fake.address, layer()).expect("a blob");
    let asked: Vec<Seen> = fake.seen().into_iter().filter(|seen| seen.line.starts_with("GET /token")).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "GET /token?service=s&scope=repository%3Aa%2Fb%3Apull");
    assert_eq!(asked[0].header("authorization"), Some(&*format!("Basic {BOB}")));
}

#[test]
fn a_failing_helper_blocks_no_public_pull() {
    let (fake, _) = token_registry();
    let (_folder, credentials) = login(r#"{"credsStore":"not-installed"}"#);
    assert_eq!(fetch(ClientConfig { credentials, ..config() }, &fake.address, layer()).as_deref(), Ok(LAYER));
}

#[test]
fn wrong_credentials_and_forbidden_repositories_say_as_whom_and_what_to_do() {
    for (status, word, advice) in [
        (401, "not authorised", "no credentials are known for `R`: check that `a/b` is there, or run `docker login R`"),
        (403, "denied", "no credentials are known for `R`"),
    ] {
        let fake = manifests(Reply::new(status).with("www-authenticate", "Basic realm=\"r\""));
        let said = text(&resolve(&fake).expect_err(word), &fake);
        assert!(said.contains(word) && said.contains(advice), "{said}");
    }
    let fake = manifests(Reply::new(403).body(r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#));
    let (_folder, credentials) = login(&format!(r#"{{"auths":{{"{}":{{"auth":"{BOB}"}}}}}}"#, fake.address));
    let error =
        puller(ClientConfig { credentials, ..config() }).resolve(&reference(&format!("{}/a/b:t", fake.address)));
    let said = text(&error.expect_err("forbidden"), &fake);
    let expected = "GET http://R/v2/a/b/manifests/t: denied (DENIED: not yours): \
                    as user `bob`: check that they may pull from `a/b`, or log in anew";
    assert_eq!(said, expected);
}
