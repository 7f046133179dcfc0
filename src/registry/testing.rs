//! What tests of pushes share: an image in memory, a registry that does well, a push that notes its events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use super::fake::{Fake, Reply, Seen};
use super::*;
use crate::digest::Digest;
use crate::reference::{Registry, Repository};

/// Blobs in memory; a blob may be stored under a digest that isn't its own.
#[derive(Default)]
pub(super) struct Memory(pub BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

/// The one blob of the images here.
pub(super) const LAYER: &[u8] = b"a layer";

/// A source that has [`LAYER`].
pub(super) fn memory() -> Memory {
    Memory(BTreeMap::from([(Digest::of(LAYER), LAYER.to_vec())]))
}

/// An image of one layer, with the tag `t`.
pub(super) fn request(address: &str, path: &str) -> PushRequest {
    let registry: Registry = address.parse().expect("a registry");
    let repository = Repository { registry, path: path.parse().expect("a path") };
    let blobs = vec![BlobDescriptor { digest: Digest::of(LAYER), size: LAYER.len() as u64 }];
    let (manifest, media_type) = (format!("{{\"{path}\":1}}").into(), "application/x".to_owned());
    PushRequest {
        repository,
        tags: vec!["t".parse().expect("a tag")],
        manifest,
        media_type,
        blobs,
        children: Vec::new(),
        mount_from: Vec::new(),
    }
}

/// Two retries at once, one request at a time.
pub(super) fn config() -> ClientConfig {
    ClientConfig { retry: RetryPolicy::immediate(2), parallel: 1, ..ClientConfig::default() }
}

/// Pushes; what became of each, and all events.
pub(super) fn push_with(
    config: ClientConfig,
    requests: &[PushRequest],
    blobs: &Memory,
) -> (Vec<Result<Pushed, RegistryError>>, Vec<PushEvent>) {
    let events = RefCell::new(Vec::new());
    let pusher = Pusher::new(config).expect("a pusher");
    let results = pusher.push(requests, blobs, &|event| events.borrow_mut().push(event));
    (results, events.into_inner())
}

/// Pushes one image to `a/b`.
pub(super) fn push(fake: &Fake) -> Result<Pushed, RegistryError> {
    push_with(config(), &[request(&fake.address, "a/b")], &memory()).0.remove(0)
}

/// What an empty registry answers when all goes well.
pub(super) fn well(seen: &Seen) -> Reply {
    let (method, path) = seen.line.split_once(' ').expect("a request line");
    match method {
        "GET" => Reply::new(200),
        "HEAD" => Reply::new(404),
        "POST" => Reply::new(202).with("location", "/upload/1?_state=s%2F1"),
        "PUT" if path.starts_with("/upload/") && !seen.whole => Reply::cut(),
        _ => Reply::new(201),
    }
}
