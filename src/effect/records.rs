//! Records of builds in a registry: artifacts, each with the record as its one layer. The record itself is opaque here.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use super::reporter::Reporter;
use crate::digest::Digest;
use crate::event::Listener;
use crate::oci::artifact_manifest::{ArtifactManifest, EMPTY, empty};
use crate::oci::descriptor::Descriptor;
use crate::oci::media_type::OCI_MANIFEST;
use crate::reference::Reference;
use crate::registry::{BlobDescriptor, BlobSource, ClientConfig, Puller, PushRequest, Pusher, RegistryError};

/// What the artifact is, and its layer.
const KIND: &str = "application/vnd.layerbuild.build.v1+json";
/// No record has more bytes than this.
const LIMIT: u64 = 1 << 30;

/// A record that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A place that nothing can be published at.
    #[error("`{0}` names no registry and tag to publish the record of a build under")]
    NoTag(String),
    /// Something else is there.
    #[error("`{0}` is no record of a build: {1}")]
    Other(String, String),
}

/// Publishes a record under a reference's tag.
pub fn put(to: &Reference, record: Vec<u8>, config: ClientConfig, on: &dyn Listener) -> Result<(), RecordsError> {
    let request = request(to, &record).ok_or_else(|| RecordsError::NoTag(to.to_string()))?;
    let pusher = Pusher::new(config)?;
    let reporter = Reporter::new("record", vec![(to.to_string(), request.repository.path.clone())], on);
    let results = pusher.push(&[request], &Texts(record), &|event| reporter.tell(event));
    reporter.close(&results);
    Ok(results.into_iter().try_for_each(|result| result.map(drop))?)
}

fn request(to: &Reference, record: &[u8]) -> Option<PushRequest> {
    let tag = to.tag.clone().filter(|_| to.digest.is_none())?;
    let layer = Descriptor {
        media_type: KIND.to_owned(),
        digest: Digest::of(record),
        size: record.len() as u64,
        annotations: BTreeMap::new(),
    };
    let blobs =
        [&empty(), &layer].map(|Descriptor { digest, size, .. }| BlobDescriptor { digest: *digest, size: *size });
    let manifest = ArtifactManifest { kind: KIND.to_owned(), layers: vec![layer], annotations: BTreeMap::new() };
    Some(PushRequest {
        repository: to.repository().ok()?,
        tags: vec![tag],
        manifest: manifest.to_bytes().into(),
        media_type: OCI_MANIFEST.to_owned(),
        blobs: blobs.to_vec(),
        children: Vec::new(),
        mount_from: Vec::new(),
    })
}

/// The record, and the empty config.
struct Texts(Vec<u8>);

impl BlobSource for Texts {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let bytes = if *digest == Digest::of(EMPTY) { EMPTY } else { &self.0 };
        Ok(Box::new(Cursor::new(bytes.to_vec())))
    }
}

/// The record that a reference names, as bytes.
pub fn get(from: &Reference, puller: &Puller) -> Result<Vec<u8>, RecordsError> {
    let document = puller.resolve(from)?;
    let blob = layer(&document.bytes).map_err(|why| RecordsError::Other(from.to_string(), why))?;
    let mut record = Vec::new();
    puller.blob(&document.from, &blob, &mut record)?;
    Ok(record)
}

/// The record's blob, of a manifest that is one's; else what is wrong with it, as a phrase.
fn layer(manifest: &[u8]) -> Result<BlobDescriptor, String> {
    match ArtifactManifest::read(manifest, KIND)?.layers[..] {
        [Descriptor { digest, size, .. }] if size <= LIMIT => Ok(BlobDescriptor { digest, size }),
        [Descriptor { size, .. }] => Err(format!("it says that it has {size} bytes")),
        _ => Err("it must have one layer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_in_its_manifest_and_in_nothing_else() {
        let to: Reference = "localhost:5000/records/main:latest".parse().unwrap();
        let manifest = request(&to, b"record").unwrap().manifest;
        assert_eq!(layer(&manifest), Ok(BlobDescriptor { digest: Digest::of(b"record"), size: 6 }));
        assert_eq!(layer(b"{}"), Err("an image is there".to_owned()));
        let text = String::from_utf8(manifest.to_vec()).unwrap();
        assert!(layer(text.replace("\"size\":6", "\"size\":9999999999").as_bytes()).is_err());
        assert!(layer(text.replace(KIND, "application/x").as_bytes()).is_err());
    }

    #[test]
    fn without_a_tag_or_with_a_digest_there_is_nowhere_to_publish() {
        let digest = Digest::of(b"x");
        for text in ["localhost:5000/records".to_owned(), format!("localhost:5000/records:1@{digest}"), "r:1".into()] {
            assert!(request(&text.parse().unwrap(), b"record").is_none(), "{text}");
        }
    }
}
