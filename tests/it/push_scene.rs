//! What tests of disturbed pushes send, and how they look at what came of it. Knows neither faults nor proxies.

use std::collections::BTreeMap;
use std::io::{self, Read};

use layerbuild::digest::Digest;
use layerbuild::reference::{Reference, Repository};
use layerbuild::registry::{
    BlobDescriptor, BlobSource, Child, ClientConfig, Puller, PushRequest, Pushed, Pusher, RegistryError, RetryPolicy,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Blobs, some of which are in another repository only.
#[derive(Default, Clone)]
pub struct Blobs {
    /// Those that are here.
    pub here: BTreeMap<Digest, Vec<u8>>,
    /// Where the others are.
    pub away: Option<Repository>,
}

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.here.get(digest).cloned().ok_or(io::ErrorKind::NotFound)?)))
    }

    fn origin(&self, digest: &Digest) -> Option<Repository> {
        self.away.clone().filter(|_| !self.here.contains_key(digest))
    }
}

fn noise(seed: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

impl Blobs {
    fn add(&mut self, bytes: Vec<u8>) -> BlobDescriptor {
        let blob = BlobDescriptor { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.here.insert(blob.digest, bytes);
        blob
    }

    /// An image whose layers are so large; layers of one size are the same layer.
    fn image(&mut self, name: &str, layers: &[usize]) -> Child {
        let layers: Vec<BlobDescriptor> = layers.iter().map(|size| self.add(noise(&size.to_string(), *size))).collect();
        let ids: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let config = serde_json::json!({
            "architecture": name, "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": ids },
        });
        let config = self.add(config.to_string().into_bytes());
        let describe = |blob: &BlobDescriptor, kind: &str| {
            serde_json::json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": blob.digest, "size": blob.size,
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": describe(&config, "config.v1+json"),
            "layers": layers.iter().map(|layer| describe(layer, "layer.v1.tar")).collect::<Vec<_>>(),
        });
        let blobs = layers.into_iter().chain([config]).collect();
        Child { manifest: manifest.to_string().into(), media_type: MANIFEST.to_owned(), blobs }
    }
}

fn index(images: &[Child]) -> Vec<u8> {
    let line = |image: &Child| {
        serde_json::json!({
            "mediaType": MANIFEST, "digest": Digest::of(&image.manifest), "size": image.manifest.len(),
            "platform": { "os": "linux", "architecture": Digest::of(&image.manifest).hex()[..5].to_owned() },
        })
    };
    let lines: Vec<_> = images.iter().map(line).collect();
    serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": lines }).to_string().into_bytes()
}

/// What is pushed: two images that share a layer, and an index of two others.
pub struct Scene {
    /// All blobs.
    pub blobs: Blobs,
    images: Vec<(&'static str, Child, Vec<Child>)>,
}

impl Scene {
    pub fn new() -> Scene {
        let mut blobs = Blobs::default();
        let one = blobs.image("one", &[40_000]);
        let two = blobs.image("two", &[40_000, 3_000]);
        let children = vec![blobs.image("amd64", &[700]), blobs.image("arm64", &[800])];
        let top = Child { manifest: index(&children).into(), media_type: INDEX.to_owned(), blobs: Vec::new() };
        Scene { blobs, images: vec![("one", one, Vec::new()), ("two", two, Vec::new()), ("both", top, children)] }
    }

    /// One image whose layer goes in chunks where more than 300,000 bytes at once are refused.
    pub fn large() -> Scene {
        let mut blobs = Blobs::default();
        let one = blobs.image("large", &[700_000]);
        Scene { blobs, images: vec![("large", one, Vec::new())] }
    }

    /// A push of all of it, below a path of a registry.
    pub fn requests(&self, address: &str, below: &str) -> Vec<PushRequest> {
        let request = |(name, image, children): &(&str, Child, Vec<Child>)| PushRequest {
            repository: repository(address, &format!("{below}/{name}")),
            tags: vec!["t".parse().expect("a tag")],
            manifest: image.manifest.clone(),
            media_type: image.media_type.clone(),
            blobs: image.blobs.clone(),
            children: children.clone(),
            mount_from: Vec::new(),
        };
        self.images.iter().map(request).collect()
    }
}

/// A repository.
pub fn repository(address: &str, path: &str) -> Repository {
    Repository { registry: address.parse().expect("a registry"), path: path.parse().expect("a path") }
}

/// So many retries, at once.
pub fn config(retries: usize) -> ClientConfig {
    // One at a time: so that requests have their numbers.
    ClientConfig { retry: RetryPolicy::immediate(retries), parallel: 1, ..ClientConfig::default() }
}

/// Pushes; what became of each.
pub fn push(retries: usize, requests: &[PushRequest], blobs: &Blobs) -> Vec<Result<Pushed, RegistryError>> {
    Pusher::new(config(retries)).expect("a pusher").push(requests, blobs, &|_| {})
}

/// Reads all that a tag leads to, every digest verified; whether the tag is there.
pub fn is_whole(puller: &Puller, address: &str, request: &PushRequest) -> bool {
    let repository = Repository { registry: address.parse().expect("a registry"), ..request.repository.clone() };
    let at = |tag, digest| Reference {
        registry: Some(repository.registry.clone()),
        path: repository.path.clone(),
        tag,
        digest,
    };
    match puller.resolve(&at(request.tags.first().cloned(), None)) {
        Ok(found) => assert_eq!(found.digest, Digest::of(&request.manifest)),
        Err(error) if error.is_missing() => return false,
        Err(error) => panic!("{error}"),
    }
    for child in &request.children {
        puller.resolve(&at(None, Some(Digest::of(&child.manifest)))).expect("an image of the index");
    }
    for blob in request.children.iter().flat_map(|child| &child.blobs).chain(&request.blobs) {
        puller.blob(&repository, blob, &mut io::sink()).expect("a blob");
    }
    true
}

/// An error as a sentence: which registry, which request or what, and what to do.
pub fn check_told(error: &RegistryError, address: &str) {
    let text = error.to_string();
    assert!(text.contains(address) || text.contains("127.0.0.1"), "which registry: {text}");
    assert!(text.contains(": ") && text.len() > 60 && !text.contains('\n') && !text.ends_with('.'), "{text}");
}
