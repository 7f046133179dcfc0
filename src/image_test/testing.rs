//! Images for tests: layers of entries with contents, some of them files of the host.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::{Contents, Finding, LayerSize, Root, Subject, judge};
use crate::action::Expected;
use crate::layer_path::LayerPath;
use crate::oci::layer_files::Part;
use crate::oci::listing::{Listed, Listing};
use crate::oci::manifest::Config;
use crate::oci::tree::Kind;

/// An image.
#[derive(Default)]
pub struct Image {
    labels: Vec<String>,
    listings: Vec<Listing>,
    files: Files,
    pub run: serde_json::Map<String, serde_json::Value>,
}

/// The contents of its files, a layer each.
#[derive(Default)]
pub struct Files(Vec<BTreeMap<LayerPath, Part>>);

/// A layer that is being made.
#[derive(Default)]
pub struct Layer {
    entries: BTreeMap<LayerPath, Listed>,
    files: BTreeMap<LayerPath, Part>,
}

impl Contents for Files {
    type Error = String;

    fn open(&self, layer: usize, path: &LayerPath) -> Result<Part, String> {
        self.0[layer].get(path).cloned().ok_or_else(|| format!("{path} is not in layer {layer}"))
    }

    fn unreadable(&self, path: &LayerPath, error: io::Error) -> String {
        format!("{path}: {error}")
    }
}

impl Image {
    /// With one more layer.
    pub fn layer(mut self, label: &str, make: impl FnOnce(&mut Layer)) -> Image {
        let mut layer = Layer::default();
        make(&mut layer);
        self.labels.push(label.to_owned());
        self.listings.push(Listing::of_entries(layer.entries.into_values()));
        self.files.0.push(layer.files);
        self
    }

    /// With this in its config.
    pub fn says(mut self, key: &str, value: serde_json::Value) -> Image {
        self.run.insert(key.to_owned(), value);
        self
    }

    /// Does something with its file system.
    pub fn rooted<T>(&self, work: impl FnOnce(&Root<'_, Files>) -> T) -> T {
        let listings: Vec<&Listing> = self.listings.iter().collect();
        work(&Root::new(&listings, &self.labels, &self.files))
    }

    /// What is not as expected, a line each.
    pub fn judged(&self, expected: Expected) -> Vec<String> {
        self.findings(expected).iter().map(|finding| format!("{}: {finding}", finding.attribute)).collect()
    }

    fn findings(&self, expected: Expected) -> Vec<Finding> {
        let config = serde_json::json!({
            "os": "linux", "architecture": architecture(), "config": self.run, "rootfs": { "diff_ids": [] }
        });
        let config = Config::parse(config.to_string().as_bytes()).unwrap();
        let listings: Vec<&Listing> = self.listings.iter().collect();
        let size = |(label, listing): (&String, &Listing)| {
            let unpacked = listing.entries().iter().map(|entry| entry.size).sum::<u64>();
            LayerSize { label: label.clone(), compressed: unpacked / 2, unpacked }
        };
        let sizes: Vec<LayerSize> = self.labels.iter().zip(&self.listings).map(size).collect();
        let root = Root::new(&listings, &self.labels, &self.files);
        judge(&expected, &Subject { config: &config, sizes: &sizes, root }).unwrap()
    }
}

/// The host's, as images name it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Layer {
    /// A file with a text.
    pub fn text(&mut self, path: &str, mode: u32, text: &str) -> &mut Layer {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self.file(path, mode, file)
    }

    /// A file of the host.
    pub fn host(&mut self, path: &str, source: &Path) -> &mut Layer {
        self.file(path, 0o755, File::open(source).unwrap())
    }

    fn file(&mut self, path: &str, mode: u32, file: File) -> &mut Layer {
        let size = file.metadata().unwrap().len();
        self.files.insert(LayerPath::new(path).unwrap(), Part::new(Arc::new(file), 0, size));
        self.entry(path, Kind::File, mode, size, "")
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Layer {
        self.entry(path, Kind::Symlink, 0o777, 0, target)
    }

    /// A directory.
    pub fn directory(&mut self, path: &str, mode: u32) -> &mut Layer {
        self.entry(path, Kind::Directory, mode, 0, "")
    }

    fn entry(&mut self, path: &str, kind: Kind, mode: u32, size: u64, target: &str) -> &mut Layer {
        let path = LayerPath::new(path).unwrap();
        let mut above = path.parent();
        while let Some(parent) = above.filter(|parent| !parent.is_root()) {
            above = parent.parent();
            self.entries.entry(parent.clone()).or_insert(listed(parent, Kind::Directory, 0o755, 0, ""));
        }
        self.entries.insert(path.clone(), listed(path, kind, mode, size, target));
        self
    }
}

fn listed(path: LayerPath, kind: Kind, mode: u32, size: u64, target: &str) -> Listed {
    Listed { path, kind, mode, uid: 0, gid: 0, size, target: target.as_bytes().to_vec(), implied: false }
}
