//! An image: config and manifest, composed from a base, what a target says, and layers.
//!
//! Takes the base as the raw bytes that its registry holds and layers as descriptors; gives bytes and digests.
//! Reads and writes no blob.

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::oci::canonical;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image_config::{self, Addition, ConfigError};
use crate::oci::image_spec::ImageSpec;
use crate::oci::manifest::{Config, Manifest, ReadError};
use crate::oci::media_type::{DOCKER_CONFIG, Family, OCI_CONFIG, OCI_MANIFEST};
use crate::oci::raw_json::{Malformed, Object, array};
use crate::platform::Platform;

/// Names the manifest that an image stands on (image-spec, "Pre-Defined Annotation Keys").
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What an image stands on: the bytes as its registry holds them.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// The config's bytes.
    pub config_json: &'a [u8],
    /// The bytes of the manifest of one image, not of an index.
    pub manifest_json: &'a [u8],
}

/// A layer put on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLayer {
    /// The layer, its media type of either family.
    pub layer: Layer,
    /// What made it, for the history; absent: nothing is said. It enters the digest.
    pub created_by: Option<String>,
}

/// An image as it is stored and pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it runs on, with the base's variant where the target names none.
    pub platform: Platform,
    /// The config's bytes.
    pub config: Vec<u8>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// Describes `config`.
    pub config_descriptor: Descriptor,
    /// Describes `manifest`; its digest is the image's.
    pub manifest_descriptor: Descriptor,
    /// All layers, the base's first.
    pub layers: Vec<Layer>,
}

/// An image that can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The manifest is none that we can read.
    #[error("the manifest can't be used: {0}")]
    Manifest(#[source] ReadError),
    /// The config is none that we can read.
    #[error("the config can't be used: {0}")]
    Config(#[source] ReadError),
    /// The manifest is of something else, such as a chart or an attestation.
    #[error("it is not an image: the type of its config is `{0}`")]
    NoImage(String),
    /// The config is not the one that the manifest names.
    #[error("the config's digest is {computed}, but the manifest names {claimed}")]
    OtherConfig {
        /// What the manifest says.
        claimed: Digest,
        /// What the bytes have.
        computed: Digest,
    },
    /// Manifest and config disagree about the number of layers.
    #[error("the manifest lists {layers} layers, but the config has {diff_ids} diff IDs")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// A field of the base has a shape that the OCI image-spec doesn't allow.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// What the target says can't be laid over the base.
    #[error(transparent)]
    Compose(#[from] ConfigError),
}

impl Image {
    /// The image that a target stands for.
    ///
    /// Names of media types follow the base, except that a Docker base gets OCI's names for all when annotations
    /// or a zstd layer are asked for, which Docker's manifest can't say; the base's blobs stay as they are.
    pub fn compose(base: Option<&Base<'_>>, spec: &ImageSpec, layers: &[NewLayer]) -> Result<Image, ImageError> {
        let base = base.map(Foundation::read).transpose()?.unwrap_or_default();
        let added: Vec<_> = layers.iter().map(NewLayer::as_addition).collect();
        let config = image_config::compose(base.config, base.layers.len(), spec, &added)?;
        let config = canonical::to_bytes(&config.into());

        let family = family(base.family, &base.layers, spec, layers);
        let config_type = family.name_of(OCI_CONFIG).unwrap_or(OCI_CONFIG);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.name_of(OCI_MANIFEST),
            "config": Descriptor::of(config_type, &config).to_json(),
        });
        let ours = layers.iter().map(|new| new.layer.descriptor.to_json());
        manifest["layers"] = base.layers.into_iter().chain(ours).map(|layer| renamed(layer, family)).collect();
        if family == Family::Oci {
            annotate(&mut manifest, spec, base.digest);
        }
        Image::read(config, canonical::to_bytes(&manifest))
    }

    /// An image from the bytes of its config and manifest.
    pub fn read(config: Vec<u8>, manifest: Vec<u8>) -> Result<Image, ImageError> {
        let (view, settings) = check_pair(&config, &manifest)?;
        let family = Family::of(view.media_type.as_deref().unwrap_or(&view.config.media_type));
        let manifest_type = family.name_of(OCI_MANIFEST).unwrap_or(OCI_MANIFEST);
        let layers = view.layers.into_iter().zip(settings.rootfs.diff_ids);
        Ok(Image {
            platform: settings.platform,
            manifest_descriptor: Descriptor::of(manifest_type, &manifest),
            config_descriptor: view.config,
            layers: layers.map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect(),
            config,
            manifest,
        })
    }

    /// The manifest's digest, by which the image is known.
    pub fn digest(&self) -> Digest {
        self.manifest_descriptor.digest
    }
}

impl NewLayer {
    fn as_addition(&self) -> Addition<'_> {
        Addition { diff_id: self.layer.diff_id, created_by: self.created_by.as_deref() }
    }
}

/// Reads manifest and config, and checks that they belong together.
fn check_pair(config: &[u8], manifest: &[u8]) -> Result<(Manifest, Config), ImageError> {
    let manifest = Manifest::parse(manifest).map_err(ImageError::Manifest)?;
    if !matches!(manifest.config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
        return Err(ImageError::NoImage(manifest.config.media_type));
    }
    let (claimed, computed) = (manifest.config.digest, Digest::of(config));
    if claimed != computed {
        return Err(ImageError::OtherConfig { claimed, computed });
    }
    let config = Config::parse(config).map_err(ImageError::Config)?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(ImageError::LayerCount { layers, diff_ids });
    }
    Ok((manifest, config))
}

/// A base taken apart; the default is none at all.
#[derive(Default)]
struct Foundation {
    config: Object,
    /// Descriptors as they stand in the manifest, with keys such as `urls`.
    layers: Vec<Value>,
    family: Option<Family>,
    digest: Option<Digest>,
}

impl Foundation {
    fn read(base: &Base<'_>) -> Result<Foundation, ImageError> {
        let (view, _) = check_pair(base.config_json, base.manifest_json)?;
        let manifest = raw(base.manifest_json).map_err(ImageError::Manifest)?;
        Ok(Foundation {
            config: raw(base.config_json).map_err(ImageError::Config)?,
            layers: array(manifest.get("layers"), "layers")?,
            family: Some(Family::of(view.media_type.as_deref().unwrap_or(&view.config.media_type))),
            digest: Some(Digest::of(base.manifest_json)),
        })
    }
}

fn raw(bytes: &[u8]) -> Result<Object, ReadError> {
    Ok(serde_json::from_slice(bytes)?)
}

fn family(base: Option<Family>, base_layers: &[Value], spec: &ImageSpec, layers: &[NewLayer]) -> Family {
    let docker_can_say = |media_type: &str| Family::Docker.name_of(media_type).is_some();
    let expressible = base_layers.iter().all(|layer| layer["mediaType"].as_str().is_some_and(docker_can_say))
        && layers.iter().all(|new| docker_can_say(&new.layer.descriptor.media_type))
        && spec.annotations.is_empty();
    if base == Some(Family::Docker) && expressible { Family::Docker } else { Family::Oci }
}

/// A layer's descriptor with the family's name for its type; a type that nobody here knows stays.
fn renamed(mut layer: Value, family: Family) -> Value {
    if let Some(name) = layer["mediaType"].as_str().and_then(|media_type| family.name_of(media_type)) {
        layer["mediaType"] = name.into();
    }
    if family == Family::Docker
        && let Some(layer) = layer.as_object_mut()
    {
        layer.remove("annotations"); // Docker's schema has none
    }
    layer
}

/// The annotations asked for, and the base's digest where they don't say one.
fn annotate(manifest: &mut Value, spec: &ImageSpec, base: Option<Digest>) {
    let mut annotations = spec.annotations.clone();
    if let Some(digest) = base {
        annotations.entry(BASE_DIGEST.to_owned()).or_insert_with(|| digest.to_string());
    }
    if !annotations.is_empty() {
        manifest["annotations"] = json!(annotations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_source::MemoryBlobs;
    use crate::oci::media_type::{DOCKER_MANIFEST, DOCKER_TAR_GZIP, OCI_TAR, OCI_TAR_GZIP, OCI_TAR_ZSTD};
    use crate::oci::sample;
    use crate::oci::validate::validate_image;

    /// A base as Docker pushes one, with keys that we don't know.
    fn docker_base(blobs: &mut MemoryBlobs) -> (Vec<u8>, Vec<u8>) {
        let layer = sample::layer(blobs, OCI_TAR_GZIP, "etc/base", "base").layer;
        let config = json!({
            "os": "linux", "architecture": "amd64", "created": "2020-02-02T02:02:02Z", "docker_version": "20.10",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["bash"], "OnBuild": null, "Shell": ["/bin/bash", "-c"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created": "2020-02-02T02:02:02Z", "created_by": "ADD"}, {"empty_layer": true}],
        });
        let config = serde_json::to_vec_pretty(&config).unwrap();
        let mut config_descriptor = Descriptor::of(DOCKER_CONFIG, &config).to_json();
        config_descriptor["data"] = "aaaa".into();
        let mut layer = layer.descriptor.to_json();
        layer["mediaType"] = DOCKER_TAR_GZIP.into();
        layer["urls"] = json!(["https://example.org/base"]);
        let manifest = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config_descriptor,
            "layers": [layer], "subject": {}});
        (config, serde_json::to_vec_pretty(&manifest).unwrap())
    }

    fn json_of(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn an_image_from_scratch_is_sound_and_oci() {
        let mut blobs = MemoryBlobs::default();
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        assert_eq!(validate_image(&image.manifest, &blobs), []);
        assert_eq!(image.manifest_descriptor.media_type, OCI_MANIFEST);
        assert_eq!(json_of(&image.manifest).get("annotations"), None);
        assert_eq!(image.digest(), Digest::of(&image.manifest));
        assert_eq!(Image::read(image.config.clone(), image.manifest.clone()).unwrap(), image);
    }

    #[test]
    fn an_empty_image_has_these_bytes() {
        let image = Image::compose(None, &ImageSpec::default(), &[]).unwrap();
        let config = r#"{"architecture":"amd64","config":{},"created":"1970-01-01T00:00:00Z","os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}"#;
        assert_eq!(String::from_utf8(image.config).unwrap(), config);
        let manifest = format!(
            r#"{{"config":{{"digest":"{}","mediaType":"{OCI_CONFIG}","size":{}}},"layers":[],"mediaType":"{OCI_MANIFEST}","schemaVersion":2}}"#,
            Digest::of(config.as_bytes()),
            config.len()
        );
        assert_eq!(String::from_utf8(image.manifest).unwrap(), manifest);
    }

    #[test]
    fn on_a_base_of_dockers_all_names_are_dockers_and_what_is_unknown_survives() {
        let mut blobs = MemoryBlobs::default();
        let (config_json, manifest_json) = docker_base(&mut blobs);
        let base = Base { config_json: &config_json, manifest_json: &manifest_json };
        let ours = sample::layer(&mut blobs, OCI_TAR_GZIP, "etc/ours", "ours");
        let image = sample::image(&mut blobs, Some(&base), &ImageSpec::default(), &[ours]);
        assert_eq!(validate_image(&image.manifest, &blobs), []);
        let manifest = json_of(&image.manifest);
        assert_eq!((&manifest["mediaType"], manifest.get("annotations")), (&json!(DOCKER_MANIFEST), None));
        assert_eq!(manifest["config"]["mediaType"], DOCKER_CONFIG);
        assert_eq!((manifest["config"].get("data"), manifest.get("subject")), (None, None));
        assert_eq!(manifest["layers"][0]["urls"], json!(["https://example.org/base"]));
        assert_eq!(manifest["layers"][1]["mediaType"], DOCKER_TAR_GZIP);
        let config = json_of(&image.config);
        assert_eq!((&config["docker_version"], &config["config"]["Cmd"]), (&json!("20.10"), &json!(["bash"])));
        assert_eq!(config["config"]["Shell"], json!(["/bin/bash", "-c"]));
    }

    #[test]
    fn what_dockers_manifest_cannot_say_makes_all_names_ocis() {
        let annotated = ImageSpec { annotations: [("a".into(), "b".into())].into(), ..ImageSpec::default() };
        for (spec, media_type) in [(annotated, OCI_TAR), (ImageSpec::default(), OCI_TAR_ZSTD)] {
            let mut blobs = MemoryBlobs::default();
            let (config_json, manifest_json) = docker_base(&mut blobs);
            let base = Base { config_json: &config_json, manifest_json: &manifest_json };
            let ours = sample::layer(&mut blobs, media_type, "etc/ours", "ours");
            let image = sample::image(&mut blobs, Some(&base), &spec, &[ours]);
            assert_eq!(validate_image(&image.manifest, &blobs), []);
            let manifest = json_of(&image.manifest);
            assert_eq!(
                (&manifest["mediaType"], &manifest["layers"][0]["mediaType"]),
                (&json!(OCI_MANIFEST), &json!(OCI_TAR_GZIP))
            );
            assert_eq!(manifest["annotations"][BASE_DIGEST], json!(Digest::of(&manifest_json).to_string()));
        }
    }

    #[test]
    fn an_image_on_one_of_ours_names_its_digest_and_takes_its_environment() {
        let mut blobs = MemoryBlobs::default();
        let path = |value: &str| ImageSpec { env: vec![("PATH".into(), value.into())], ..ImageSpec::default() };
        let lower = sample::scratch(&mut blobs, &path("/bin"));
        let base = Base { config_json: &lower.config, manifest_json: &lower.manifest };
        let upper = sample::image(&mut blobs, Some(&base), &path("/opt:$PATH"), &[]);
        assert_eq!(validate_image(&upper.manifest, &blobs), []);
        assert_eq!(upper.layers, lower.layers);
        assert_eq!(json_of(&upper.config)["config"]["Env"], json!(["PATH=/opt:/bin"]));
        assert_eq!(json_of(&upper.manifest)["annotations"], json!({ BASE_DIGEST: lower.digest().to_string() }));
    }

    #[test]
    fn a_base_that_is_no_image_is_refused() {
        let mut blobs = MemoryBlobs::default();
        let (config, manifest) = docker_base(&mut blobs);
        let compose = |config_json: &[u8], manifest_json: &[u8]| {
            Image::compose(Some(&Base { config_json, manifest_json }), &ImageSpec::default(), &[]).unwrap_err()
        };
        assert!(matches!(compose(b"{}", &manifest), ImageError::OtherConfig { .. }));
        assert!(matches!(compose(&config, b"{\"manifests\":[]}"), ImageError::Manifest(ReadError::Index)));
        let chart = String::from_utf8(manifest.clone()).unwrap().replace(DOCKER_CONFIG, "application/x-chart");
        assert!(matches!(compose(&config, chart.as_bytes()), ImageError::NoImage(_)));
        let mut fewer = json_of(&manifest);
        fewer["layers"] = json!([]);
        let fewer = serde_json::to_vec(&fewer).unwrap();
        assert!(matches!(compose(&config, &fewer), ImageError::LayerCount { layers: 0, diff_ids: 1 }));
    }
}
