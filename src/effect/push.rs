//! Pushes images of the store: what each consists of, to where, and events on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use super::blobs::{StoreBlobs, parts};
use crate::action::record::ImageOutput;
use crate::event::{Event, Listener, Outcome, Step};
use crate::reference::{Repository, RepositoryPath, Tag};
use crate::registry::{BlobDescriptor, ClientConfig, Notice, PushEvent, PushRequest, Pushed, Pusher, RegistryError};
use crate::store::{Store, StoreError};

/// An image to push.
#[derive(Debug, Clone)]
pub struct Pushable {
    /// The target, for events.
    pub label: String,
    /// What was built.
    pub image: ImageOutput,
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

/// Pushes images; for each, in their order, what became of it.
pub fn push(
    images: &[Pushable],
    config: ClientConfig,
    store: &Store,
    listener: &dyn Listener,
) -> Result<Vec<Result<Pushed, RegistryError>>, PushError> {
    let requests = images.iter().map(|image| request(image, store)).collect::<Result<Vec<_>, StoreError>>()?;
    let pusher = Pusher::new(config)?;
    let reporter = Reporter::new(images, listener);
    let results = pusher.push(&requests, &StoreBlobs(store), &|event| reporter.tell(event));
    reporter.close(images, &results);
    Ok(results)
}

fn request(image: &Pushable, store: &Store) -> Result<PushRequest, StoreError> {
    let (manifest, blobs) = parts(&image.image, store)?;
    Ok(PushRequest {
        repository: image.repository.clone(),
        tags: image.tags.clone(),
        manifest: manifest.into(),
        media_type: image.image.media_type.clone(),
        blobs: blobs.into_iter().map(|blob| BlobDescriptor { digest: blob.digest, size: blob.size }).collect(),
        children: Vec::new(),
        mount_from: image.mount_from.clone(),
    })
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
