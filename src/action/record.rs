//! What a finished action leaves behind: its output and the components of its key.
//!
//! One self-contained value, so that any cache can hold it. Knows nothing of where it is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::{DiffId, Digest};

/// One field of a key, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// What the field is about, such as `entry /opt/app/run`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where the value comes from (a source file, a label): for people, not part of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A blob and its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Of the bytes as stored.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

/// What an action gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// A file that was fetched.
    File(Blob),
    /// A layer.
    Layer(LayerOutput),
    /// An image.
    Image(ImageOutput),
    /// An index of images.
    Index(IndexOutput),
    /// An image or index, by its digest, that is as it is expected to be.
    Passed(Digest),
}

/// A layer that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LayerOutput {
    /// The layer as stored and pushed.
    pub blob: Blob,
    /// Of the tar before compression.
    pub diff_id: DiffId,
    /// Size of the tar before compression, in bytes.
    pub uncompressed: u64,
    /// OCI media type of the blob.
    pub media_type: String,
    /// What it holds, without content: see `oci::listing`.
    pub listing: Blob,
}

/// An image that was made. Its layers stand in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageOutput {
    /// The manifest: its digest is the image's.
    pub manifest: Blob,
    /// Media type of the manifest.
    pub media_type: String,
    /// The config.
    pub config: Blob,
}

/// An index that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IndexOutput {
    /// The index itself: its digest names it.
    pub index: Blob,
    /// Its media type.
    pub media_type: String,
    /// Its images, in its order.
    pub images: Vec<ImageOutput>,
}

impl Output {
    /// What names the output: digest of the file, of the layer's blob, of the manifest or of the index; of a test, of what
    /// it looked at.
    pub fn digest(&self) -> Digest {
        match self {
            Output::File(blob) => blob.digest,
            Output::Layer(layer) => layer.blob.digest,
            Output::Image(image) => image.manifest.digest,
            Output::Index(index) => index.index.digest,
            Output::Passed(image) => *image,
        }
    }

    /// Every blob that must be in the store for the output to be whole.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let (first, second, images) = match self {
            Output::File(blob) => (Some(*blob), None, &[][..]),
            Output::Layer(layer) => (Some(layer.blob), Some(layer.listing), &[][..]),
            Output::Image(image) => (Some(image.manifest), Some(image.config), &[][..]),
            Output::Index(index) => (Some(index.index), None, index.images.as_slice()),
            Output::Passed(_) => (None, None, &[][..]),
        };
        let of_images = images.iter().flat_map(|image| [image.manifest, image.config]);
        first.into_iter().chain(second).chain(of_images)
    }
}

/// A finished action: what it gave, and what its key was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it gave.
    pub output: Output,
    /// What its key was made of, in the key's order.
    pub components: Vec<Component>,
    /// The shared cache that it comes from, as `HOST/PATH`: the store may lack its large blobs. `None`: made here.
    pub shared: Option<String>,
    /// How long it took here; `None`: it was not made here, or by a version that did not note it.
    pub elapsed: Option<Duration>,
}

/// Bytes that are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The two parts aren't there.
    #[error("the record is cut off")]
    CutOff,
    /// A part is no valid JSON of its shape.
    #[error("the record is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Record {
    /// The record as bytes: the output as one line of JSON, then the components as another, so that a
    /// build that does nothing never parses the second; then the shared cache, where it comes from one, and the time in
    /// microseconds, where it is known.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.output).expect("plain values serialise");
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, &self.components).expect("plain values serialise");
        let shared = self.shared.as_deref().unwrap_or_default();
        let elapsed = self.elapsed.map(|time| time.as_micros().to_string());
        if self.shared.is_some() || elapsed.is_some() {
            bytes.push(b'\n');
            bytes.extend_from_slice(shared.as_bytes());
        }
        if let Some(elapsed) = elapsed {
            bytes.push(b'\n');
            bytes.extend_from_slice(elapsed.as_bytes());
        }
        bytes
    }

    /// The whole record.
    pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
        let (output, rest) = split(bytes)?;
        let mut lines = rest.split(|byte| *byte == b'\n');
        let components = serde_json::from_slice(lines.next().unwrap_or_default())?;
        let mut text = || lines.next().map(String::from_utf8_lossy).filter(|text| !text.is_empty());
        let shared = text().map(std::borrow::Cow::into_owned);
        let elapsed = text().and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Ok(Record { output: serde_json::from_slice(output)?, components, shared, elapsed })
    }

    /// Whether the record comes from a shared cache.
    pub fn is_shared(bytes: &[u8]) -> bool {
        let rest = split(bytes).and_then(|(_, rest)| split(rest));
        rest.is_ok_and(|(_, shared)| shared.first().is_some_and(|byte| *byte != b'\n'))
    }

    /// The output alone.
    pub fn decode_output(bytes: &[u8]) -> Result<Output, RecordError> {
        Ok(serde_json::from_slice(split(bytes)?.0)?)
    }
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let cut = bytes.iter().position(|byte| *byte == b'\n').ok_or(RecordError::CutOff)?;
    Ok((&bytes[..cut], &bytes[cut + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_and_its_output_alone_too() {
        let blob = Blob { digest: Digest::of(b"x"), size: 1 };
        let component =
            Component { name: "entry /a".into(), value: "literal".into(), origin: Some("layers.toml".into()) };
        let record = Record { output: Output::File(blob), components: vec![component], shared: None, elapsed: None };
        let (shared, elapsed) = (Some("a.example/cache".to_owned()), Some(Duration::from_micros(1_500_000)));
        let all = [(None, None), (shared.clone(), None), (None, elapsed), (shared, elapsed)];
        for record in all.map(|(shared, elapsed)| Record { shared, elapsed, ..record.clone() }) {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes).unwrap(), record);
            assert_eq!(Record::decode_output(&bytes).unwrap(), record.output);
            assert_eq!(Record::is_shared(&bytes), record.shared.is_some());
        }
    }

    #[test]
    fn a_cut_record_is_an_error() {
        assert!(Record::decode(b"{}").is_err());
        assert!(Record::decode(b"{}\n[").is_err());
    }
}
