//! An image's layers as tests look into them: listings, sizes, and contents of those layers alone that are asked for.
//!
//! A layer's blob is read at most once, verified, and fetched where the store lacks it. Judges nothing.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::BuildError;
use super::run_base::{layer, parts};
use super::upstream::{Tested, TestedBase};
use super::{Workshop, bring};
use crate::action::Expected;
use crate::action::record::{LayerOutput, Output};
use crate::base::fetch::Reader;
use crate::digest::DiffId;
use crate::image_test::{Contents, LayerSize};
use crate::layer_path::LayerPath;
use crate::oci::descriptor::Layer;
use crate::oci::layer_files::{LayerFiles, Part};
use crate::oci::listing::Listing;
use crate::oci::manifest::Config;
use crate::reference::Repository;
use crate::store::StoreError;

/// An image's layers. What is known of a base is one listing of all of its layers.
pub struct ImageLayers<'a> {
    /// What its config says.
    pub config: Config,
    /// The targets that made the layers, the lowest first.
    pub labels: Vec<String>,
    /// What the layers hold.
    pub listings: Vec<Arc<Listing>>,
    /// How large they are.
    pub sizes: Vec<LayerSize>,
    name: &'a str,
    shop: &'a Workshop<'a>,
    slabs: Vec<Slab>,
    unpacked: Mutex<HashMap<DiffId, Arc<LayerFiles>>>,
}

/// The layers behind one listing, lowest first.
struct Slab {
    layers: Vec<Layer>,
    /// Where they are that the store may lack; `None`: nowhere but in a shared cache.
    repository: Option<Repository>,
}

impl<'a> ImageLayers<'a> {
    /// Opens an image as far as what is expected of it needs.
    pub fn open(
        tested: &'a Tested,
        expected: &Expected,
        shop: &'a Workshop<'a>,
    ) -> Result<ImageLayers<'a>, BuildError> {
        let (layers, config) = parts(&tested.image, shop)?;
        let (labels, listings, sizes, slabs, unpacked) = Default::default();
        let mut opened = ImageLayers { config, labels, listings, sizes, name: &tested.name, shop, slabs, unpacked };
        let own = tested.layers.len().min(layers.len());
        let (below, _) = layers.split_at(layers.len() - own);
        if let Some(base) = &tested.base {
            opened.add_base(base, below, expected)?;
        }
        for (label, output) in &tested.layers {
            opened.add_layer(label, output)?;
        }
        Ok(opened)
    }

    fn add_base(&mut self, base: &TestedBase, layers: &[Layer], expected: &Expected) -> Result<(), BuildError> {
        let reader = Reader { remote: self.shop.remote, store: self.shop.store };
        let slab = Slab { layers: layers.to_vec(), repository: Some(base.origin.repository.clone()) };
        let known = base.listing.is_some_and(|listing| self.shop.store.blobs().path(&listing).exists());
        if expected.reads_contents() && !known {
            // They come once, and are listed from the store.
            slab.layers.iter().try_for_each(|layer| self.bring(layer, &slab))?;
        }
        let listing = match base.listing {
            _ if !expected.looks_into_layers() => Arc::default(),
            Some(listing) => {
                let image = reader.image(&base.origin, &base.platform)?;
                let found = reader.listing(&base.origin, &image, listing)?;
                self.shop.listings.keep(listing, found)
            }
            None => Arc::new(reader.list(&base.origin, &reader.image(&base.origin, &base.platform)?)?.0),
        };
        let compressed = layers.iter().map(|layer| layer.descriptor.size).sum();
        self.add(base.name.clone(), listing, compressed, slab);
        Ok(())
    }

    fn add_layer(&mut self, label: &str, output: &LayerOutput) -> Result<(), BuildError> {
        let listing = self.shop.listings.get(&output.listing, self.shop.store)?;
        let slab = Slab { layers: layer(&Output::Layer(output.clone())).into_iter().collect(), repository: None };
        self.add(label.to_owned(), listing, output.blob.size, slab);
        Ok(())
    }

    fn add(&mut self, label: String, listing: Arc<Listing>, compressed: u64, slab: Slab) {
        let unpacked = listing.entries().iter().map(|entry| entry.size).sum();
        self.sizes.push(LayerSize { label: label.clone(), compressed, unpacked });
        self.labels.push(label);
        self.listings.push(listing);
        self.slabs.push(slab);
    }

    /// Fetches a layer's blob, where the store lacks it.
    fn bring(&self, layer: &Layer, slab: &Slab) -> Result<(), BuildError> {
        let (digest, size) = (layer.descriptor.digest, layer.descriptor.size);
        bring::bring(digest, size, slab.repository.clone(), self.shop)
    }

    fn unpacked(&self, layer: &Layer, slab: &Slab) -> Result<Arc<LayerFiles>, BuildError> {
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = unpacked.get(&layer.diff_id) {
            return Ok(files.clone());
        }
        self.bring(layer, slab)?;
        let store = self.shop.store;
        let folder = store.path().join("tmp");
        let spool = tempfile::tempfile_in(&folder).map_err(|error| StoreError::io("create", &folder, error))?;
        let blob = store.blobs().open_verified(&layer.descriptor.digest, layer.descriptor.size)?;
        let files = LayerFiles::unpack(blob, layer.diff_id, spool).map_err(|why| {
            let (layer, image) = (layer.descriptor.digest, self.name.to_owned());
            BuildError::Contents { layer, image, why: Box::new(why) }
        })?;
        let files = Arc::new(files);
        unpacked.insert(layer.diff_id, files.clone());
        Ok(files)
    }
}

impl Contents for ImageLayers<'_> {
    type Error = BuildError;

    fn open(&self, layer: usize, path: &LayerPath) -> Result<Part, BuildError> {
        let slab = &self.slabs[layer];
        for layer in slab.layers.iter().rev() {
            if let Some(part) = self.unpacked(layer, slab)?.get(path) {
                return Ok(part);
            }
        }
        Err(BuildError::NoSuchFile { image: self.name.to_owned(), path: path.to_string() })
    }

    fn unreadable(&self, _: &LayerPath, error: io::Error) -> BuildError {
        StoreError::io("read", &self.shop.store.path().join("tmp"), error).into()
    }
}
