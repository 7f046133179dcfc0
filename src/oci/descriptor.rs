//! Descriptors: what a blob is, its digest and its size; and the layer, a descriptor with a diff ID.
//!
//! Plain values; knows nothing of where blobs are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::{DiffId, Digest};

/// Points at a blob (OCI image-spec, "Content Descriptors").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What the blob is: see [`media_type`](crate::oci::media_type).
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// Of the blob's bytes as stored.
    pub digest: Digest,
    /// In bytes, as stored.
    pub size: u64,
    /// Free notes; empty where none are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Go writes an empty map as `null`.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Descriptor {
    /// Describes bytes held in memory.
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }

    /// As it stands in a manifest or index.
    pub fn to_json(&self) -> Value {
        let mut value = json!({"mediaType": self.media_type, "digest": self.digest.to_string(), "size": self.size});
        if !self.annotations.is_empty() {
            value["annotations"] = json!(self.annotations);
        }
        value
    }
}

/// A layer: its blob, and what the blob is uncompressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The blob as stored, compressed or not.
    pub descriptor: Descriptor,
    /// Digest of the tar inside.
    pub diff_id: DiffId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type::OCI_CONFIG;

    #[test]
    fn what_is_written_is_read_back() {
        let mut descriptor = Descriptor::of(OCI_CONFIG, b"{}");
        for annotations in [BTreeMap::new(), BTreeMap::from([("a".to_owned(), "b".to_owned())])] {
            descriptor.annotations = annotations;
            assert_eq!(serde_json::from_value::<Descriptor>(descriptor.to_json()).unwrap(), descriptor);
        }
    }

    #[test]
    fn null_annotations_are_none_and_a_negative_size_is_refused() {
        let mut json = Descriptor::of(OCI_CONFIG, b"").to_json();
        json["annotations"] = Value::Null;
        assert!(serde_json::from_value::<Descriptor>(json.clone()).unwrap().annotations.is_empty());
        json["size"] = (-1).into();
        assert!(serde_json::from_value::<Descriptor>(json).is_err());
    }
}
