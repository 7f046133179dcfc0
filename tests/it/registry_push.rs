//! Pushes to Debian's `docker-registry`, read back with skopeo: two programs that know nothing of us.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::Command;

use layerbuild::digest::Digest;
use layerbuild::reference::Repository;
use layerbuild::registry::{
    BlobDescriptor, BlobSource, ClientConfig, CredentialSources, PushEvent, PushRequest, Pushed, Pusher, RegistryError,
    RetryPolicy,
};

use crate::support::{DockerRegistry, has};

#[derive(Default)]
struct Memory(BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.0.get(digest).cloned().ok_or(io::ErrorKind::NotFound)?)))
    }
}

impl Memory {
    fn add(&mut self, bytes: &[u8]) -> BlobDescriptor {
        let digest = Digest::of(bytes);
        self.0.insert(digest, bytes.to_vec());
        BlobDescriptor { digest, size: bytes.len() as u64 }
    }

    /// An image of uncompressed layers.
    fn image(&mut self, address: &str, path: &str, tag: &str, layers: &[&[u8]]) -> PushRequest {
        let ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": path } },
            "rootfs": { "type": "layers", "diff_ids": ids },
        });
        let config = self.add(config.to_string().as_bytes());
        let layers: Vec<BlobDescriptor> = layers.iter().map(|layer| self.add(layer)).collect();
        let describe = |blob: &BlobDescriptor, kind: &str| {
            serde_json::json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": blob.digest, "size": blob.size,
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": describe(&config, "config.v1+json"),
            "layers": layers.iter().map(|layer| describe(layer, "layer.v1.tar")).collect::<Vec<_>>(),
        });
        let repository =
            Repository { registry: address.parse().expect("a registry"), path: path.parse().expect("a path") };
        PushRequest {
            repository,
            tags: vec![tag.parse().expect("a tag")],
            manifest: manifest.to_string().into(),
            media_type: MANIFEST.to_owned(),
            blobs: layers.into_iter().chain([config]).collect(),
            children: Vec::new(),
            mount_from: Vec::new(),
        }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn push(requests: &[PushRequest], blobs: &Memory) -> (Vec<Result<Pushed, RegistryError>>, Vec<PushEvent>) {
    push_as(CredentialSources::default(), requests, blobs)
}

fn push_as(
    credentials: CredentialSources,
    requests: &[PushRequest],
    blobs: &Memory,
) -> (Vec<Result<Pushed, RegistryError>>, Vec<PushEvent>) {
    let events = RefCell::new(Vec::new());
    let pusher = Pusher::new(ClientConfig { credentials, retry: RetryPolicy::immediate(2), ..ClientConfig::default() });
    let results = pusher.expect("a pusher").push(requests, blobs, &|event| events.borrow_mut().push(event));
    (results, events.into_inner())
}

fn count(events: &[PushEvent], is: impl Fn(&PushEvent) -> bool) -> usize {
    events.iter().filter(|event| is(event)).count()
}

fn sent(events: &[PushEvent]) -> usize {
    count(events, |event| matches!(event, PushEvent::BlobSent(..)))
}

/// A tar of one file with these bytes, large enough to be sent in several chunks.
fn tar(content: u8) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let bytes = vec![content; 3_000_000];
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "file", &bytes[..]).expect("a tar");
    builder.into_inner().expect("a tar")
}

fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().expect("skopeo runs");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn pushed_images_are_read_by_skopeo_a_shared_layer_is_sent_once_and_a_second_push_sends_nothing() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (shared, own) = (tar(1), tar(2));
    let mut blobs = Memory::default();
    let requests = [
        blobs.image(&registry.address, "a", "1", &[&shared]),
        blobs.image(&registry.address, "team/b", "1", &[&shared, &own]),
        blobs.image(&registry.address, "team/deep/c", "1", &[&shared]),
    ];
    let (results, events) = push(&requests, &blobs);
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|pushed| !pushed.unchanged)), "{results:?}");
    assert_eq!(sent(&events), 5, "three configs, one shared layer, one layer of its own: {events:?}");
    assert_eq!(count(&events, |event| matches!(event, PushEvent::BlobMounted { .. })), 2);
    if has(&["skopeo"]) {
        for pushed in results.iter().flatten() {
            let target = tempfile::tempdir().expect("a folder");
            let source = format!("docker://{}@{}", pushed.repository, pushed.digest);
            let copied = format!("dir:{}", target.path().display());
            skopeo(&["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &source, &copied]);
            let manifest = std::fs::read(target.path().join("manifest.json")).expect("a manifest");
            assert_eq!(Digest::of(&manifest), pushed.digest);
        }
    }
    let (again, events) = push(&requests, &Memory::default());
    assert!(again.iter().all(|result| result.as_ref().is_ok_and(|pushed| pushed.unchanged)), "{again:?}");
    assert_eq!(count(&events, |event| !matches!(event, PushEvent::Unchanged(..))), 0, "{events:?}");
}

#[test]
fn an_edited_layer_is_the_only_one_sent_and_a_new_tag_sends_no_blob() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (base, old, new) = (tar(1), tar(2), tar(3));
    let mut blobs = Memory::default();
    let first = blobs.image(&registry.address, "a", "1", &[&base, &old]);
    let second = blobs.image(&registry.address, "a", "1", &[&base, &new]);
    assert!(push(std::slice::from_ref(&first), &blobs).0[0].is_ok());
    let (results, events) = push(&[second], &blobs);
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(sent(&events), 2, "the edited layer and the config: {events:?}");
    let back = PushRequest { tags: vec!["1".parse().expect("a tag"), "old".parse().expect("a tag")], ..first };
    let (results, events) = push(std::slice::from_ref(&back), &Memory::default());
    assert!(results[0].is_ok(), "{results:?}");
    assert!(matches!(events[..], [PushEvent::Tagged(..), PushEvent::Tagged(..)]), "{events:?}");
    assert!(registry.get("/v2/a/manifests/old").contains(&Digest::of(&back.manifest).to_string()));
}

#[test]
fn a_corrupt_blob_leaves_no_manifest_no_tag_and_no_blob_and_a_second_push_completes() {
    let Some(registry) = DockerRegistry::start() else { return };
    let layer = tar(1);
    let mut blobs = Memory::default();
    let request = blobs.image(&registry.address, "a", "1", &[&layer]);
    let mut corrupt = Memory(blobs.0.clone());
    *corrupt.0.get_mut(&Digest::of(&layer)).and_then(|bytes| bytes.last_mut()).expect("bytes") ^= 1;
    let (results, _) = push(std::slice::from_ref(&request), &corrupt);
    assert!(matches!(results[0], Err(RegistryError::DigestMismatch { .. })), "{results:?}");
    assert!(registry.get("/v2/a/manifests/1").contains(" 404 "));
    assert!(registry.get(&format!("/v2/a/blobs/{}", Digest::of(&layer))).contains(" 404 "));
    assert!(push(&[request], &blobs).0[0].is_ok());
    assert!(registry.get("/v2/a/manifests/1").contains(" 200 "));
}

#[test]
fn an_empty_blob_can_be_pushed() {
    let Some(registry) = DockerRegistry::start() else { return };
    let mut blobs = Memory::default();
    let request = blobs.image(&registry.address, "a", "1", &[b""]);
    let (results, _) = push(&[request], &blobs);
    assert!(results[0].is_ok(), "{results:?}");
    assert!(registry.data().is_dir());
}

#[test]
fn a_registry_with_passwords_takes_the_right_one_and_the_wrong_one_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let passwords = folder.path().join("htpasswd");
    std::fs::write(&passwords, "bob:$2b$04$abcdefghijklmnopqrstuuV3duMsC0HpUex6N9qapiuOHHWkwRXVm\n").expect("a file");
    let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}", passwords.display());
    let Some(registry) = DockerRegistry::with(&auth) else { return };
    let mut blobs = Memory::default();
    let request = blobs.image(&registry.address, "a", "1", &[&tar(1)]);
    let push_with = |auth: &str| {
        let file = folder.path().join("config.json");
        std::fs::write(&file, format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address))
            .expect("a file");
        let credentials = CredentialSources { files: vec![file], ..CredentialSources::default() };
        push_as(credentials, std::slice::from_ref(&request), &blobs).0.remove(0)
    };
    let error = push_with("Ym9iOndyb25n").expect_err("bob:wrong");
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(error.to_string().contains("bob") && !error.to_string().contains("wrong"), "{error}");
    push_with("Ym9iOmh1bnRlcjI=").expect("bob:hunter2");
}
