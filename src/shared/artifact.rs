//! A record's form in a registry: an artifact under the key as tag.
//!
//! The output stands in an annotation, with the text of its small blobs, so that one request reads all of it; large blobs
//! are the manifest's layers, so that the registry keeps them as long as the record. The key's components don't travel:
//! whoever finds a record has them. Pure; what comes back is held against itself and against what was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::action::record::{Blob, Output};
use crate::digest::Digest;
use crate::oci::artifact_manifest::{ArtifactManifest, empty};
use crate::oci::canonical;
use crate::oci::descriptor::Descriptor;
use crate::reference::Tag;

/// What the artifact is. A record of another form gets another number.
const KIND: &str = "application/vnd.layerbuild.action.v1+json";
/// The annotation with the record.
const RECORD: &str = "vnd.layerbuild.action";
/// What its blobs are to a registry: nothing that it would look into.
const BLOB: &str = "application/octet-stream";
/// A text up to so many bytes travels in the record.
const INLINE: u64 = 64 << 10;
/// So many bytes of text travel in a record at most, of all its blobs together.
const INLINE_ALL: u64 = 512 << 10;
/// The most bytes that a listing, a config or a manifest may have to be taken from elsewhere.
const TEXT_LIMIT: u64 = 64 << 20;

/// A record to put into a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name there.
    pub tag: Tag,
    /// The manifest; equal for equal records.
    pub manifest: Vec<u8>,
    /// The blobs that the manifest names, the empty config among them.
    pub blobs: Vec<Blob>,
}

/// A record as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the action gave.
    pub output: Output,
    /// Small blobs of it, verified.
    pub inline: BTreeMap<Digest, Vec<u8>>,
}

/// Bytes that are not the record asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Not the shape of a record.
    #[error("it is no record of layerbuild's ({0})")]
    Shape(String),
    /// A record of another action.
    #[error("it is the record of the key {0}")]
    OtherKey(Digest),
    /// A text is not what its digest says.
    #[error("its text of {0} is damaged")]
    Damaged(Digest),
    /// The output has a blob that the record doesn't bring along.
    #[error("it does not say where {0} is")]
    Nowhere(Digest),
    /// A listing, config or manifest of a size that none has.
    #[error("it says that {0} has {1} bytes")]
    TooLarge(Digest, u64),
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: Digest,
    output: Output,
    #[serde(default)]
    inline: BTreeMap<String, String>,
}

/// The name of a key's record.
pub fn tag(key: &Digest) -> Tag {
    key.hex().parse().expect("64 hex digits are a tag")
}

/// Whether a blob of an output is a text that travels with the record: all but layers and fetched files.
pub fn is_text(output: &Output, blob: &Blob) -> bool {
    match output {
        Output::File(_) => false,
        Output::Layer(layer) => *blob != layer.blob,
        Output::Image(_) | Output::Index(_) | Output::Passed(_) => true,
    }
}

/// The artifact of a record. `read` gives a small blob's bytes.
pub fn encode<E>(key: &Digest, output: &Output, read: impl Fn(&Blob) -> Result<Vec<u8>, E>) -> Result<Artifact, E> {
    let (mut inline, mut apart, mut total) = (BTreeMap::new(), Vec::new(), 0);
    for blob in output.blobs() {
        let small = is_text(output, &blob) && blob.size <= INLINE && total + blob.size <= INLINE_ALL;
        match small.then(|| read(&blob)).transpose()?.map(String::from_utf8) {
            Some(Ok(text)) => {
                total += blob.size;
                inline.insert(blob.digest.to_string(), text);
            }
            _ if apart.contains(&blob) => {}
            _ => apart.push(blob),
        }
    }
    let line = json!(Line { key: *key, output: output.clone(), inline });
    let line = String::from_utf8(canonical::to_bytes(&line)).expect("JSON is UTF-8");
    let mut layers: Vec<Descriptor> = apart.iter().map(descriptor).collect();
    if layers.is_empty() {
        layers.push(empty());
    }
    let annotations = BTreeMap::from([(RECORD.to_owned(), line)]);
    let manifest = ArtifactManifest { kind: KIND.to_owned(), layers, annotations }.to_bytes();
    let empty = blob(&empty());
    let blobs = std::iter::once(empty).chain(apart.into_iter().filter(|blob| *blob != empty)).collect();
    Ok(Artifact { tag: tag(key), manifest, blobs })
}

fn descriptor(Blob { digest, size }: &Blob) -> Descriptor {
    Descriptor { media_type: BLOB.to_owned(), digest: *digest, size: *size, annotations: BTreeMap::new() }
}

fn blob(Descriptor { digest, size, .. }: &Descriptor) -> Blob {
    Blob { digest: *digest, size: *size }
}

/// The record of a key that a manifest holds.
pub fn decode(manifest: &[u8], key: &Digest) -> Result<Found, ArtifactError> {
    let shape = |what: &dyn std::fmt::Display| ArtifactError::Shape(what.to_string());
    let manifest = ArtifactManifest::read(manifest, KIND).map_err(ArtifactError::Shape)?;
    let line = manifest.annotations.get(RECORD).ok_or_else(|| shape(&"it lacks its annotation"))?;
    let Line { key: its, output, inline } = serde_json::from_str(line).map_err(|error| shape(&error))?;
    if its != *key {
        return Err(ArtifactError::OtherKey(its));
    }
    let inline = inline.into_iter().map(|(digest, text)| verified(&digest, text));
    let inline = inline.collect::<Result<BTreeMap<_, _>, _>>()?;
    let elsewhere: Vec<Blob> = manifest.layers.iter().map(blob).collect();
    output.blobs().try_for_each(|blob| check(&blob, &output, &inline, &elsewhere))?;
    Ok(Found { output, inline })
}

fn verified(digest: &str, text: String) -> Result<(Digest, Vec<u8>), ArtifactError> {
    let digest: Digest = digest.parse().map_err(|_| ArtifactError::Shape("a digest is none".to_owned()))?;
    let bytes = text.into_bytes();
    if Digest::of(&bytes) == digest { Ok((digest, bytes)) } else { Err(ArtifactError::Damaged(digest)) }
}

/// Each blob is here with its size, or elsewhere.
fn check(
    blob: &Blob,
    output: &Output,
    inline: &BTreeMap<Digest, Vec<u8>>,
    elsewhere: &[Blob],
) -> Result<(), ArtifactError> {
    match inline.get(&blob.digest) {
        Some(bytes) if bytes.len() as u64 == blob.size => Ok(()),
        Some(_) => Err(ArtifactError::Damaged(blob.digest)),
        None if !elsewhere.contains(blob) => Err(ArtifactError::Nowhere(blob.digest)),
        None if is_text(output, blob) && blob.size > TEXT_LIMIT => Err(ArtifactError::TooLarge(blob.digest, blob.size)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::record::LayerOutput;
    use crate::digest::DiffId;

    const LISTING: &[u8] = b"listing 1\n";

    fn blob(bytes: &[u8]) -> Blob {
        Blob { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }

    fn layer(listing: Blob) -> Output {
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        let diff_id = DiffId(Digest::of(b"tar"));
        Output::Layer(LayerOutput { blob: blob(b"a layer"), diff_id, uncompressed: 3, media_type, listing })
    }

    fn key() -> Digest {
        Digest::of(b"key")
    }

    fn encoded(output: &Output) -> Artifact {
        encode(&key(), output, |_| Ok::<_, ()>(LISTING.to_vec())).unwrap()
    }

    #[test]
    fn a_record_comes_back_with_its_texts_and_its_layer_is_the_manifests() {
        let output = layer(blob(LISTING));
        let artifact = encoded(&output);
        let found = decode(&artifact.manifest, &key()).unwrap();
        assert_eq!(found, Found { output: output.clone(), inline: [(Digest::of(LISTING), LISTING.to_vec())].into() });
        assert_eq!(artifact.blobs, [blob(b"{}"), blob(b"a layer")]);
        assert_eq!(artifact.tag.as_str(), key().hex());
        assert_eq!(artifact, encoded(&output), "equal records are equal bytes");
    }

    #[test]
    fn a_large_text_is_a_blob_of_its_own() {
        let large = Blob { digest: Digest::of(b"large"), size: INLINE + 1 };
        let artifact = encoded(&layer(large));
        assert_eq!(artifact.blobs, [blob(b"{}"), blob(b"a layer"), large]);
        assert!(decode(&artifact.manifest, &key()).unwrap().inline.is_empty());
    }

    #[test]
    fn what_is_not_the_record_asked_for_is_told() {
        let manifest = String::from_utf8(encoded(&layer(blob(LISTING))).manifest).unwrap();
        let refused = |text: &str, key: &Digest| decode(text.as_bytes(), key).unwrap_err();
        let other = Digest::of(b"another key");
        assert_eq!(refused(&manifest, &other), ArtifactError::OtherKey(key()));
        let said = |from: &str, to: &str| refused(&manifest.replace(from, to), &key());
        assert_eq!(said("listing 1", "listing 2"), ArtifactError::Damaged(Digest::of(LISTING)));
        assert!(matches!(said(KIND, "application/x"), ArtifactError::Shape(_)));
        assert!(matches!(said(RECORD, "other"), ArtifactError::Shape(_)));
        assert!(matches!(refused("<html>", &key()), ArtifactError::Shape(_)));
        assert_eq!(said("\"layers\"", "\"x\""), ArtifactError::Nowhere(Digest::of(b"a layer")));
        let size = format!("\\\"size\\\":{}", LISTING.len());
        assert_eq!(said(&size, "\\\"size\\\":9"), ArtifactError::Damaged(Digest::of(LISTING)), "a lie about a size");
    }

    #[test]
    fn a_text_of_a_senseless_size_is_not_asked_for() {
        let listing = Blob { digest: Digest::of(b"huge"), size: TEXT_LIMIT + 1 };
        let artifact = encoded(&layer(listing));
        let expected = ArtifactError::TooLarge(listing.digest, listing.size);
        assert_eq!(decode(&artifact.manifest, &key()), Err(expected));
    }
}
