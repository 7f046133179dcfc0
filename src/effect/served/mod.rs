//! The embedded registry over a store, asked without a socket: what it answers to each request of the specification.

mod blobs;
mod lists;
mod manifests;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use tower::ServiceExt as _;

use super::serve::ServedStore;
use crate::digest::Digest;
use crate::oci::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, OCI_TAR};
use crate::registry::serve::router;
use crate::store::{OpenMode, Store};

/// A registry with a store of its own.
struct Served {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    router: Router,
}

/// An answer, read to its end.
struct Got {
    status: u16,
    parts: axum::http::response::Parts,
    /// `None` where the body broke off.
    body: Option<Vec<u8>>,
}

impl Served {
    fn new() -> Served {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path(), OpenMode { wait: true }).unwrap());
        let router = router(Arc::new(ServedStore::new(store.clone())), Arc::new(|_| {}));
        Served { _dir: dir, store, router }
    }

    /// A request with headers and a body.
    fn send(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Got {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).header("host", "localhost:5000");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(body.into()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.ok().map(|bytes| bytes.to_vec());
            Got { status: parts.status.as_u16(), parts, body }
        })
    }

    fn ask(&self, line: &str) -> Got {
        self.send(line, &[], Body::empty())
    }

    /// Pushes a blob whole.
    fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let got = self.send(&format!("POST /v2/{repository}/blobs/uploads/?digest={digest}"), &[], bytes.to_vec());
        assert_eq!(got.status, 201, "{}", got.text());
        digest
    }

    /// Puts a manifest under a tag or digest.
    fn put(&self, repository: &str, pointer: &str, media_type: &str, bytes: &str) -> Got {
        let line = format!("PUT /v2/{repository}/manifests/{pointer}");
        self.send(&line, &[("content-type", media_type)], bytes.to_owned())
    }

    /// Pushes an image of one layer, with its blobs; gives its manifest.
    fn image(&self, repository: &str, tag: &str, content: &str) -> String {
        let manifest = image(content, "");
        self.blob(repository, b"{}");
        self.blob(repository, content.as_bytes());
        let got = self.put(repository, tag, OCI_MANIFEST, &manifest);
        assert_eq!(got.status, 201, "{}", got.text());
        manifest
    }
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone().unwrap()).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["errors"][0]["code"].as_str().unwrap().to_owned())
    }
}

/// The manifest of an image of one layer. `more`: further fields, each with a comma behind it.
fn image(content: &str, more: &str) -> String {
    let (config, layer) = (part(OCI_CONFIG, "{}"), part(OCI_TAR, content));
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}",{more}"config":{config},"layers":[{layer}]}}"#)
}

fn index(manifests: &[&str]) -> String {
    let manifests: Vec<String> = manifests.iter().map(|manifest| part(OCI_MANIFEST, manifest)).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#, manifests.join(","))
}

fn part(media_type: &str, content: &str) -> String {
    let digest = Digest::of(content.as_bytes());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#, content.len())
}

/// A body that breaks off after these bytes.
fn cut(bytes: &'static [u8]) -> Body {
    let pieces = [Ok(Bytes::from_static(bytes)), Err(std::io::Error::other("gone"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}
