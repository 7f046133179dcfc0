//! Checks images and layouts of ours: every digest, size, diff ID and media type is computed again.
//!
//! Takes bytes and a source of blobs; gives *all* that is wrong, as data. Trusts nothing that the writers say: manifests,
//! configs and indexes are read by oci-spec too, which isn't ours. What other tools write may be sound and yet have
//! findings: we also ask for canonical JSON.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};
use serde::de::DeserializeOwned;

use crate::digest::{Digest, Hasher};
use crate::oci::blob_source::{BlobSource, LayoutBlobs};
use crate::oci::canonical;
use crate::oci::decompress::{Format, decompress};
use crate::oci::descriptor::Descriptor;
use crate::oci::index::{Index, IndexEntry};
use crate::oci::manifest::{Config, Manifest, is_index};
use crate::oci::media_type::{Family, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use crate::platform::Platform;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is wrong with, such as `layer 2 of sha256:…`, layers being counted from 1.
    pub subject: String,
    /// Which check failed.
    pub check: Check,
    /// What is said.
    pub claimed: String,
    /// What is so.
    pub computed: String,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is there and can be read, to the end where it is compressed.
    Readable,
    /// It is what it should be: JSON of the right shape.
    Structure,
    /// Digest of the bytes as stored.
    Digest,
    /// Bytes as stored.
    Size,
    /// Digest of the layer's tar.
    DiffId,
    /// The type is of the manifest's family and fits the bytes.
    MediaType,
    /// The config has a diff ID for each layer.
    LayerCount,
    /// The history tells of each layer, or is absent.
    HistoryCount,
    /// JSON is written as we write it.
    Canonical,
    /// The platform is one, and an index says the same as the config.
    Platform,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = match self.check {
            Check::Readable => "content",
            Check::Structure => "structure",
            Check::Digest => "digest",
            Check::Size => "size",
            Check::DiffId => "diff ID",
            Check::MediaType => "media type",
            Check::LayerCount => "number of layers",
            Check::HistoryCount => "layers in the history",
            Check::Canonical => "canonical JSON",
            Check::Platform => "platform",
        };
        write!(f, "{}: {check}: claimed {}, computed {}", self.subject, self.claimed, self.computed)
    }
}

/// All that is wrong with a layout directory: with what its `index.json` leads to. Empty: it is sound.
pub fn validate_layout(dir: &Path) -> Vec<Finding> {
    let mut findings = Findings::default();
    let source = LayoutBlobs(dir.to_owned());
    let version = read_json(&dir.join("oci-layout")).map(|json| json["imageLayoutVersion"].to_string());
    let version = version.unwrap_or_else(|error| error.to_string());
    findings.compare("oci-layout", Check::Structure, "\"1.0.0\"", version);
    match fs::read(dir.join("index.json")) {
        Ok(bytes) => findings.index("index.json", &bytes, &source),
        Err(error) => findings.add("index.json", Check::Readable, "a file", error),
    }
    findings.0
}

fn read_json(path: &Path) -> io::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// All that is wrong with an image and its blobs. Empty: it is sound.
pub fn validate_image(manifest: &[u8], source: &dyn BlobSource) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.image(&Digest::of(manifest).to_string(), manifest, source);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, subject: &str, check: Check, claimed: impl fmt::Display, computed: impl fmt::Display) {
        let (claimed, computed) = (claimed.to_string(), computed.to_string());
        self.0.push(Finding { subject: subject.to_owned(), check, claimed, computed });
    }

    fn compare(&mut self, subject: &str, check: Check, claimed: impl fmt::Display, computed: impl fmt::Display) {
        let (claimed, computed) = (claimed.to_string(), computed.to_string());
        if claimed != computed {
            self.add(subject, check, claimed, computed);
        }
    }

    fn index(&mut self, subject: &str, bytes: &[u8], source: &dyn BlobSource) {
        self.canonical(subject, bytes);
        match Index::parse(bytes) {
            Ok(lines) => {
                self.second_reader::<ImageIndex>(subject, bytes);
                lines.iter().for_each(|line| self.line(line, source));
            }
            Err(error) => self.add(subject, Check::Structure, "an index", error),
        }
    }

    /// What an index points at: an image, or an index within.
    fn line(&mut self, line: &IndexEntry, source: &dyn BlobSource) {
        let subject = line.descriptor.digest.to_string();
        let Some(bytes) = self.small_blob(&subject, &line.descriptor, source) else { return };
        if is_index(&bytes).unwrap_or(false) {
            self.names(&subject, &line.descriptor.media_type, OCI_INDEX);
            return self.index(&subject, &bytes, source);
        }
        self.names(&subject, &line.descriptor.media_type, OCI_MANIFEST);
        let platform = self.image(&subject, &bytes, source);
        if let (Some(claimed), Some(computed)) = (&line.platform, platform) {
            self.compare(&subject, Check::Platform, claimed, computed);
        }
    }

    /// Checks all of an image; gives its config's platform where there is one.
    fn image(&mut self, subject: &str, bytes: &[u8], source: &dyn BlobSource) -> Option<Platform> {
        self.canonical(subject, bytes);
        let manifest = match Manifest::parse(bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.add(subject, Check::Structure, "a manifest", error);
                return None;
            }
        };
        self.second_reader::<ImageManifest>(subject, bytes);
        self.media_types(subject, &manifest);
        let config = self.config(&format!("config of {subject}"), &manifest, source);
        for (position, layer) in manifest.layers.iter().enumerate() {
            let diff_id = config.as_ref().and_then(|config| config.rootfs.diff_ids.get(position)).map(|id| id.0);
            self.layer(&format!("layer {} of {subject}", position + 1), layer, diff_id, source);
        }
        config.map(|config| config.platform)
    }

    /// Every name in a manifest is of its family; a type that nobody here knows is left to others.
    fn media_types(&mut self, subject: &str, manifest: &Manifest) {
        let of_manifest = manifest.media_type.as_deref().unwrap_or(OCI_MANIFEST);
        let family = Family::of(of_manifest);
        self.names(subject, of_manifest, OCI_MANIFEST);
        self.names(&format!("config of {subject}"), &manifest.config.media_type, OCI_CONFIG);
        for Descriptor { media_type, digest, .. } in manifest.layers.iter().chain([&manifest.config]) {
            let expected = family.name_of(media_type).unwrap_or(media_type);
            self.compare(&format!("{digest} in {subject}"), Check::MediaType, media_type, expected);
        }
    }

    /// A media type is the one that is expected, under the name that its own family has for it.
    fn names(&mut self, subject: &str, media_type: &str, expected: &'static str) {
        let expected = Family::of(media_type).name_of(expected).unwrap_or(expected);
        self.compare(subject, Check::MediaType, media_type, expected);
    }

    fn config(&mut self, subject: &str, manifest: &Manifest, source: &dyn BlobSource) -> Option<Config> {
        let bytes = self.small_blob(subject, &manifest.config, source)?;
        self.canonical(subject, &bytes);
        let config = match Config::parse(&bytes) {
            Ok(config) => config,
            Err(error) => {
                self.add(subject, Check::Structure, "a config", error);
                return None;
            }
        };
        self.second_reader::<ImageConfiguration>(subject, &bytes);
        let layers = manifest.layers.len();
        self.compare(subject, Check::LayerCount, config.rootfs.diff_ids.len(), layers);
        self.compare(subject, Check::HistoryCount, config.layers_in_history().unwrap_or(layers), layers);
        let platform = config.platform.to_string();
        if let Err(error) = platform.parse::<Platform>() {
            self.add(subject, Check::Platform, platform, error);
        }
        Some(config)
    }

    fn layer(&mut self, subject: &str, layer: &Descriptor, diff_id: Option<Digest>, source: &dyn BlobSource) {
        let measured = match measure(layer, source) {
            Ok(measured) => measured,
            Err(error) => return self.add(subject, Check::Readable, "a layer", error),
        };
        self.compare(subject, Check::Digest, layer.digest, measured.digest);
        self.compare(subject, Check::Size, layer.size, measured.size);
        let claimed = Format::of_media_type(&layer.media_type);
        if claimed.is_none_or(|claimed| claimed != measured.format) {
            self.add(subject, Check::MediaType, &layer.media_type, format!("{:?}", measured.format));
        }
        match (measured.tar, diff_id) {
            (Err(error), _) => self.add(subject, Check::Readable, "a layer", error),
            (Ok(computed), Some(claimed)) => self.compare(subject, Check::DiffId, claimed, computed),
            (Ok(_), None) => {} // the number of layers was found wrong, or the config
        }
    }

    /// A manifest or config, whatever its digest and size turn out to be.
    fn small_blob(&mut self, subject: &str, blob: &Descriptor, source: &dyn BlobSource) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = source.open(&blob.digest, blob.size).and_then(|mut blob| blob.read_to_end(&mut bytes));
        if let Err(error) = read {
            self.add(subject, Check::Readable, "a blob", error);
            return None;
        }
        self.compare(subject, Check::Digest, blob.digest, Digest::of(&bytes));
        self.compare(subject, Check::Size, blob.size, bytes.len());
        Some(bytes)
    }

    /// What our own reader takes, oci-spec takes too: a mistake that our reader and writer share would show here.
    fn second_reader<T: DeserializeOwned>(&mut self, subject: &str, bytes: &[u8]) {
        if let Err(error) = serde_json::from_slice::<T>(bytes) {
            self.add(subject, Check::Structure, "what oci-spec reads", error);
        }
    }

    /// Silent where the bytes are no JSON: that is another finding.
    fn canonical(&mut self, subject: &str, bytes: &[u8]) {
        let Ok(value) = serde_json::from_slice(bytes) else { return };
        let rewritten = canonical::to_bytes(&value);
        if rewritten != bytes {
            self.add(subject, Check::Canonical, Digest::of(bytes), Digest::of(&rewritten));
        }
    }
}

/// What a layer's blob really is.
struct Measured {
    format: Format,
    digest: Digest,
    size: u64,
    /// Digest of the tar, or why it can't be decompressed.
    tar: io::Result<Digest>,
}

fn measure(layer: &Descriptor, source: &dyn BlobSource) -> io::Result<Measured> {
    let mut blob = Counted { reader: source.open(&layer.digest, layer.size)?, hasher: Hasher::new(), size: 0 };
    let (format, mut tar) = decompress(&mut blob)?;
    let mut diff_id = Hasher::new();
    let copied = io::copy(&mut tar, &mut diff_id);
    drop(tar);
    io::copy(&mut blob, &mut io::sink())?; // what a failed decoder left
    Ok(Measured { format, digest: blob.hasher.finish(), size: blob.size, tar: copied.map(|_| diff_id.finish()) })
}

/// Hashes and counts what is read through it.
struct Counted<R> {
    reader: R,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::oci::blob_source::MemoryBlobs;
    use crate::oci::descriptor::Layer;
    use crate::oci::image::{Image, NewLayer};
    use crate::oci::image_spec::ImageSpec;
    use crate::oci::media_type::{DOCKER_TAR_GZIP, OCI_TAR, OCI_TAR_ZSTD};
    use crate::oci::sample;

    fn checks(findings: &[Finding]) -> Vec<Check> {
        findings.iter().map(|finding| finding.check).collect()
    }

    /// A manifest changed as text, with the blobs of the sound one.
    fn after(change: impl Fn(&mut serde_json::Value, &mut serde_json::Value)) -> Vec<Finding> {
        let mut blobs = MemoryBlobs::default();
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        let mut manifest = serde_json::from_slice(&image.manifest).unwrap();
        let mut config = serde_json::from_slice(&image.config).unwrap();
        change(&mut manifest, &mut config);
        let config = canonical::to_bytes(&config);
        if config != image.config {
            manifest["config"] = Descriptor::of(OCI_CONFIG, &config).to_json();
            blobs.add(config);
        }
        validate_image(&canonical::to_bytes(&manifest), &blobs)
    }

    #[test]
    fn a_sound_image_has_no_findings() {
        assert_eq!(after(|_, _| {}), []);
    }

    #[test]
    fn each_wrong_claim_is_found() {
        type Change = fn(&mut serde_json::Value, &mut serde_json::Value);
        let wrong: &[(Change, &[Check])] = &[
            (|manifest, _| manifest["layers"][0]["size"] = 1.into(), &[Check::Size]),
            (|manifest, _| manifest["config"]["size"] = 1.into(), &[Check::Size]),
            (|manifest, _| manifest["layers"][0]["mediaType"] = OCI_TAR_ZSTD.into(), &[Check::MediaType]),
            (|manifest, _| manifest["layers"][0]["mediaType"] = DOCKER_TAR_GZIP.into(), &[Check::MediaType]),
            (|manifest, _| manifest["mediaType"] = OCI_CONFIG.into(), &[Check::MediaType]),
            (|manifest, _| manifest["layers"][0]["digest"] = Digest::of(b"").to_string().into(), &[Check::Readable]),
            (|_, config| config["rootfs"]["diff_ids"][1] = Digest::of(b"").to_string().into(), &[Check::DiffId]),
            (|_, config| config["rootfs"]["diff_ids"] = serde_json::json!([]), &[Check::LayerCount]),
            (|_, config| config["history"][0]["empty_layer"] = true.into(), &[Check::HistoryCount]),
            (|_, config| config["architecture"] = "pdp11".into(), &[Check::Platform]),
            (|_, config| config["rootfs"] = 1.into(), &[Check::Structure]),
            // What our own reader never looks at.
            (|_, config| config["author"] = 1.into(), &[Check::Structure]),
            (|manifest, _| manifest["schemaVersion"] = "2".into(), &[Check::Structure]),
        ];
        for (position, (change, expected)) in wrong.iter().enumerate() {
            assert_eq!(checks(&after(change)), *expected, "change {position}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_with_claim_and_truth() {
        let findings = after(|manifest, config| {
            manifest["layers"][2]["size"] = 1.into();
            config["history"] = serde_json::json!([{}]);
            config["rootfs"]["diff_ids"][0] = Digest::of(b"").to_string().into();
        });
        assert_eq!(checks(&findings), [Check::HistoryCount, Check::DiffId, Check::Size]);
        assert!(findings[0].to_string().ends_with("layers in the history: claimed 1, computed 3"), "{}", findings[0]);
        assert!(findings[2].subject.starts_with("layer 3 of sha256:"));
    }

    #[test]
    fn a_truncated_layer_and_one_with_more_behind_are_found_with_the_digest_of_the_whole_blob() {
        let mut blob = sample::gzip(&sample::tar("a", "b"));
        blob.truncate(blob.len() - 1);
        let mut longer = sample::gzip(&sample::tar("a", "b"));
        longer.write_all(&[7; 300_000]).unwrap();
        for blob in [blob, longer] {
            let mut blobs = MemoryBlobs::default();
            let descriptor = Descriptor::of(crate::oci::media_type::OCI_TAR_GZIP, &blob);
            blobs.add(blob);
            let layer = Layer { descriptor, diff_id: crate::digest::DiffId(Digest::of(b"")) };
            let image = sample::image(&mut blobs, None, &ImageSpec::default(), &[NewLayer { layer, created_by: None }]);
            assert_eq!(checks(&validate_image(&image.manifest, &blobs)), [Check::Readable]);
        }
    }

    #[test]
    fn json_that_is_not_ours_is_found() {
        let mut blobs = MemoryBlobs::default();
        let image = sample::scratch(&mut blobs, &ImageSpec::default());
        let spaced = [b" ", image.manifest.as_slice()].concat();
        assert_eq!(checks(&validate_image(&spaced, &blobs)), [Check::Canonical]);
        assert_eq!(checks(&validate_image(b"{", &blobs)), [Check::Structure]);
    }

    /// A layout written by hand, whose index claims a platform.
    fn layout(dir: &Path, image: &Image, blobs: &MemoryBlobs, platform: &str) {
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = Index::compose(&[(platform.parse().unwrap(), image.manifest_descriptor.clone())], &[].into());
        fs::write(dir.join("index.json"), index.unwrap().bytes).unwrap();
        let parts = image.layers.iter().map(|layer| &layer.descriptor);
        for part in parts.chain([&image.manifest_descriptor, &image.config_descriptor]) {
            let mut file = fs::File::create(dir.join("blobs/sha256").join(part.digest.hex())).unwrap();
            io::copy(&mut blobs.open(&part.digest, part.size).unwrap(), &mut file).unwrap();
        }
    }

    #[test]
    fn a_layouts_damage_is_found() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let one = sample::layer(&mut blobs, OCI_TAR, "a", "b");
        let image = sample::image(&mut blobs, None, &ImageSpec::default(), &[one]);
        layout(dir.path(), &image, &blobs, "linux/amd64");
        assert_eq!(validate_layout(dir.path()), []);
        layout(dir.path(), &image, &blobs, "linux/arm64");
        assert_eq!(checks(&validate_layout(dir.path())), [Check::Platform]);

        layout(dir.path(), &image, &blobs, "linux/amd64");
        let layer = dir.path().join("blobs/sha256").join(image.layers[0].descriptor.digest.hex());
        fs::write(&layer, sample::tar("a", "c")).unwrap();
        assert_eq!(checks(&validate_layout(dir.path())), [Check::Digest, Check::DiffId]);
        fs::remove_file(dir.path().join("oci-layout")).unwrap();
        fs::remove_file(dir.path().join("index.json")).unwrap();
        assert_eq!(checks(&validate_layout(dir.path())), [Check::Structure, Check::Readable]);
    }
}
