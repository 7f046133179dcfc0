//! What a base holds: its layers streamed once, laid over each other, and kept as a listing in the store.
//!
//! Layers that the store has are read from there; no layer is kept. Memory holds paths, not contents.

use crate::base::error::BaseError;
use crate::base::fetch::{Origin, Reader};
use crate::base::remote::RemoteBlob;
use crate::digest::Digest;
use crate::oci::descriptor::Layer;
use crate::oci::image::Image;
use crate::oci::layer_listing::{flatten, list_layer};
use crate::oci::listing::Listing;
use crate::store::{Presence, StoreError};

impl Reader<'_> {
    /// The listing of an image, made of its layers and kept in the store; with its digest.
    pub fn list(&self, origin: &Origin, image: &Image) -> Result<(Listing, Digest), BaseError> {
        let layers = image.layers.iter().map(|layer| self.list_layer(origin, layer)).collect::<Result<Vec<_>, _>>()?;
        let listing = flatten(&layers);
        let digest = self.store.blobs().put_bytes(listing.to_text().as_bytes())?;
        Ok((listing, digest))
    }

    /// The listing that was locked: from the store, else made once more and held against its digest.
    pub fn listing(&self, origin: &Origin, image: &Image, expected: Digest) -> Result<Listing, BaseError> {
        let kept = self.kept(&expected)?.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(listing) = kept.and_then(|text| Listing::parse(&text).ok()) {
            return Ok(listing);
        }
        match self.list(origin, image)? {
            (listing, found) if found == expected => Ok(listing),
            (_, found) => Err(BaseError::OtherListing { image: origin.reference().to_string(), found, expected }),
        }
    }

    fn list_layer(&self, origin: &Origin, layer: &Layer) -> Result<Listing, BaseError> {
        let unusable = |why| {
            let (layer, image) = (layer.descriptor.digest, origin.reference().to_string());
            BaseError::Layer { layer, image, why: Box::new(why) }
        };
        let folder = self.store.path().join("tmp");
        let spool = tempfile::tempfile_in(&folder).map_err(|error| StoreError::io("create", &folder, error))?;
        let blobs = self.store.blobs();
        let (digest, size) = (layer.descriptor.digest, layer.descriptor.size);
        if blobs.contains(&digest, size)? == Presence::Present {
            let read = list_layer(blobs.open_verified(&digest, size)?, layer.diff_id, spool);
            return read.map_err(unusable);
        }
        let blob = self.remote.open(&RemoteBlob::of(&origin.repository, &layer.descriptor))?;
        list_layer(blob, layer.diff_id, spool).map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::{self, Memory};
    use crate::platform::Platform;

    #[test]
    fn layers_are_streamed_once_and_the_listing_is_kept() {
        let mut memory = Memory::default();
        let manifest = memory.image(|_, _| {});
        let (store, _folder) = testing::store();
        let reader = Reader { remote: &memory, store: &store };
        let origin = testing::origin(manifest);
        let image = reader.image(&origin, &Platform::default()).unwrap();
        let (listing, digest) = reader.list(&origin, &image).unwrap();
        assert_eq!(listing.to_text(), "listing 1\nd* 755 0 0 0 etc\nf 644 0 0 4 etc/base\n");
        let asked = memory.take_asked().len();
        assert_eq!(asked, 3, "a manifest, a config and a layer");
        assert_eq!(reader.listing(&origin, &image, digest).unwrap(), listing);
        assert_eq!(reader.image(&origin, &Platform::default()).unwrap(), image);
        assert_eq!(memory.take_asked(), [""; 0]);
        std::fs::remove_file(store.blobs().path(&digest)).unwrap();
        assert_eq!(reader.listing(&origin, &image, digest).unwrap(), listing);
        assert_eq!(memory.take_asked().len(), 1);
        let other = reader.listing(&origin, &image, Digest::of(b"other"));
        assert!(matches!(other, Err(BaseError::OtherListing { .. })));
    }

    #[test]
    fn a_layer_that_the_config_does_not_tell_of_is_refused() {
        let mut memory = Memory::default();
        let manifest = memory.image(|_, config| {
            config["rootfs"]["diff_ids"][0] = serde_json::json!(Digest::of(b"else"));
        });
        let (store, _folder) = testing::store();
        let reader = Reader { remote: &memory, store: &store };
        let origin = testing::origin(manifest);
        let image = reader.image(&origin, &Platform::default()).unwrap();
        let error = reader.list(&origin, &image).unwrap_err();
        assert!(matches!(error, BaseError::Layer { .. }) && !error.is_environment(), "{error}");
    }
}
