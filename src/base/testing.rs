//! A registry in memory, and images for it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::base::fetch::Origin;
use crate::base::remote::{Document, Remote, RemoteBlob, RemoteError};
use crate::digest::Digest;
use crate::oci::blob_source::{BlobSource, MemoryBlobs};
use crate::oci::image_spec::ImageSpec;
use crate::oci::media_type::OCI_TAR_GZIP;
use crate::oci::sample;
use crate::reference::Reference;
use crate::store::{OpenMode, Store};

/// Manifest and config of a small image, changed by `edit`; the manifest names the changed config.
pub fn edited(edit: impl FnOnce(&mut Value, &mut Value)) -> (Vec<u8>, Vec<u8>) {
    edited_in(&mut MemoryBlobs::default(), edit)
}

fn edited_in(blobs: &mut MemoryBlobs, edit: impl FnOnce(&mut Value, &mut Value)) -> (Vec<u8>, Vec<u8>) {
    let layer = sample::layer(blobs, OCI_TAR_GZIP, "etc/base", "base");
    let image = sample::image(blobs, None, &ImageSpec::default(), &[layer]);
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    let mut config: Value = serde_json::from_slice(&image.config).unwrap();
    edit(&mut manifest, &mut config);
    let config = config.to_string().into_bytes();
    manifest["config"]["digest"] = json!(Digest::of(&config));
    manifest["config"]["size"] = config.len().into();
    (manifest.to_string().into_bytes(), config)
}

/// A store in a temporary folder, gone with the second value.
pub fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(folder.path(), OpenMode { wait: false }).unwrap(), folder)
}

/// Where an image of [`Memory`] lies.
pub fn origin(manifest: Digest) -> Origin {
    let reference: Reference = "registry.example/base".parse().unwrap();
    Origin { repository: reference.repository().unwrap(), manifest }
}

/// A registry in memory: one repository for all. Counts what is asked of it.
#[derive(Default)]
pub struct Memory {
    /// What tags name.
    pub tags: BTreeMap<String, Digest>,
    /// Manifests, indexes and blobs.
    pub blobs: MemoryBlobs,
    /// What was asked, such as `document 12`, `blob sha256:…`.
    pub asked: Mutex<Vec<String>>,
}

impl Memory {
    /// Adds the small image, changed; gives its manifest's digest.
    pub fn image(&mut self, edit: impl FnOnce(&mut Value, &mut Value)) -> Digest {
        let (manifest, config) = edited_in(&mut self.blobs, edit);
        self.blobs.add(config);
        self.blobs.add(manifest)
    }

    /// What was asked since the last call.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }

    fn missing(what: impl std::fmt::Display) -> RemoteError {
        RemoteError { message: format!("{what} is not there"), mistake: false }
    }

    fn read(&self, digest: &Digest) -> Result<Vec<u8>, RemoteError> {
        let mut bytes = Vec::new();
        let mut blob = self.blobs.open(digest, 0).map_err(|_| Memory::missing(digest))?;
        blob.read_to_end(&mut bytes).unwrap();
        Ok(bytes)
    }
}

impl Remote for Memory {
    fn document(&self, image: &Reference) -> Result<Document, RemoteError> {
        let tag = image.tag.as_ref().map_or("latest".to_owned(), ToString::to_string);
        self.note(format!("document {}", image.digest.map_or(tag.clone(), |digest| digest.to_string())));
        let digest = image.digest.or_else(|| self.tags.get(&tag).copied()).ok_or_else(|| Memory::missing(image))?;
        Ok(Document { digest, bytes: self.read(&digest)? })
    }

    fn tag(&self, image: &Reference) -> Result<Option<Digest>, RemoteError> {
        let tag = image.tag.as_ref().map_or("latest".to_owned(), ToString::to_string);
        self.note(format!("tag {tag}"));
        Ok(self.tags.get(&tag).copied())
    }

    fn open<'a>(&'a self, blob: &RemoteBlob) -> Result<Box<dyn Read + Send + 'a>, RemoteError> {
        self.note(format!("blob {}", blob.digest));
        Ok(Box::new(Cursor::new(self.read(&blob.digest)?)))
    }
}
