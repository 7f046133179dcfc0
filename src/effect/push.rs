//! Pushes images of the store: what each consists of, to where, and events on the way.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::blobs::{StoreBlobs, parts};
use super::reporter::Reporter;
use crate::action::record::{Blob, ImageOutput};
use crate::digest::Digest;
use crate::event::Listener;
use crate::reference::{Repository, RepositoryPath, Tag};
use crate::registry::{BlobDescriptor, BlobSource, Child, ClientConfig, PushRequest, Pushed, Pusher, RegistryError};
use crate::store::{Store, StoreError};

/// An image or index to push.
#[derive(Debug, Clone)]
pub struct Pushable {
    /// The target, for events.
    pub label: String,
    /// What was built: the image, or all images of the index.
    pub images: Vec<ImageOutput>,
    /// The index and its media type; `None` for an image.
    pub index: Option<(Blob, String)>,
    /// Where to.
    pub repository: Repository,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Where the images that it stands on are published.
    pub mount_from: Vec<RepositoryPath>,
    /// Where blobs can be had that the store may lack (a pulled base's layers): mounted from there where that is the
    /// same registry, else streamed through.
    pub origins: BTreeMap<Digest, Repository>,
}

/// Why nothing could be pushed at all.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No client can be set up.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Pushes images and indexes; for each, in their order, what became of it.
pub fn push(
    images: &[Pushable],
    config: ClientConfig,
    store: &Store,
    listener: &dyn Listener,
) -> Result<Vec<Result<Pushed, RegistryError>>, PushError> {
    let requests = images.iter().map(|image| request(image, store)).collect::<Result<Vec<_>, PushError>>()?;
    let pusher = Pusher::new(config)?;
    let origins = images.iter().flat_map(|image| &image.origins).collect();
    let labelled = images.iter().map(|image| (image.label.clone(), image.repository.path.clone()));
    let reporter = Reporter::new("push", labelled.collect(), listener);
    let results = pusher.push(&requests, &Blobs { store, origins }, &|event| reporter.tell(event));
    reporter.close(&results);
    Ok(results)
}

/// The store's blobs, and where those can be had that it lacks.
struct Blobs<'a> {
    store: &'a Store,
    origins: BTreeMap<&'a Digest, &'a Repository>,
}

impl BlobSource for Blobs<'_> {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        BlobSource::open(&StoreBlobs(self.store), digest)
    }

    fn origin(&self, digest: &Digest) -> Option<Repository> {
        let origin = self.origins.get(digest).copied()?;
        (!self.store.blobs().path(digest).exists()).then(|| origin.clone())
    }
}

fn request(image: &Pushable, store: &Store) -> Result<PushRequest, PushError> {
    let mut children = image.images.iter().map(|image| child(image, store)).collect::<Result<Vec<_>, StoreError>>()?;
    let own = match &image.index {
        // An index names manifests, which are no blobs.
        Some((index, media_type)) => Some(Child {
            manifest: store.blobs().read_verified(&index.digest, index.size)?.into(),
            media_type: media_type.clone(),
            blobs: Vec::new(),
        }),
        None => children.pop(),
    };
    let Child { manifest, media_type, blobs } =
        own.ok_or_else(|| RegistryError::Client { cause: format!("{} consists of no image", image.label) })?;
    let (repository, tags, mount_from) = (image.repository.clone(), image.tags.clone(), image.mount_from.clone());
    Ok(PushRequest { repository, tags, manifest, media_type, blobs, children, mount_from })
}

fn child(image: &ImageOutput, store: &Store) -> Result<Child, StoreError> {
    let (manifest, blobs) = parts(image, store)?;
    let blobs = blobs.into_iter().map(|Blob { digest, size }| BlobDescriptor { digest, size }).collect();
    Ok(Child { manifest: manifest.into(), media_type: image.media_type.clone(), blobs })
}
