//! A pushed manifest as the registry sees it: its media type and what it names.
//!
//! Takes bytes and the request's media type; gives a publication, or why it is no manifest that can be kept. Image manifests
//! and indexes of OCI and of Docker's schema 2; knows nothing of storage.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::storage::{Publication, StoredManifest};
use crate::digest::Digest;
use crate::oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

/// What a manifest says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parts {
    schema_version: Option<u64>,
    pub media_type: Option<String>,
    pub artifact_type: Option<String>,
    pub config: Option<Part>,
    layers: Option<Vec<Part>>,
    manifests: Option<Vec<Part>>,
    subject: Option<Part>,
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Something that a manifest names.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    urls: Option<Vec<String>>,
}

impl Part {
    /// Fetched from elsewhere, and not the registry's to keep.
    fn is_foreign(&self) -> bool {
        let named_so = ["nondistributable", "foreign"].iter().any(|word| self.media_type.contains(word));
        named_so || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

/// Reads a manifest's bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Parts, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the manifest can't be read: {error}"))
}

impl Parts {
    /// Config and layers that the registry keeps.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Part> {
        self.config.iter().chain(self.layers.iter().flatten()).filter(|part| !part.is_foreign())
    }

    /// The manifests of an index.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Part> {
        self.manifests.iter().flatten()
    }

    /// As something to keep. `content_type`: of the request, where it says one.
    pub(super) fn publication(&self, bytes: Vec<u8>, content_type: Option<&str>) -> Result<Publication, String> {
        let media_type = self.kind(content_type)?;
        let manifest = StoredManifest { media_type, bytes };
        let digests = |part: &Part| part.digest;
        let (blobs, manifests) = (self.blobs().map(digests).collect(), self.manifests().map(digests).collect());
        Ok(Publication { manifest, blobs, manifests, subject: self.subject.as_ref().map(|part| part.digest) })
    }

    fn kind(&self, content_type: Option<&str>) -> Result<String, String> {
        if self.schema_version != Some(2) {
            return Err(
                "its schemaVersion is not 2: manifests of schema 1 are not taken, push with a newer client".into()
            );
        }
        let said = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
        let kind = match (said, self.media_type.as_deref()) {
            (Some(said), Some(written)) if said != written => {
                return Err(format!("its mediaType is {written}, the request's Content-Type {said}"));
            }
            (Some(kind), _) | (None, Some(kind)) => kind,
            (None, None) if self.manifests.is_some() => OCI_INDEX,
            (None, None) => OCI_MANIFEST,
        };
        let whole = match kind {
            OCI_MANIFEST | DOCKER_MANIFEST => self.config.is_some() && self.manifests.is_none(),
            OCI_INDEX | DOCKER_LIST => self.manifests.is_some() && self.config.is_none() && self.layers.is_none(),
            other => {
                return Err(format!(
                    "its media type is {other}, which is no image manifest or index that this registry takes"
                ));
            }
        };
        if whole {
            Ok(kind.to_owned())
        } else {
            Err(format!("it is no {kind}: that has a config and layers, or manifests, and not both"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, content_type: Option<&str>) -> Result<Publication, String> {
        parse(text.as_bytes())?.publication(text.as_bytes().to_vec(), content_type)
    }

    fn part(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":3}}"#, Digest::of(media_type.as_bytes()))
    }

    #[test]
    fn an_image_names_blobs_but_not_those_that_are_fetched_from_elsewhere() {
        let foreign = part("application/vnd.oci.image.layer.nondistributable.v1.tar");
        let text =
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{},{foreign}]}}"#, part("config"), part("layer"));
        let read = read(&text, Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8")).unwrap();
        assert_eq!(read.blobs, [Digest::of(b"config"), Digest::of(b"layer")].into());
        assert_eq!((read.manifest.media_type.as_str(), read.manifests.len()), (OCI_MANIFEST, 0));
    }

    #[test]
    fn an_index_names_manifests() {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}],"subject":{}}}"#, part("a"), part("s"));
        let read = read(&text, None).unwrap();
        assert_eq!((read.manifest.media_type.as_str(), read.subject), (OCI_INDEX, Some(Digest::of(b"s"))));
        assert_eq!((read.manifests, read.blobs.len()), ([Digest::of(b"a")].into(), 0));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let image = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{}}}"#, part("c"));
        assert!(read(&image, Some(OCI_MANIFEST)).is_ok());
        for (text, content_type) in [
            (image.as_str(), Some(DOCKER_MANIFEST)),
            (image.as_str(), Some("text/plain")),
            (r#"{"schemaVersion":2}"#, None),
            (r#"{"schemaVersion":2,"manifests":[]}"#, Some(OCI_MANIFEST)),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, None),
            (r#"{"schemaVersion":2,"config":{"digest":"sha512:ab","size":1}}"#, None),
            (r#"{"schemaVersion":2,"config":{"digest":"x","size":-1}}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert!(read(text, content_type).is_err(), "{text} as {content_type:?}");
        }
    }
}
