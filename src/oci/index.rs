//! Indexes: one name for the images of several platforms (OCI image-spec, "Image Index").
//!
//! Composes the bytes of one and reads those of either family. Knows nothing of blobs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::oci::canonical;
use crate::oci::descriptor::Descriptor;
use crate::oci::manifest::{ReadError, is_index};
use crate::oci::media_type::{Family, OCI_INDEX};
use crate::platform::Platform;

/// An index as it is stored and pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Describes `bytes`.
    pub descriptor: Descriptor,
}

/// One line of an index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IndexEntry {
    /// The manifest, or an index within.
    #[serde(flatten)]
    pub descriptor: Descriptor,
    /// What it runs on; `None` where the index doesn't say, as for attestations.
    #[serde(default, deserialize_with = "lenient")]
    pub platform: Option<Platform>,
}

/// Two images of one index for the same platform: a client could only ever get the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two images of the index are for {0}")]
pub struct SamePlatform(pub Platform);

impl Index {
    /// An index of images in the order given: where several fit a machine, clients take the first.
    ///
    /// Docker's manifest list where all images are Docker's and nothing is annotated, else OCI's index.
    pub fn compose(
        images: &[(Platform, Descriptor)],
        annotations: &BTreeMap<String, String>,
    ) -> Result<Index, SamePlatform> {
        let mut seen = BTreeSet::new();
        if let Some((again, _)) = images.iter().find(|(platform, _)| !seen.insert(platform)) {
            return Err(SamePlatform(again.clone()));
        }
        let is_docker = |(_, image): &(_, Descriptor)| Family::of(&image.media_type) == Family::Docker;
        let docker = !images.is_empty() && images.iter().all(is_docker) && annotations.is_empty();
        let family = if docker { Family::Docker } else { Family::Oci };
        let media_type = family.name_of(OCI_INDEX).unwrap_or(OCI_INDEX);
        let mut index = json!({"schemaVersion": 2, "mediaType": media_type});
        index["manifests"] = images.iter().map(|(platform, image)| line(platform, image)).collect();
        if !annotations.is_empty() {
            index["annotations"] = json!(annotations);
        }
        let bytes = canonical::to_bytes(&index);
        Ok(Index { descriptor: Descriptor::of(media_type, &bytes), bytes })
    }

    /// The image for a platform among the lines of an index: the one that says just this platform, else the first that
    /// fits. Where there is none, the platforms that are there, each once, without the unknown one that some builders
    /// give to attestations.
    pub fn choose<'e>(entries: &'e [IndexEntry], platform: &Platform) -> Result<&'e IndexEntry, Vec<String>> {
        let fits = |entry: &&IndexEntry| entry.platform.as_ref().is_some_and(|offered| platform.is_met_by(offered));
        let same = |entry: &&IndexEntry| entry.platform.as_ref() == Some(platform);
        entries.iter().find(same).or_else(|| entries.iter().find(fits)).ok_or_else(|| {
            let known = entries.iter().filter_map(|entry| entry.platform.as_ref()).filter(|one| one.os != "unknown");
            let mut seen = BTreeSet::new();
            known.filter(|platform| seen.insert(*platform)).map(Platform::to_string).collect()
        })
    }

    /// The lines of an index or manifest list, in its order.
    pub fn parse(bytes: &[u8]) -> Result<Vec<IndexEntry>, ReadError> {
        #[derive(Deserialize)]
        struct View {
            #[serde(default)]
            manifests: Option<Vec<IndexEntry>>,
        }
        if !is_index(bytes)? {
            return Err(ReadError::NoIndex);
        }
        let view: View = serde_json::from_slice(bytes)?;
        Ok(view.manifests.unwrap_or_default())
    }
}

fn line(platform: &Platform, image: &Descriptor) -> Value {
    let mut line = image.to_json();
    line["platform"] = json!(platform);
    line
}

/// A platform of another shape counts as none: it is not one that we could choose.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST};

    fn images(media_type: &str) -> Vec<(Platform, Descriptor)> {
        ["linux/arm64", "linux/amd64"]
            .map(|platform| (platform.parse().unwrap(), Descriptor::of(media_type, platform.as_bytes())))
            .to_vec()
    }

    #[test]
    fn what_is_composed_is_read_back_in_order() {
        let images = images(OCI_MANIFEST);
        let notes = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let index = Index::compose(&images, &notes).unwrap();
        let read = Index::parse(&index.bytes).unwrap();
        let read: Vec<_> = read.into_iter().map(|line| (line.platform.unwrap(), line.descriptor)).collect();
        assert_eq!(read, images);
        assert_eq!(index.descriptor.media_type, OCI_INDEX);
    }

    #[test]
    fn images_of_dockers_make_a_manifest_list() {
        let index = Index::compose(&images(DOCKER_MANIFEST), &BTreeMap::new()).unwrap();
        assert_eq!(index.descriptor.media_type, DOCKER_LIST);
        assert_eq!(Index::parse(&index.bytes).unwrap().len(), 2);
    }

    #[test]
    fn one_platform_twice_is_refused() {
        let mut images = images(OCI_MANIFEST);
        images[1].0 = images[0].0.clone();
        assert_eq!(Index::compose(&images, &BTreeMap::new()), Err(SamePlatform(images[0].0.clone())));
    }
}
