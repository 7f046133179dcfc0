//! Manifest and config of one image by digest: from the store, else from its registry, and kept.
//!
//! A few kilobytes; layers are left where they are.

use crate::base::error::BaseError;
use crate::base::remote::{Remote, RemoteBlob, RemoteError};
use crate::base::usable::{CONFIG_LIMIT, Unusable, check, unreadable};
use crate::digest::Digest;
use crate::oci::descriptor::Descriptor;
use crate::oci::image::Image;
use crate::oci::manifest::Manifest;
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::store::{Store, StoreError};

/// Where an image lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The repository.
    pub repository: Repository,
    /// The digest of its manifest, of one platform.
    pub manifest: Digest,
}

impl Origin {
    /// `host/path@digest`.
    pub fn reference(&self) -> Reference {
        let Repository { registry, path } = self.repository.clone();
        Reference { registry: Some(registry), path, tag: None, digest: Some(self.manifest) }
    }
}

/// What images are read with.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// What the store lacks comes from here.
    pub remote: &'a dyn Remote,
    /// What is read is kept here.
    pub store: &'a Store,
}

impl Reader<'_> {
    /// An image that can be a base for the platform; its manifest and config are in the store then.
    pub fn image(&self, origin: &Origin, platform: &Platform) -> Result<Image, BaseError> {
        let manifest = self.manifest(origin)?;
        let unusable = |why| BaseError::Unusable { image: origin.reference().to_string(), why: Box::new(why) };
        let config = match Manifest::parse(&manifest) {
            Ok(view) if view.config.size > CONFIG_LIMIT => return Err(unusable(Unusable::Config(view.config.size))),
            Ok(view) => self.config(origin, &view.config)?,
            Err(error) => return Err(unusable(unreadable(error))),
        };
        check(manifest, config, platform).map_err(unusable)
    }

    fn manifest(&self, origin: &Origin) -> Result<Vec<u8>, BaseError> {
        if let Some(bytes) = self.kept(&origin.manifest)? {
            return Ok(bytes);
        }
        let document = self.remote.document(&origin.reference())?;
        self.store.blobs().put_bytes(&document.bytes)?;
        Ok(document.bytes)
    }

    fn config(&self, origin: &Origin, config: &Descriptor) -> Result<Vec<u8>, BaseError> {
        if let Some(bytes) = self.kept(&config.digest)? {
            return Ok(bytes);
        }
        let mut bytes = Vec::new();
        let read = self.remote.open(&RemoteBlob::of(&origin.repository, config))?.read_to_end(&mut bytes);
        read.map_err(|error| RemoteError { message: error.to_string(), mistake: false })?;
        self.store.blobs().put_bytes(&bytes)?;
        Ok(bytes)
    }

    /// A small blob of the store; `None` where it is missing. A damaged one is removed.
    pub fn kept(&self, digest: &Digest) -> Result<Option<Vec<u8>>, BaseError> {
        let blobs = self.store.blobs();
        let Ok(stat) = std::fs::metadata(blobs.path(digest)) else { return Ok(None) };
        match blobs.read_verified(digest, stat.len()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(StoreError::Corrupt { .. }) => {
                blobs.remove_corrupt(digest)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::{self, Memory};

    #[test]
    fn a_damaged_config_is_read_from_its_registry_once_more() {
        let mut memory = Memory::default();
        let manifest = memory.image(|_, _| {});
        let (store, _folder) = testing::store();
        let reader = Reader { remote: &memory, store: &store };
        let image = reader.image(&testing::origin(manifest), &Platform::default()).unwrap();
        let config = store.blobs().path(&image.config_descriptor.digest);
        std::fs::remove_file(&config).unwrap();
        std::fs::write(&config, vec![b'x'; image.config.len()]).unwrap();
        memory.take_asked();
        assert_eq!(reader.image(&testing::origin(manifest), &Platform::default()).unwrap(), image);
        assert_eq!(memory.take_asked(), [format!("blob {}", image.config_descriptor.digest)]);
    }

    #[test]
    fn a_config_of_absurd_size_is_not_even_asked_for() {
        let mut memory = Memory::default();
        let (manifest, _) = testing::edited(|_, _| {});
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        manifest["config"]["size"] = (1u64 << 40).into();
        let digest = memory.blobs.add(manifest.to_string().into_bytes());
        let (store, _folder) = testing::store();
        let reader = Reader { remote: &memory, store: &store };
        let error = reader.image(&testing::origin(digest), &Platform::default()).unwrap_err();
        assert!(error.to_string().contains("bytes, more than 16777216"), "{error}");
        assert_eq!(memory.take_asked().len(), 1);
    }
}
