//! Image manifests and configs as typed views, for whoever reads an image.
//!
//! Takes the bytes of either family, OCI's or Docker's schema 2. Read-only: what we write is composed from raw
//! JSON in `image`, so that nothing unknown is lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::digest::DiffId;
use crate::oci::descriptor::Descriptor;
use crate::oci::media_type::{DOCKER_LIST, OCI_INDEX};
use crate::platform::Platform;

/// Bytes that are no manifest, config or index that we can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// An index stands where a manifest of one image is expected.
    #[error("it is an index of several images, where the manifest of one image is expected")]
    Index,
    /// A manifest stands where an index is expected.
    #[error("it is the manifest of one image, where an index is expected")]
    NoIndex,
    /// Docker's old manifest, whose layers have no digests of their own.
    #[error("its schema version is {0}, where only 2 can be read")]
    SchemaVersion(u64),
    /// No JSON, or JSON of another shape.
    #[error("it can't be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// The manifest of one image (OCI image-spec, "Image Manifest").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Absent in some OCI manifests, where it is optional.
    #[serde(default)]
    pub media_type: Option<String>,
    /// The image's config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    /// Free notes; empty where there are none.
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// Enough of any manifest to tell what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

/// Whether the bytes are an index (or manifest list) and no manifest of one image.
pub fn is_index(bytes: &[u8]) -> Result<bool, ReadError> {
    let kind: Kind = serde_json::from_slice(bytes)?;
    match kind.schema_version {
        Some(2) | None => {}
        Some(other) => return Err(ReadError::SchemaVersion(other)),
    }
    let named_so = matches!(kind.media_type.as_deref(), Some(OCI_INDEX | DOCKER_LIST));
    Ok(named_so || (kind.media_type.is_none() && kind.manifests.is_some()))
}

impl Manifest {
    /// Reads a manifest's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ReadError> {
        if is_index(bytes)? {
            return Err(ReadError::Index);
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// An image's config (OCI image-spec, "Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Config {
    /// What the image runs on.
    #[serde(flatten)]
    pub platform: Platform,
    /// How a container is run.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RunConfig,
    /// The layers' uncompressed digests.
    pub rootfs: RootFs,
    /// How the layers came about; empty where nobody noted it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<History>,
}

/// The `rootfs` of a config.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// One for each layer of the manifest, the lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<DiffId>,
}

/// One entry of a config's history.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct History {
    /// What made the layer; absent where nobody noted it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// Whether no layer belongs to this entry.
    #[serde(default, deserialize_with = "null_is_default")]
    pub empty_layer: bool,
}

/// How a container of the image is run; everything may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// `NAME=value` entries.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// The program and its first arguments; empty: none.
    #[serde(deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// Default arguments, or the program where there is no entrypoint.
    #[serde(deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// User and group; empty: root.
    #[serde(deserialize_with = "null_is_default")]
    pub user: String,
    /// Where the program starts; empty: the root directory.
    #[serde(deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// Notes.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Keys are ports such as `8080/tcp`.
    #[serde(deserialize_with = "null_is_default")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// Keys are absolute paths.
    #[serde(deserialize_with = "null_is_default")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    /// Commands that a Dockerfile's build on top would run.
    #[serde(deserialize_with = "null_is_default")]
    pub on_build: Vec<String>,
}

impl Config {
    /// Reads a config's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Config, ReadError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// How many layers the history tells of; `None` where there is no history.
    pub fn layers_in_history(&self) -> Option<usize> {
        let with_layer = self.history.iter().filter(|entry| !entry.empty_layer).count();
        (!self.history.is_empty()).then_some(with_layer)
    }
}

/// Go writes empty slices, maps and pointers as `null`.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_or_an_old_manifest_is_told_apart() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(Manifest::parse(index), Err(ReadError::Index)));
        let old = br#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert!(matches!(Manifest::parse(old), Err(ReadError::SchemaVersion(1))));
        assert!(matches!(Manifest::parse(b"{"), Err(ReadError::Json(_))));
    }

    #[test]
    fn what_go_writes_as_null_is_empty() {
        let config =
            br#"{"os":"linux","architecture":"arm","variant":"v7","config":{"Env":null,"Cmd":["a"],"Labels":null},
            "rootfs":{"type":"layers","diff_ids":null},"history":null,"vendor":1}"#;
        let config = Config::parse(config).unwrap();
        assert_eq!(config.platform.to_string(), "linux/arm/v7");
        assert_eq!(config.layers_in_history(), None);
        assert_eq!(config.config.cmd, ["a"]);
        let nothing = br#"{"os":"linux","architecture":"arm","config":null,"rootfs":{"diff_ids":[]}}"#;
        assert_eq!(Config::parse(nothing).unwrap().config, RunConfig::default());
    }

    #[test]
    fn a_digest_that_is_none_is_named() {
        let config = br#"{"os":"linux","architecture":"arm","rootfs":{"diff_ids":["sha256:no"]}}"#;
        assert!(Config::parse(config).unwrap_err().to_string().contains("`sha256:no` is not a digest"));
    }
}
