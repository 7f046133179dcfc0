//! Pushes images of the store: what each consists of, to where, and events on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use super::blobs::{StoreBlobs, parts};
use crate::action::record::{Blob, ImageOutput};
use crate::event::{Event, Listener, Outcome, Step};
use crate::reference::{Repository, RepositoryPath, Tag};
use crate::registry::{BlobDescriptor, ClientConfig, Notice, PushEvent, PushRequest, Pushed, Pusher, RegistryError};
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

/// Pushes images and indexes; for each, in their order, what became of it. An index comes after all of its images are
/// there by digest: no tag ever points at one that lacks some.
pub fn push(
    images: &[Pushable],
    config: ClientConfig,
    store: &Store,
    listener: &dyn Listener,
) -> Result<Vec<Result<Pushed, RegistryError>>, PushError> {
    let pusher = Pusher::new(config)?;
    let reporter = Reporter::new(images, listener);
    let push = |requests: &[PushRequest]| pusher.push(requests, &StoreBlobs(store), &|event| reporter.tell(event));
    let requests = images.iter().map(|image| of_images(image, store)).collect::<Result<Vec<_>, StoreError>>()?;
    let mut pushed = push(&requests.concat()).into_iter();
    let mut results: Vec<Result<Pushed, RegistryError>> = Vec::new();
    for (image, requests) in images.iter().zip(&requests) {
        // Of an index the last of its images stands for it until it is pushed itself.
        let last = pushed.by_ref().take(requests.len()).reduce(|before, next| before.and(next));
        results.push(last.unwrap_or(Err(RegistryError::Client { cause: format!("{} has no image", image.label) })));
    }
    for (image, result) in images.iter().zip(&mut results).filter(|(_, result)| result.is_ok()) {
        if let Some(request) = of_index(image, store)? {
            *result = push(&[request]).pop().unwrap_or_else(|| result.clone());
        }
    }
    reporter.close(images, &results);
    Ok(results)
}

/// The image with its tags, or the images of an index by digest only.
fn of_images(image: &Pushable, store: &Store) -> Result<Vec<PushRequest>, StoreError> {
    let one = |part: &ImageOutput| {
        let (manifest, blobs) = parts(part, store)?;
        Ok(PushRequest {
            repository: image.repository.clone(),
            tags: if image.index.is_none() { image.tags.clone() } else { Vec::new() },
            manifest: manifest.into(),
            media_type: part.media_type.clone(),
            blobs: blobs.into_iter().map(|blob| BlobDescriptor { digest: blob.digest, size: blob.size }).collect(),
            mount_from: image.mount_from.clone(),
        })
    };
    image.images.iter().map(one).collect()
}

/// An index names manifests, which are no blobs: its own bytes are all that is sent.
fn of_index(image: &Pushable, store: &Store) -> Result<Option<PushRequest>, StoreError> {
    let Some((index, media_type)) = &image.index else { return Ok(None) };
    Ok(Some(PushRequest {
        repository: image.repository.clone(),
        tags: image.tags.clone(),
        manifest: store.blobs().read_verified(&index.digest, index.size)?.into(),
        media_type: media_type.clone(),
        blobs: Vec::new(),
        mount_from: Vec::new(),
    }))
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
