//! Images wherever they are, in the store or in a registry, as far as comparing them asks: manifest, config, what each
//! layer holds, and digests of files where only those tell two apart.
//!
//! A layer is read at most once; of one that was built here, and of a locked base, the listing is enough for its paths.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::action::record::{Blob, ImageOutput, LayerOutput};
use crate::digest::{DiffId, Digest};
use crate::layer_path::LayerPath;
use crate::oci::content::{ContentError, Reader};
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image::{Image, ImageError};
use crate::oci::index::Index;
use crate::oci::layer::LayerError;
use crate::oci::listing::Listing;
use crate::oci::manifest::{Manifest, ReadError, is_index};
use crate::oci::tar_read::{TarError, TarOptions, read_archive};
use crate::oci::tree::{EntryKind, Tree};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::registry::{BlobDescriptor, Puller, RegistryError};
use crate::store::{Presence, Store, StoreError};

/// An image or layer that can be looked into.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Of its manifest, or of the layer's blob.
    pub digest: Digest,
    /// Config and manifest; `None` for a layer alone.
    pub image: Option<Image>,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// Where its blobs are that the store lacks; `None`: nowhere.
    pub from: Option<Repository>,
}

/// Why something can't be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The store failed, or lacks a blob.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// What is there is no image.
    #[error("{digest} can't be read: {source}")]
    NoImage {
        /// The manifest.
        digest: Digest,
        /// Why.
        source: ImageError,
    },
    /// An index has no image for the platform.
    #[error("{digest} is an index without an image for {platform}; it has {}", there.join(", "))]
    Platform {
        /// The index.
        digest: Digest,
        /// What was asked for.
        platform: Box<Platform>,
        /// What it has.
        there: Vec<String>,
    },
    /// A layer can't be read as an archive.
    #[error("layer {digest}: {source}")]
    Layer {
        /// The layer.
        digest: Digest,
        /// Why.
        source: Box<LayerProblem>,
    },
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerProblem {
    /// It is no archive that we read.
    #[error(transparent)]
    Archive(#[from] TarError),
    /// It can't be listed.
    #[error(transparent)]
    Listing(#[from] LayerError),
    /// A member can't be read.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Looks into images. Keeps what it read of layers as long as it lives.
pub struct Inspector<'a> {
    store: &'a Store,
    puller: &'a dyn Fn() -> Result<&'a Puller, RegistryError>,
    /// Where layers of pulled bases are that the store may lack.
    elsewhere: HashMap<Digest, Repository>,
    /// Listings in the store, by the layer's blob.
    listings: HashMap<Digest, Blob>,
    /// Pulled bases: their layers, lowest first, and what these make together, which the store may lack.
    bases: Vec<(Vec<DiffId>, Digest)>,
    scans: HashMap<DiffId, Scan>,
}

/// What a layer holds, read from its bytes.
struct Scan {
    listing: Listing,
    /// Of each regular file; `None` where the listing came from the store.
    files: Option<BTreeMap<LayerPath, Digest>>,
}

impl<'a> Inspector<'a> {
    /// Over a store; `puller` is asked for only when a registry has to be.
    pub fn new(store: &'a Store, puller: &'a dyn Fn() -> Result<&'a Puller, RegistryError>) -> Inspector<'a> {
        let (elsewhere, listings, bases, scans) = Default::default();
        Inspector { store, puller, elsewhere, listings, bases, scans }
    }

    /// Notes layers that were built here: their listings need no reading.
    pub fn knows<'l>(&mut self, layers: impl Iterator<Item = &'l LayerOutput>) {
        self.listings.extend(layers.map(|layer| (layer.blob.digest, layer.listing)));
    }

    /// Notes where layers are that the store may lack.
    pub fn finds(&mut self, layers: impl Iterator<Item = (Digest, Repository)>) {
        self.elsewhere.extend(layers);
    }

    /// Notes pulled bases by their layers, lowest first, and their listing, which a lock keeps.
    pub fn stands_on(&mut self, bases: impl Iterator<Item = (Vec<DiffId>, Digest)>) {
        self.bases.extend(bases.filter(|(layers, _)| !layers.is_empty()));
    }

    /// A layer that was built.
    pub fn layer(&self, layer: &LayerOutput) -> Subject {
        let descriptor = Descriptor {
            media_type: layer.media_type.clone(),
            digest: layer.blob.digest,
            size: layer.blob.size,
            annotations: Default::default(),
        };
        let layers = vec![Layer { descriptor, diff_id: layer.diff_id }];
        Subject { digest: layer.blob.digest, image: None, layers, from: None }
    }

    /// An image that was built.
    pub fn image(&self, image: &ImageOutput) -> Result<Subject, InspectError> {
        let read = |blob: Blob| self.store.blobs().read_verified(&blob.digest, blob.size);
        subject(image.manifest.digest, read(image.config)?, read(image.manifest)?, None)
    }

    /// The image, or of an index the one for a platform, whose manifest the store has.
    pub fn kept(&self, digest: Digest, platform: &Platform) -> Result<Subject, InspectError> {
        let mut digest = digest;
        let mut manifest = self.bytes(&digest)?;
        if let Some(chosen) = narrowed(digest, &manifest, platform)? {
            (digest, manifest) = (chosen, self.bytes(&chosen)?);
        }
        let config = config_of(digest, &manifest)?;
        subject(digest, self.bytes(&config.digest)?, manifest, None)
    }

    /// A blob of the store whose size is not known.
    fn bytes(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let missing = |_| StoreError::Missing { digest: *digest };
        let size = self.store.blobs().path(digest).metadata().map_err(missing)?.len();
        self.store.blobs().read_verified(digest, size)
    }

    /// The image, or of an index the one for a platform, that a registry has.
    pub fn published(&self, reference: &Reference, platform: &Platform) -> Result<Subject, InspectError> {
        let puller = (self.puller)()?;
        let mut found = puller.resolve(reference)?;
        if let Some(chosen) = narrowed(found.digest, &found.bytes, platform)? {
            found = puller.resolve(&Reference { digest: Some(chosen), ..reference.clone() })?;
        }
        let config = config_of(found.digest, &found.bytes)?;
        let mut bytes = Vec::new();
        puller.blob(&found.from, &BlobDescriptor { digest: config.digest, size: config.size }, &mut bytes)?;
        subject(found.digest, bytes, found.bytes.to_vec(), Some(found.from))
    }

    /// What the layers of a subject hold, lowest first. The layers of a pulled base below it stand as one, named after
    /// its listing, where the store keeps that: they are not read.
    pub fn stack(&mut self, subject: &Subject) -> Result<Vec<(DiffId, Listing)>, InspectError> {
        let (mut stack, mut above) = (Vec::new(), &subject.layers[..]);
        if let Some((base, count)) = self.base_of(subject) {
            stack.push(base);
            above = &above[count..];
        }
        for layer in above {
            if !self.scans.contains_key(&layer.diff_id) {
                let scan = match self.listed(layer)? {
                    Some(listing) => Scan { listing, files: None },
                    None => self.scan(layer, subject)?,
                };
                self.scans.insert(layer.diff_id, scan);
            }
            stack.extend(self.scans.get(&layer.diff_id).map(|scan| (layer.diff_id, scan.listing.clone())));
        }
        Ok(stack)
    }

    /// The pulled base below a subject whose listing the store keeps, and of how many layers it is.
    fn base_of(&self, subject: &Subject) -> Option<((DiffId, Listing), usize)> {
        let is_below = |layers: &[DiffId]| {
            let lowest = subject.layers.iter().take(layers.len()).map(|layer| &layer.diff_id);
            layers.iter().eq(lowest)
        };
        let below = self.bases.iter().filter(|(layers, _)| is_below(layers));
        below.max_by_key(|(layers, _)| layers.len()).and_then(|(layers, digest)| {
            let listing = Listing::parse(&String::from_utf8(self.bytes(digest).ok()?).ok()?).ok()?;
            Some(((DiffId(*digest), listing), layers.len()))
        })
    }

    /// The digest of a file in a layer of a subject, or in its base as [`Inspector::stack`] names it; `None` where there is
    /// none.
    pub fn file(&mut self, path: &LayerPath, id: DiffId, subject: &Subject) -> Result<Option<Digest>, InspectError> {
        let Some((layers, _)) = self.bases.iter().find(|(_, listing)| *listing == id.0) else {
            return self.file_in(path, id, subject);
        };
        for layer in layers.clone().into_iter().rev() {
            if let Some(found) = self.file_in(path, layer, subject)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn file_in(&mut self, path: &LayerPath, id: DiffId, subject: &Subject) -> Result<Option<Digest>, InspectError> {
        let read = self.scans.get(&id).is_some_and(|scan| scan.files.is_some());
        if let (false, Some(layer)) = (read, subject.layers.iter().find(|layer| layer.diff_id == id)) {
            let scan = self.scan(layer, subject)?;
            self.scans.insert(id, scan);
        }
        Ok(self.scans.get(&id).and_then(|scan| scan.files.as_ref()?.get(path).copied()))
    }

    /// A listing of the store's; `None` where there is none, or none that can be read.
    fn listed(&self, layer: &Layer) -> Result<Option<Listing>, InspectError> {
        let Some(blob) = self.listings.get(&layer.descriptor.digest) else { return Ok(None) };
        let text = self.store.blobs().read_verified(&blob.digest, blob.size)?;
        Ok(String::from_utf8(text).ok().and_then(|text| Listing::parse(&text).ok()))
    }

    fn scan(&self, layer: &Layer, subject: &Subject) -> Result<Scan, InspectError> {
        let tmp = self.store.path().join("tmp");
        let folder = tempfile::tempdir_in(&tmp).map_err(|error| StoreError::io("create", &tmp, error))?;
        let blob = self.blob(&layer.descriptor, subject, folder.path())?;
        let problem =
            |source: LayerProblem| InspectError::Layer { digest: layer.descriptor.digest, source: source.into() };
        let spool = folder.path().join("layer.tar");
        let tree = read_archive(&blob, &spool, &TarOptions { mtime: 0 }).map_err(|error| problem(error.into()))?;
        let listing = Listing::of(&tree).map_err(|error| problem(LayerError::from(error).into()))?;
        Ok(Scan { listing, files: Some(digests(&tree).map_err(|error| problem(error.into()))?) })
    }

    /// The file that holds a layer's blob: the store's, else one that is fetched into the folder.
    fn blob(&self, blob: &Descriptor, subject: &Subject, folder: &Path) -> Result<PathBuf, InspectError> {
        let Descriptor { digest, size, .. } = *blob;
        let blobs = self.store.blobs();
        if blobs.contains(&digest, size)? == Presence::Present {
            // Read once for its digest alone: what reads archives takes a file.
            let read = std::io::copy(&mut blobs.open_verified(&digest, size)?, &mut std::io::sink());
            return match read {
                Ok(_) => Ok(blobs.path(&digest)),
                Err(error) => Err(StoreError::io("read", &blobs.path(&digest), error).into()),
            };
        }
        let from = subject.from.as_ref().or(self.elsewhere.get(&digest)).ok_or(StoreError::Missing { digest })?;
        let path = folder.join("layer");
        let failed = |error| StoreError::io("write", &path, error);
        let mut file = std::fs::File::create(&path).map_err(failed)?;
        (self.puller)()?.blob(from, &BlobDescriptor { digest, size }, &mut file)?;
        file.flush().map_err(failed)?;
        Ok(path)
    }
}

fn subject(
    digest: Digest,
    config: Vec<u8>,
    manifest: Vec<u8>,
    from: Option<Repository>,
) -> Result<Subject, InspectError> {
    let image = Image::read(config, manifest).map_err(|source| InspectError::NoImage { digest, source })?;
    Ok(Subject { digest, layers: image.layers.clone(), image: Some(image), from })
}

fn config_of(digest: Digest, manifest: &[u8]) -> Result<Descriptor, InspectError> {
    Ok(Manifest::parse(manifest).map_err(|source| unreadable(digest, source))?.config)
}

fn unreadable(digest: Digest, source: ReadError) -> InspectError {
    InspectError::NoImage { digest, source: ImageError::Manifest(source) }
}

/// The manifest of an index for a platform; `None` for what is no index.
fn narrowed(digest: Digest, bytes: &[u8], platform: &Platform) -> Result<Option<Digest>, InspectError> {
    if !is_index(bytes).map_err(|source| unreadable(digest, source))? {
        return Ok(None);
    }
    let lines = Index::parse(bytes).map_err(|source| unreadable(digest, source))?;
    match Index::choose(&lines, platform) {
        Ok(line) => Ok(Some(line.descriptor.digest)),
        Err(there) => Err(InspectError::Platform { digest, platform: platform.clone().into(), there }),
    }
}

/// The digest of each regular file.
fn digests(tree: &Tree) -> Result<BTreeMap<LayerPath, Digest>, ContentError> {
    const PART: u64 = 1 << 20;
    let (mut reader, mut buffer, mut found) = (Reader::default(), Vec::new(), BTreeMap::new());
    for (path, entry) in &tree.entries {
        let EntryKind::File(content) = &entry.kind else { continue };
        let (mut hasher, mut at) = (crate::digest::Hasher::new(), 0);
        while at < content.size() {
            let end = content.size().min(at + PART);
            buffer.clear();
            reader.append(&mut buffer, content, &(at..end))?;
            hasher.update(&buffer);
            at = end;
        }
        found.insert(path.clone(), hasher.finish());
    }
    Ok(found)
}
