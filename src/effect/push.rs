//! Pushes images of the store: what each consists of, to where, and events on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Instant;

use super::blobs::{StoreBlobs, parts};
use crate::action::record::{Blob, ImageOutput};
use crate::digest::Digest;
use crate::event::{Event, Listener, Outcome, Step};
use crate::reference::{Repository, RepositoryPath, Tag};
use crate::registry::{
    BlobDescriptor, BlobSource, Child, ClientConfig, Notice, PushEvent, PushRequest, Pushed, Pusher, RegistryError,
};
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
    let reporter = Reporter::new(images, listener);
    let origins = images.iter().flat_map(|image| &image.origins).collect();
    let results = pusher.push(&requests, &Blobs { store, origins }, &|event| reporter.tell(event));
    reporter.close(images, &results);
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

/// The registry's events as the command's.
struct Reporter<'a> {
    labels: BTreeMap<RepositoryPath, String>,
    listener: &'a dyn Listener,
    start: Instant,
    progress: RefCell<BTreeMap<BlobDescriptor, u64>>,
}

impl<'a> Reporter<'a> {
    fn new(images: &[Pushable], listener: &'a dyn Listener) -> Reporter<'a> {
        let labels = images.iter().map(|image| (image.repository.path.clone(), image.label.clone())).collect();
        for image in images {
            listener.event(Event::Started(step(&image.label)));
        }
        Reporter { labels, listener, start: Instant::now(), progress: RefCell::default() }
    }

    fn tell(&self, event: PushEvent) {
        match event {
            PushEvent::BlobProgress(repository, blob, sent) => self.progressed(&repository, blob, sent),
            PushEvent::Notice(Notice::Retrying { error, wait }) => {
                let text = format!("{error}; trying again in {:.1} s", wait.as_secs_f64());
                self.listener.event(Event::Warning(text));
            }
            _ => {}
        }
    }

    fn progressed(&self, repository: &Repository, blob: BlobDescriptor, sent: u64) {
        let before = self.progress.borrow_mut().insert(blob, sent).unwrap_or(0);
        let Some(label) = self.labels.get(&repository.path) else { return };
        self.listener.event(Event::Transferred { step: step(label), bytes: sent.saturating_sub(before) });
    }

    fn close(&self, images: &[Pushable], results: &[Result<Pushed, RegistryError>]) {
        for (image, result) in images.iter().zip(results) {
            let step = step(&image.label);
            self.listener.event(match result {
                Err(_) => Event::Failed { step },
                Ok(pushed) => Event::Finished {
                    step,
                    outcome: if pushed.unchanged { Outcome::Cached } else { Outcome::Ran },
                    elapsed: self.start.elapsed(),
                    detail: pushed.reference().to_string(),
                },
            });
        }
    }
}

fn step(label: &str) -> Step {
    Step { label: label.to_owned(), what: "push" }
}
