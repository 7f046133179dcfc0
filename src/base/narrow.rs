//! An index narrowed to one platform.
//!
//! Chooses; fetches nothing.

use crate::base::usable::Unusable;
use crate::oci::descriptor::Descriptor;
use crate::oci::index::Index;
use crate::oci::manifest::{ReadError, is_index};
use crate::platform::Platform;

/// The manifest for a platform among those of an index: the one that says just this platform, else the first that fits.
/// `None` where the bytes are no index, but the manifest of one image.
pub fn narrow(document: &[u8], platform: &Platform) -> Result<Option<Descriptor>, Unusable> {
    match is_index(document) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(ReadError::SchemaVersion(1)) => return Err(Unusable::Schema1),
        Err(error) => return Err(Unusable::Index(error)),
    }
    let entries = Index::parse(document).map_err(Unusable::Index)?;
    match Index::choose(&entries, platform) {
        Ok(entry) => Ok(Some(entry.descriptor.clone())),
        Err(there) => Err(Unusable::Platform { wanted: platform.clone(), there }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;

    fn index(platforms: &[&str]) -> Vec<u8> {
        let line = |text: &&str| {
            let parts: Vec<&str> = text.split('/').collect();
            let mut platform = json!({"os": parts[0], "architecture": parts[1]});
            if let Some(variant) = parts.get(2) {
                platform["variant"] = (*variant).into();
            }
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of(text.as_bytes()),
                "size": 2, "platform": platform})
        };
        let manifests: Vec<_> = platforms.iter().map(line).collect();
        json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes()
    }

    fn chosen(platforms: &[&str], wanted: &str) -> Result<Option<Digest>, String> {
        let found = narrow(&index(platforms), &wanted.parse().unwrap());
        found.map(|found| found.map(|found| found.digest)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_platform_goes_before_one_that_fits() {
        let all = ["linux/arm/v5", "linux/arm/v7", "linux/arm64/v8", "unknown/unknown"];
        let of = |text: &str| Ok(Some(Digest::of(text.as_bytes())));
        assert_eq!(chosen(&all, "linux/arm/v7"), of("linux/arm/v7"));
        assert_eq!(chosen(&all, "linux/arm"), of("linux/arm/v5"));
        assert_eq!(chosen(&all, "linux/arm64"), of("linux/arm64/v8"));
        let error = chosen(&all, "linux/amd64").unwrap_err();
        assert!(error.contains("but for linux/arm/v5, linux/arm/v7, linux/arm64/v8"), "{error}");
    }

    #[test]
    fn a_manifest_is_no_index_and_schema_1_is_told() {
        let platform = Platform::default();
        assert_eq!(narrow(br#"{"schemaVersion":2,"config":{}}"#, &platform).unwrap(), None);
        assert!(matches!(narrow(br#"{"schemaVersion":1}"#, &platform), Err(Unusable::Schema1)));
    }
}
