//! The manifest of what is kept in a registry and is no image: of some kind, with the empty config (image-spec 1.1,
//! "Guidelines for Artifact Usage").
//!
//! Knows no kind; whose kind it is says what layers and annotations mean.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::canonical;
use super::descriptor::Descriptor;
use super::media_type::OCI_MANIFEST;
use crate::digest::Digest;

/// The config of each, which the registry must have like any other.
pub const EMPTY: &[u8] = b"{}";

/// What is said of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ArtifactManifest {
    /// What it is (`artifactType`); empty where nothing is said, as of images.
    #[serde(rename = "artifactType", default)]
    pub kind: String,
    /// Its blobs. [`empty`] stands for none: a list of layers may not be empty.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Texts of its own.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// The descriptor of [`EMPTY`].
pub fn empty() -> Descriptor {
    Descriptor {
        media_type: "application/vnd.oci.empty.v1+json".to_owned(),
        digest: Digest::of(EMPTY),
        size: EMPTY.len() as u64,
        annotations: BTreeMap::new(),
    }
}

impl ArtifactManifest {
    /// Its bytes; equal for equal values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": self.kind,
            "config": empty(),
            "layers": self.layers,
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        canonical::to_bytes(&manifest)
    }

    /// A manifest of this kind; the error is a phrase that says what is there instead.
    pub fn read(bytes: &[u8], kind: &str) -> Result<ArtifactManifest, String> {
        let manifest: ArtifactManifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match manifest.kind.as_str() {
            its if its == kind => Ok(manifest),
            "" => Err("an image is there".to_owned()),
            other => Err(format!("it is of the type `{other}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_equal_ones_are_equal_bytes() {
        let annotations = BTreeMap::from([("b".to_owned(), "1".to_owned())]);
        let manifest = ArtifactManifest { kind: "x/kind".to_owned(), layers: vec![empty()], annotations };
        let empty = format!(
            "{{\"digest\":\"{}\",\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2}}",
            Digest::of(b"{}")
        );
        let text = format!(
            "{{\"annotations\":{{\"b\":\"1\"}},\"artifactType\":\"x/kind\",\"config\":{empty},\"layers\":[{empty}],\
             \"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"schemaVersion\":2}}"
        );
        assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), text);
        assert_eq!(ArtifactManifest::read(text.as_bytes(), "x/kind"), Ok(manifest));
    }

    #[test]
    fn what_is_of_another_kind_is_told() {
        let read = |text: &str| ArtifactManifest::read(text.as_bytes(), "x/kind").unwrap_err();
        assert_eq!(read("{}"), "an image is there");
        assert_eq!(read("{\"artifactType\":\"y\"}"), "it is of the type `y`");
        assert!(read("<html>").contains("expected value"));
    }
}
