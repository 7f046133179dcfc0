//! Whether an image can be a base: what we could not build on faithfully is refused, with the reason.
//!
//! Judges bytes; fetches nothing.

use crate::digest::Digest;
use crate::oci::decompress::Format;
use crate::oci::image::{Image, ImageError};
use crate::oci::manifest::{Config, ReadError};
use crate::oci::media_type::is_foreign;
use crate::platform::Platform;

/// The most bytes that a config may have.
pub const CONFIG_LIMIT: u64 = 16 << 20;

/// Why an image can't be a base.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Docker's manifest schema 1.
    #[error("its manifest is of Docker's schema 1, which names neither a config nor the layers' content")]
    Schema1,
    /// It is no image, or its parts disagree.
    #[error(transparent)]
    Image(ImageError),
    /// An index that can't be read.
    #[error("its index {0}")]
    Index(ReadError),
    /// A config that no sensible image has: it would be held in memory.
    #[error("its config has {0} bytes, more than {CONFIG_LIMIT}")]
    Config(u64),
    /// A layer that its registry need not hold.
    #[error("its layer {0} is foreign (not to be distributed): no registry has to hold it")]
    Foreign(Digest),
    /// A layer in a form that we don't read.
    #[error("its layer {layer} has the unknown media type `{media_type}`")]
    Layer {
        /// The blob.
        layer: Digest,
        /// As the manifest has it.
        media_type: String,
    },
    /// Commands that a Dockerfile's build on top would run.
    #[error("it has ONBUILD instructions ({0}), which only a Dockerfile's build runs")]
    OnBuild(String),
    /// It is not made for the platform.
    #[error("it is not there for {wanted}, but for {}", if .there.is_empty() { "no platform at all".to_owned() } else { .there.join(", ") })]
    Platform {
        /// What is asked for.
        wanted: Platform,
        /// What there is.
        there: Vec<String>,
    },
}

impl Unusable {
    /// What to do; `None` where nothing but another image helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Unusable::Schema1 => Some("push it again with a current Docker or skopeo, which write schema 2"),
            Unusable::OnBuild(_) => Some("use the image that it was made from, and do what they would do in a layer"),
            Unusable::Platform { .. } => Some("name one of these in `platforms` (of the pull) or `platform`"),
            _ => None,
        }
    }
}

/// An image of these bytes, if it can be a base for the platform.
pub fn check(manifest: Vec<u8>, config: Vec<u8>, platform: &Platform) -> Result<Image, Unusable> {
    let on_build = Config::parse(&config).map(|config| config.config.on_build).unwrap_or_default();
    let image = Image::read(config, manifest).map_err(|error| match error {
        ImageError::Manifest(error) => unreadable(error),
        error => Unusable::Image(error),
    })?;
    for layer in &image.layers {
        let (layer, media_type) = (layer.descriptor.digest, &layer.descriptor.media_type);
        if is_foreign(media_type) {
            return Err(Unusable::Foreign(layer));
        }
        if Format::of_media_type(media_type).is_none() {
            return Err(Unusable::Layer { layer, media_type: media_type.clone() });
        }
    }
    if !on_build.is_empty() {
        return Err(Unusable::OnBuild(on_build.join("; ")));
    }
    if !platform.is_met_by(&image.platform) {
        return Err(Unusable::Platform { wanted: platform.clone(), there: vec![image.platform.to_string()] });
    }
    Ok(image)
}

/// A manifest that can't be read.
pub fn unreadable(error: ReadError) -> Unusable {
    match error {
        ReadError::SchemaVersion(1) => Unusable::Schema1,
        error => Unusable::Image(ImageError::Manifest(error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base::testing;

    fn refused(edit: impl FnOnce(&mut Value, &mut Value)) -> Unusable {
        let (manifest, config) = testing::edited(edit);
        check(manifest, config, &Platform::default()).expect_err("a base that can't be used")
    }

    #[test]
    fn an_image_that_is_sound_is_taken() {
        let (manifest, config) = testing::edited(|_, _| {});
        assert!(check(manifest, config, &Platform::default()).is_ok());
    }

    #[test]
    fn what_could_not_be_built_on_faithfully_is_refused_with_its_reason() {
        let told = |unusable: Unusable| unusable.to_string();
        let old = check(br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec(), b"{}".to_vec(), &Platform::default());
        assert!(matches!(old, Err(Unusable::Schema1)));
        let on_build = refused(|_, config| config["config"]["OnBuild"] = json!(["RUN make", "COPY . ."]));
        assert!(told(on_build).contains("ONBUILD instructions (RUN make; COPY . .)"));
        for media_type in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        ] {
            let foreign = refused(|manifest, _| manifest["layers"][0]["mediaType"] = media_type.into());
            assert!(matches!(foreign, Unusable::Foreign(_)), "{media_type}");
        }
        let unknown = refused(|manifest, _| manifest["layers"][0]["mediaType"] = "application/x-else".into());
        assert!(matches!(unknown, Unusable::Layer { .. }));
        let arm = refused(|_, config| config["architecture"] = "arm64".into());
        assert!(told(arm).contains("not there for linux/amd64, but for linux/arm64"));
        let chart = refused(|manifest, _| manifest["config"]["mediaType"] = "application/x-chart".into());
        assert!(matches!(chart, Unusable::Image(ImageError::NoImage(_))));
    }
}
