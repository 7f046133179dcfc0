//! Promotes images: the same bytes under another tag or in another registry. Nothing is built, nothing touches the disk.
//!
//! Reads what a tag stands for, an index's images too, and pushes it with blobs that are mounted or streamed through.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::reporter::Reporter;
use crate::digest::Digest;
use crate::event::Listener;
use crate::oci::index::Index;
use crate::oci::manifest::{Manifest, ReadError, is_index};
use crate::reference::{Reference, Repository, Tag};
use crate::registry::{
    BlobDescriptor, BlobSource, Child, ClientConfig, Document, Puller, PushRequest, Pushed, Pusher, RegistryError,
};

/// An image or index to promote.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// The target, for events.
    pub label: String,
    /// What is promoted.
    pub from: Reference,
    /// Where to.
    pub to: Repository,
    /// The tags that it gets there.
    pub tags: Vec<Tag>,
}

/// Why an image was not promoted.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// It was never published where it is to come from.
    #[error("`{0}` is not there: push it, or promote it there, first")]
    NotThere(Reference),
    /// What is there is no image that we can read.
    #[error("`{0}` is no image or index: {1}")]
    Unreadable(Reference, #[source] ReadError),
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What became of each image.
pub type Promoted = Vec<Result<Pushed, PromoteError>>;

/// Promotes images; for each, in their order, what became of it.
pub fn promote(
    promotions: &[Promotion],
    config: ClientConfig,
    listener: &dyn Listener,
) -> Result<Promoted, RegistryError> {
    let puller = Puller::new(config.clone())?;
    let mut origins = Origins::default();
    let requests: Vec<_> = promotions.iter().map(|promotion| request(promotion, &puller, &mut origins)).collect();
    let labelled = promotions.iter().zip(&requests).filter(|(_, request)| request.is_ok());
    let labelled = labelled.map(|(promotion, _)| (promotion.label.clone(), promotion.to.path.clone()));
    let reporter = Reporter::new("promote", labelled.collect(), listener);
    let ready: Vec<PushRequest> = requests.iter().flatten().cloned().collect();
    let results = Pusher::new(config)?.push(&ready, &origins, &|event| reporter.tell(event));
    reporter.close(&results);
    let mut results = results.into_iter();
    let pushed = |request: Result<PushRequest, PromoteError>| {
        request?;
        let result =
            results.next().unwrap_or_else(|| Err(RegistryError::Client { cause: "nothing was pushed".into() }));
        Ok(result?)
    };
    Ok(requests.into_iter().map(pushed).collect())
}

/// Where each blob is that may have to be copied.
#[derive(Default)]
struct Origins(BTreeMap<Digest, Repository>);

impl BlobSource for Origins {
    fn open(&self, _digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn origin(&self, digest: &Digest) -> Option<Repository> {
        self.0.get(digest).cloned()
    }
}

fn request(promotion: &Promotion, puller: &Puller, origins: &mut Origins) -> Result<PushRequest, PromoteError> {
    let from = &promotion.from;
    let top = puller.resolve(from).map_err(|error| match error.is_missing() {
        true => PromoteError::NotThere(from.clone()),
        false => error.into(),
    })?;
    let unreadable = |error| PromoteError::Unreadable(from.clone(), error);
    let mut children = Vec::new();
    let mut blobs = Vec::new();
    if is_index(&top.bytes).map_err(unreadable)? {
        for line in Index::parse(&top.bytes).map_err(unreadable)? {
            let digest = Some(line.descriptor.digest);
            let image = puller.resolve(&Reference { digest, tag: None, ..from.clone() })?;
            let blobs = named(&image, origins).map_err(unreadable)?;
            children.push(Child { manifest: image.bytes, media_type: image.media_type, blobs });
        }
    } else {
        blobs = named(&top, origins).map_err(unreadable)?;
    }
    let (repository, tags) = (promotion.to.clone(), promotion.tags.clone());
    let Document { bytes: manifest, media_type, .. } = top;
    Ok(PushRequest { repository, tags, manifest, media_type, blobs, children, mount_from: Vec::new() })
}

/// The blobs of an image; where they are is noted.
fn named(image: &Document, origins: &mut Origins) -> Result<Vec<BlobDescriptor>, ReadError> {
    let manifest = Manifest::parse(&image.bytes)?;
    let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
    let blobs: Vec<_> = blobs.map(|blob| BlobDescriptor { digest: blob.digest, size: blob.size }).collect();
    origins.0.extend(blobs.iter().map(|blob| (blob.digest, image.from.clone())));
    Ok(blobs)
}
