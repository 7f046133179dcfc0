//! The config of an image: what its target says, laid over the base's raw JSON.
//!
//! Takes the base's config as a JSON value and gives one back, so that what nobody here knows survives
//! (`Shell`, `Healthcheck`, vendors' keys). Knows nothing of manifests and of how JSON is written.

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::oci::image_run::{self, RunError};
use crate::oci::image_spec::ImageSpec;
use crate::oci::raw_json::{Malformed, Object, array, object, strings};
use crate::oci::timestamp::rfc3339;
use crate::platform::Platform;

/// A config that can't be made from this base and this target.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A field of the base's config has a shape that the OCI image-spec doesn't allow.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// How a container is run can't be said.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The base is for something else.
    #[error("the image is for {image}, but its base is for {base}")]
    Platform {
        /// What the target says.
        image: Box<Platform>,
        /// What the base's config says.
        base: Box<Platform>,
    },
    /// A time of creation that RFC 3339 can't write.
    #[error("`created` is {0} seconds after 1970, which is beyond the year 9999")]
    Created(u64),
}

/// A layer on top of the base's, as a config tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// Digest of its tar.
    pub diff_id: DiffId,
    /// What made it, for the history; absent: nothing is said.
    pub created_by: Option<&'a str>,
}

/// The image's config. The base's is an object, empty for an image without a base.
///
/// `base_layers` is the number of layers in the base's manifest.
pub fn compose(
    base: Object,
    base_layers: usize,
    spec: &ImageSpec,
    added: &[Addition<'_>],
) -> Result<Object, ConfigError> {
    let mut config = base;
    let created = rfc3339(spec.created).ok_or(ConfigError::Created(spec.created))?;
    lay_platform(&mut config, &spec.platform)?;
    image_run::lay(object(&mut config, "config", "config")?, spec)?;
    append_diff_ids(&mut config, base_layers, added)?;
    append_history(&mut config, base_layers, &created, added)?;
    config.insert("created".into(), created.into());
    Ok(config)
}

/// Writes the platform; where the base has one, it must be the same.
fn lay_platform(config: &mut Object, ours: &Platform) -> Result<(), ConfigError> {
    let text = |field: &'static str| match config.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(Value::String(_)) | None => Ok(None),
        Some(_) => Err(Malformed { field, expected: "a string" }),
    };
    if let (Some(os), Some(architecture)) = (text("os")?, text("architecture")?) {
        let base = Platform { os, architecture, variant: text("variant")? };
        if !ours.is_met_by(&base) {
            return Err(ConfigError::Platform { image: ours.clone().into(), base: base.into() });
        }
    }
    config.insert("os".into(), ours.os.clone().into());
    config.insert("architecture".into(), ours.architecture.clone().into());
    if let Some(variant) = &ours.variant {
        config.insert("variant".into(), variant.clone().into());
    }
    Ok(())
}

fn append_diff_ids(config: &mut Object, base_layers: usize, added: &[Addition<'_>]) -> Result<(), ConfigError> {
    let rootfs = object(config, "rootfs", "rootfs")?;
    let mut diff_ids = strings(rootfs.get("diff_ids"), "rootfs.diff_ids")?;
    if diff_ids.len() != base_layers {
        let expected = "one digest for each layer of the manifest";
        return Err(Malformed { field: "rootfs.diff_ids", expected }.into());
    }
    diff_ids.extend(added.iter().map(|layer| layer.diff_id.to_string()));
    rootfs.insert("type".into(), "layers".into());
    rootfs.insert("diff_ids".into(), diff_ids.into());
    Ok(())
}

/// A history must tell of every layer or be absent (image-spec). So it goes on only where the base's tells of every
/// layer of the base; otherwise the image has none, for we can't make up what made the base's layers.
fn append_history(
    config: &mut Object,
    base_layers: usize,
    created: &str,
    added: &[Addition<'_>],
) -> Result<(), ConfigError> {
    let mut history = array(config.get("history"), "history")?;
    let is_layer = |entry: &&Value| entry["empty_layer"] != json!(true);
    if history.iter().filter(is_layer).count() != base_layers {
        config.remove("history");
        return Ok(());
    }
    history.extend(added.iter().map(|layer| match layer.created_by {
        Some(text) => json!({"created": created, "created_by": text}),
        None => json!({ "created": created }),
    }));
    if history.is_empty() {
        config.remove("history");
    } else {
        config.insert("history".into(), history.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn composed(base: Value, base_layers: usize, spec: &ImageSpec, added: usize) -> Result<Value, ConfigError> {
        let addition = Addition { diff_id: DiffId(Digest::of(b"ours")), created_by: Some("files //a:b") };
        compose(base.as_object().cloned().unwrap(), base_layers, spec, &vec![addition; added]).map(Value::from)
    }

    fn base(history: Value) -> Value {
        let diff_ids = [b"1", b"2"].map(|bytes| Digest::of(bytes).to_string());
        json!({"os": "linux", "architecture": "amd64", "history": history, "rootfs": {"diff_ids": diff_ids}})
    }

    #[test]
    fn a_complete_history_goes_on_and_its_empty_layers_survive() {
        let history = json!([{"created_by": "a"}, {"empty_layer": true, "comment": "ENV"}, {"created_by": "b"}]);
        let config = composed(base(history.clone()), 2, &ImageSpec::default(), 1).unwrap();
        let mut expected = history.as_array().cloned().unwrap();
        expected.push(json!({"created": "1970-01-01T00:00:00Z", "created_by": "files //a:b"}));
        assert_eq!(config["history"], json!(expected));
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 3);
        assert_eq!(config["rootfs"]["diff_ids"][2], json!(Digest::of(b"ours").to_string()));
    }

    #[test]
    fn no_history_is_made_up_for_a_base_that_tells_none_or_half() {
        for history in [Value::Null, json!([]), json!([{"created_by": "a"}])] {
            let config = composed(base(history), 2, &ImageSpec::default(), 1).unwrap();
            assert_eq!(config.get("history"), None);
        }
        let scratch = composed(json!({}), 0, &ImageSpec::default(), 2).unwrap();
        assert_eq!(scratch["history"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn diff_ids_that_do_not_match_the_layers_are_refused() {
        let error = composed(base(json!([])), 3, &ImageSpec::default(), 0).unwrap_err();
        assert!(error.to_string().contains("`rootfs.diff_ids`"), "{error}");
    }

    #[test]
    fn a_base_for_another_platform_is_refused_and_usual_variants_agree() {
        let fits = |base: &str, ours: &str| {
            let base: Platform = base.parse().unwrap();
            let spec = ImageSpec { platform: ours.parse().unwrap(), ..ImageSpec::default() };
            composed(json!(base), 0, &spec, 0).map(|config| config["variant"].clone())
        };
        assert_eq!(fits("linux/arm64", "linux/arm64/v8").unwrap(), json!("v8"));
        assert_eq!(fits("linux/arm64/v8", "linux/arm64").unwrap(), json!("v8"));
        assert_eq!(fits("linux/amd64", "linux/amd64").unwrap(), Value::Null);
        for (base, ours) in
            [("linux/arm64", "linux/amd64"), ("linux/arm/v6", "linux/arm/v7"), ("linux/arm", "linux/arm/v6")]
        {
            assert!(matches!(fits(base, ours), Err(ConfigError::Platform { .. })), "{ours} on {base}");
        }
    }

    #[test]
    fn the_time_of_creation_is_ours_and_has_an_end() {
        let spec = ImageSpec { created: 1, ..ImageSpec::default() };
        let config = composed(json!({"created": "2020-02-02T02:02:02Z"}), 0, &spec, 0).unwrap();
        assert_eq!(config["created"], "1970-01-01T00:00:01Z");
        let late = ImageSpec { created: u64::MAX, ..ImageSpec::default() };
        assert!(matches!(composed(json!({}), 0, &late, 0), Err(ConfigError::Created(u64::MAX))));
    }
}
