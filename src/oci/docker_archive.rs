//! docker-archive: the tar that `docker load` and `podman load` read.
//!
//! Takes manifests by descriptor and reads their blobs through a [`BlobSource`]. Layers stand in it as plain tars,
//! decompressed on the way and held against their diff IDs; a layer of several images stands there once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use serde_json::json;

use crate::digest::{DiffId, Digest};
use crate::oci::archive::Archive;
use crate::oci::blob_source::{BlobSource, read_small, verified};
use crate::oci::canonical;
use crate::oci::decompress::decompress;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image::{Image, ImageError};
use crate::oci::manifest::Manifest;
use crate::reason::reason;

/// An image to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loadable {
    /// Its manifest, of one platform.
    pub manifest: Descriptor,
    /// Whole references, such as `registry.localhost/datakits/x:0.1.0`; empty: loaded by its ID only.
    pub tags: Vec<String>,
    /// How many of its lowest layers the reader has already: they are named and left out. Docker takes such an archive,
    /// podman, skopeo and containerd don't.
    pub known: usize,
}

/// An archive that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum DockerArchiveError {
    /// A blob is missing, corrupt, or has another diff ID than its config says.
    #[error("blob {digest} can't be copied: {}", reason(source))]
    Blob {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// The manifest is of no image, or of several.
    #[error("{digest} can't be loaded by Docker: {source}")]
    Image {
        /// The manifest.
        digest: Digest,
        /// Why.
        source: ImageError,
    },
    /// The archive can't be written.
    #[error("the archive can't be written: {}", reason(.0))]
    Write(#[from] io::Error),
}

/// Writes images as a docker-archive; the same images give the same bytes.
///
/// `sizes` holds uncompressed sizes in bytes. A tar's header wants the size first, so a layer whose size is not known
/// is decompressed twice.
pub fn write<W: Write>(
    out: W,
    images: &[Loadable],
    sizes: &BTreeMap<DiffId, u64>,
    source: &dyn BlobSource,
) -> Result<W, DockerArchiveError> {
    let read = images.iter().map(|image| Ok((image, read_image(&image.manifest, source)?)));
    let images = read.collect::<Result<Vec<(&Loadable, Image)>, DockerArchiveError>>()?;
    let mut archive = Archive::new(out);
    archive.bytes("manifest.json", &manifest_json(&images))?;
    let mut configs = BTreeSet::new();
    for (_, image) in images.iter().filter(|(_, image)| configs.insert(image.config_descriptor.digest)) {
        archive.bytes(&config_name(image), &image.config)?;
    }
    let mut written = BTreeSet::new();
    let needed = images.iter().flat_map(|(loadable, image)| image.layers.iter().skip(loadable.known));
    for layer in needed.filter(|layer| written.insert(layer.diff_id)) {
        let size = sizes.get(&layer.diff_id).copied();
        let digest = layer.descriptor.digest;
        add_layer(&mut archive, layer, size, source).map_err(|source| DockerArchiveError::Blob { digest, source })?;
    }
    Ok(archive.finish()?)
}

fn read_image(manifest: &Descriptor, source: &dyn BlobSource) -> Result<Image, DockerArchiveError> {
    let read = |blob: &Descriptor| {
        let Descriptor { digest, size, .. } = *blob;
        read_small(source, digest, size).map_err(|source| DockerArchiveError::Blob { digest, source })
    };
    let digest = manifest.digest;
    let bytes = read(manifest)?;
    let view = Manifest::parse(&bytes)
        .map_err(|source| DockerArchiveError::Image { digest, source: ImageError::Manifest(source) })?;
    Image::read(read(&view.config)?, bytes).map_err(|source| DockerArchiveError::Image { digest, source })
}

fn manifest_json(images: &[(&Loadable, Image)]) -> Vec<u8> {
    let one = |(loadable, image): &(&Loadable, Image)| {
        let layers: Vec<String> = image.layers.iter().map(layer_name).collect();
        json!({"Config": config_name(image), "RepoTags": loadable.tags, "Layers": layers})
    };
    canonical::to_bytes(&images.iter().map(one).collect())
}

fn config_name(image: &Image) -> String {
    format!("{}.json", image.config_descriptor.digest.hex())
}

fn layer_name(layer: &Layer) -> String {
    format!("{}.tar", layer.diff_id.0.hex())
}

fn add_layer<W: Write>(
    archive: &mut Archive<W>,
    layer: &Layer,
    size: Option<u64>,
    source: &dyn BlobSource,
) -> io::Result<()> {
    let open = || open_tar(layer, source);
    let size = match size {
        Some(size) => size,
        None => io::copy(&mut open()?, &mut io::sink())?,
    };
    archive.stream(&layer_name(layer), size, verified(open()?, layer.diff_id.0, size))
}

fn open_tar<'a>(layer: &Layer, source: &'a dyn BlobSource) -> io::Result<Box<dyn Read + 'a>> {
    let Descriptor { digest, size, .. } = layer.descriptor;
    Ok(decompress(source.open(&digest, size)?)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_source::MemoryBlobs;
    use crate::oci::image_spec::ImageSpec;
    use crate::oci::index::Index;
    use crate::oci::media_type::OCI_TAR_GZIP;
    use crate::oci::sample;

    fn loadable(image: &Image, tag: &str) -> Loadable {
        Loadable { manifest: image.manifest_descriptor.clone(), tags: vec![tag.to_owned()], known: 0 }
    }

    fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().display().to_string();
            assert!(members.insert(path, content).is_none());
        }
        members
    }

    #[test]
    fn layers_are_plain_tars_named_by_diff_id_and_shared_ones_stand_there_once() {
        let mut blobs = MemoryBlobs::default();
        let user = ImageSpec { user: Some("1".into()), ..ImageSpec::default() };
        let images = [ImageSpec::default(), user].map(|spec| sample::scratch(&mut blobs, &spec));
        let wanted = [loadable(&images[0], "r/a:1"), loadable(&images[1], "r/b:1")];
        let archive = write(Vec::new(), &wanted, &BTreeMap::new(), &blobs).unwrap();
        let members = members(&archive);
        assert_eq!(members.len(), 1 + 2 + 3);
        for layer in &images[0].layers {
            assert_eq!(Digest::of(&members[&layer_name(layer)]), layer.diff_id.0);
        }
        for image in &images {
            assert_eq!(members[&config_name(image)], image.config);
        }
        let listing: serde_json::Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
        assert_eq!(listing[1]["RepoTags"], json!(["r/b:1"]));
        assert_eq!(listing[1]["Config"], json!(config_name(&images[1])));
        assert_eq!(listing[0]["Layers"], json!(images[0].layers.iter().map(layer_name).collect::<Vec<_>>()));
    }

    #[test]
    fn layers_that_the_reader_has_are_named_and_left_out_unless_another_image_needs_them() {
        let mut blobs = MemoryBlobs::default();
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        let names = |known: &[usize]| {
            let loadable = |known| Loadable { known, ..loadable(&image, "r/a:1") };
            let wanted: Vec<Loadable> = known.iter().copied().map(loadable).collect();
            let archive = write(Vec::new(), &wanted, &BTreeMap::new(), &blobs).unwrap();
            let members = members(&archive);
            let listing: serde_json::Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
            assert_eq!(listing[0]["Layers"].as_array().unwrap().len(), 3);
            image.layers.iter().map(|layer| members.contains_key(&layer_name(layer))).collect::<Vec<_>>()
        };
        assert_eq!(names(&[2]), [false, false, true]);
        assert_eq!(names(&[2, 1]), [false, true, true]);
    }

    #[test]
    fn known_sizes_give_the_same_bytes_and_wrong_ones_are_refused() {
        let mut blobs = MemoryBlobs::default();
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        let wanted = [loadable(&image, "r/a:1")];
        let write = |sizes: &BTreeMap<DiffId, u64>| write(Vec::new(), &wanted, sizes, &blobs);
        let measured = write(&BTreeMap::new()).unwrap();
        let lengths = members(&measured);
        let size = |layer: &Layer| (layer.diff_id, lengths[&layer_name(layer)].len() as u64);
        let mut sizes: BTreeMap<DiffId, u64> = image.layers.iter().map(size).collect();
        assert!(write(&sizes).unwrap() == measured);
        for change in [-512, 512] {
            let id = image.layers[1].diff_id;
            let wrong = sizes.insert(id, sizes[&id].strict_add_signed(change));
            assert!(matches!(write(&sizes), Err(DockerArchiveError::Blob { .. })), "{change}");
            sizes.extend(wrong.map(|size| (id, size)));
        }
    }

    #[test]
    fn a_layer_with_another_diff_id_is_refused() {
        let mut blobs = MemoryBlobs::default();
        let mut layer = sample::layer(&mut blobs, OCI_TAR_GZIP, "etc/one", "first");
        layer.layer.diff_id = DiffId(Digest::of(b"another"));
        let image = sample::image(&mut blobs, None, &ImageSpec::default(), &[layer]);
        let error = write(Vec::new(), &[loadable(&image, "r/a:1")], &BTreeMap::new(), &blobs).unwrap_err();
        assert!(error.to_string().contains("corrupt"), "{error}");
    }

    #[test]
    fn an_index_is_refused() {
        let mut blobs = MemoryBlobs::default();
        let index = Index::compose(&[], &BTreeMap::new()).unwrap();
        blobs.add(index.bytes);
        let wanted = [Loadable { manifest: index.descriptor, tags: Vec::new(), known: 0 }];
        let error = write(Vec::new(), &wanted, &BTreeMap::new(), &blobs).unwrap_err();
        assert!(error.to_string().contains("an index of several images"), "{error}");
    }

    #[test]
    fn skopeo_reads_the_archive() {
        if !sample::has("skopeo") {
            return;
        }
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        let archive = write(Vec::new(), &[loadable(&image, "r.example/a:1")], &BTreeMap::new(), &blobs).unwrap();
        let file = dir.path().join("archive.tar");
        std::fs::write(&file, archive).unwrap();
        let from = format!("docker-archive:{}", file.display());
        let inspected: serde_json::Value = serde_json::from_str(&sample::run("skopeo", &["inspect", &from])).unwrap();
        assert_eq!(inspected["Layers"].as_array().unwrap().len(), 3);
        let config = sample::run("skopeo", &["inspect", "--config", "--raw", &from]);
        assert_eq!(config.into_bytes(), image.config);
        let to = format!("oci:{}:x", dir.path().join("layout").display());
        sample::run("skopeo", &["copy", "--insecure-policy", &from, &to]);
    }
}
