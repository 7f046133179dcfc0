//! Publishes images: asks what the registry has, brings missing blobs, then manifests by digest, then tags.
//!
//! The one blocking entry of `registry`. Takes manifests as bytes and blobs by digest; knows nothing of what is in
//! them. No tag ever points at something incomplete: a manifest is put after its blobs, a tag after its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::runtime::Runtime;

use super::blob::{BlobDescriptor, BlobSource};
use super::config::ClientConfig;
use super::endpoint::{Shared, open};
use super::error::{RegistryError, deepest};
use super::manifest::{Found, Manifest, Name, head, put};
use super::session::{Notice, Session};
use super::supply::{Step, Want, supply};
use super::upload::How;
use crate::digest::Digest;
use crate::reference::{Reference, Registry, Repository, RepositoryPath, Tag};

/// An image to publish.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// Where to.
    pub repository: Repository,
    /// The tags to move to it; none: it is published by digest only.
    pub tags: Vec<Tag>,
    /// The manifest's bytes; their digest is the image's.
    pub manifest: Bytes,
    /// The manifest's media type.
    pub media_type: String,
    /// All blobs that the manifest names, the config among them.
    pub blobs: Vec<BlobDescriptor>,
    /// Repositories of the same registry that may have some of the blobs (its base images'): mounted from there.
    pub mount_from: Vec<RepositoryPath>,
}

/// An image as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is; with the registry's port where it was found on another than the scheme's own.
    pub repository: Repository,
    /// Its digest.
    pub digest: Digest,
    /// The tags that point to it.
    pub tags: Vec<Tag>,
    /// Whether the registry had all of it before, tags included.
    pub unchanged: bool,
}

impl Pushed {
    /// The image by its first tag, where it has one, and its digest.
    pub fn reference(&self) -> Reference {
        let Repository { registry, path } = self.repository.clone();
        Reference { registry: Some(registry), path, tag: self.tags.first().cloned(), digest: Some(self.digest) }
    }
}

/// What a push does, as it does it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushEvent {
    /// The registry has the image and its tags: nothing is sent.
    Unchanged(Repository, Digest),
    /// A blob was found in the repository.
    BlobPresent(Repository, BlobDescriptor),
    /// A blob was mounted from another repository of the registry.
    BlobMounted {
        /// Where it is now.
        to: Repository,
        /// Where it was.
        from: RepositoryPath,
        /// The blob.
        blob: BlobDescriptor,
    },
    /// Bytes of a blob sent so far; begins anew when an upload is tried again.
    BlobProgress(Repository, BlobDescriptor, u64),
    /// A blob was sent.
    BlobSent(Repository, BlobDescriptor),
    /// A manifest can be pulled by its digest now.
    ManifestPut(Repository, Digest),
    /// A tag points to a manifest now.
    Tagged(Repository, Tag, Digest),
    /// Something on the way.
    Notice(Notice),
}

/// Publishes images.
pub struct Pusher {
    runtime: Runtime,
    shared: Arc<Shared>,
}

impl Pusher {
    /// Reads the credential files and the system's TLS roots.
    pub fn new(config: ClientConfig) -> Result<Pusher, RegistryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| RegistryError::Client { cause: deepest(&error) })?;
        Ok(Pusher { runtime, shared: Shared::new(config)? })
    }

    /// Publishes images and says for each, in their order, what became of it. One image's failure doesn't keep the
    /// others from being published. `events` is called on the calling thread.
    pub fn push(
        &self,
        requests: &[PushRequest],
        blobs: &dyn BlobSource,
        events: &dyn Fn(PushEvent),
    ) -> Vec<Result<Pushed, RegistryError>> {
        let notices = |notice| events(PushEvent::Notice(notice));
        self.runtime.block_on(async {
            let sessions = open_all(&self.shared, requests, &notices).await;
            let push = Push { parallel: self.shared.config.parallel.max(1), blobs, events };
            push.run(requests, &sessions).await
        })
    }
}

type Sessions<'a> = BTreeMap<Registry, Result<Session<'a>, RegistryError>>;

async fn open_all<'a>(shared: &'a Shared, requests: &[PushRequest], notices: &'a dyn Fn(Notice)) -> Sessions<'a> {
    let mut sessions = Sessions::new();
    for request in requests {
        let registry = &request.repository.registry;
        if !sessions.contains_key(registry) {
            sessions.insert(registry.clone(), open(shared, registry, notices).await);
        }
    }
    sessions
}

struct Push<'a> {
    parallel: usize,
    blobs: &'a dyn BlobSource,
    events: &'a dyn Fn(PushEvent),
}

/// One image's way into its registry.
struct Job<'a> {
    request: &'a PushRequest,
    session: &'a Session<'a>,
    manifest: Manifest,
}

impl Job<'_> {
    fn path(&self) -> &RepositoryPath {
        &self.request.repository.path
    }

    fn repository(&self) -> Repository {
        Repository { registry: self.session.registry.clone(), path: self.path().clone() }
    }

    fn pushed(&self, unchanged: bool) -> Pushed {
        let (digest, tags) = (self.manifest.digest, self.request.tags.clone());
        Pushed { repository: self.repository(), digest, tags, unchanged }
    }
}

/// What a registry lacks of an image.
#[derive(Debug, PartialEq, Eq)]
struct Lack {
    manifest: bool,
    tags: Vec<Tag>,
}

/// The blobs that could not be brought to where they are needed.
type Failures = BTreeMap<(RepositoryPath, Digest), RegistryError>;

impl Push<'_> {
    async fn run(&self, requests: &[PushRequest], sessions: &Sessions<'_>) -> Vec<Result<Pushed, RegistryError>> {
        let jobs: Vec<_> = requests.iter().map(|request| job(request, sessions)).collect();
        let lacks =
            self.each(jobs.iter().map(|job| async { compare(job.as_ref().map_err(Clone::clone)?).await })).await;
        let mut failures = BTreeMap::new();
        for (registry, session) in sessions {
            if let Ok(session) = session {
                let jobs =
                    jobs.iter().zip(&lacks).filter_map(|(job, lack)| Some((job.as_ref().ok()?, lack.as_ref().ok()?)));
                let wants = wants(jobs.filter(|(job, _)| job.request.repository.registry == *registry));
                failures.insert(registry, self.supply(session, &wants).await);
            }
        }
        let publish = jobs.iter().zip(lacks).map(async |(job, lack)| {
            let job = job.as_ref().map_err(Clone::clone)?;
            self.publish(job, &lack?, failures.get(&job.request.repository.registry)).await
        });
        self.each(publish).await
    }

    /// Runs futures side by side, within the limit; results in their order.
    async fn each<T>(&self, futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
        stream::iter(futures).buffered(self.parallel).collect().await
    }

    /// Brings blobs to where they are needed; what failed.
    async fn supply(&self, session: &Session<'_>, wants: &[Want]) -> Failures {
        let supplied = self.each(wants.iter().map(async |want| {
            let tell = |step: Step<'_>| self.tell(session, want.blob, step);
            let outcomes = supply(session, want, self.blobs, &tell).await;
            let failed = outcomes.into_iter().filter_map(|(place, outcome)| Some((place, outcome.err()?)));
            failed.map(|(place, error)| ((place, want.blob.digest), error)).collect::<Vec<_>>()
        }));
        supplied.await.into_iter().flatten().collect()
    }

    fn tell(&self, session: &Session<'_>, blob: BlobDescriptor, step: Step<'_>) {
        let at = |path: &RepositoryPath| Repository { registry: session.registry.clone(), path: path.clone() };
        (self.events)(match step {
            Step::Progress(path, sent) => PushEvent::BlobProgress(at(path), blob, sent),
            Step::Done(path, How::Mounted, Some(from)) => {
                PushEvent::BlobMounted { to: at(path), from: from.clone(), blob }
            }
            Step::Done(path, How::Sent, _) => PushEvent::BlobSent(at(path), blob),
            Step::Done(path, ..) => PushEvent::BlobPresent(at(path), blob),
        });
    }

    async fn publish(&self, job: &Job<'_>, lack: &Lack, failures: Option<&Failures>) -> Result<Pushed, RegistryError> {
        let digest = job.manifest.digest;
        if !lack.manifest && lack.tags.is_empty() {
            (self.events)(PushEvent::Unchanged(job.repository(), digest));
            return Ok(job.pushed(true));
        }
        if lack.manifest {
            let failure = |blob: &BlobDescriptor| failures?.get(&(job.path().clone(), blob.digest)).cloned();
            if let Some(error) = job.request.blobs.iter().find_map(failure) {
                return Err(error);
            }
            put(job.session, job.path(), Name::Digest(digest), &job.manifest).await?;
            (self.events)(PushEvent::ManifestPut(job.repository(), digest));
        }
        for tag in &lack.tags {
            put(job.session, job.path(), Name::Tag(tag), &job.manifest).await?;
            (self.events)(PushEvent::Tagged(job.repository(), tag.clone(), digest));
        }
        Ok(job.pushed(false))
    }
}

fn job<'a>(request: &'a PushRequest, sessions: &'a Sessions<'a>) -> Result<Job<'a>, RegistryError> {
    let session = match sessions.get(&request.repository.registry) {
        Some(Ok(session)) => session,
        Some(Err(error)) => return Err(error.clone()),
        None => return Err(RegistryError::Client { cause: "no session was opened".to_owned() }),
    };
    let (bytes, media_type) = (request.manifest.clone(), request.media_type.clone());
    let digest = Digest::of(&bytes);
    Ok(Job { request, session, manifest: Manifest { bytes, media_type, digest } })
}

/// Asks what the registry lacks of an image: one HEAD a tag, and one by digest where no tag says it is there.
async fn compare(job: &Job<'_>) -> Result<Lack, RegistryError> {
    let digest = job.manifest.digest;
    let mut tags = Vec::new();
    for tag in &job.request.tags {
        if head(job.session, job.path(), Name::Tag(tag)).await? != Found::Manifest(digest) {
            tags.push(tag.clone());
        }
    }
    let tagged = tags.len() < job.request.tags.len();
    let there = tagged || head(job.session, job.path(), Name::Digest(digest)).await? != Found::Nothing;
    Ok(Lack { manifest: !there, tags })
}

/// The distinct blobs that images lack, each with the repositories that need it. Images that are there vouch for
/// their blobs.
fn wants<'a>(jobs: impl Iterator<Item = (&'a Job<'a>, &'a Lack)>) -> Vec<Want> {
    let (missing, there): (Vec<_>, Vec<_>) = jobs.partition(|(_, lack)| lack.manifest);
    let mut known = BTreeMap::new();
    for (job, _) in &there {
        known.extend(job.request.blobs.iter().map(|blob| (blob.digest, job.path().clone())));
    }
    let mut wants: BTreeMap<BlobDescriptor, Want> = BTreeMap::new();
    for (job, _) in missing {
        for blob in job.request.blobs.iter().collect::<BTreeSet<_>>() {
            let known = known.get(&blob.digest).cloned();
            let want = || Want { blob: *blob, places: Vec::new(), known, hints: Vec::new() };
            let want = wants.entry(*blob).or_insert_with(want);
            add(&mut want.places, job.path());
            job.request.mount_from.iter().for_each(|hint| add(&mut want.hints, hint));
        }
    }
    wants.into_values().collect()
}

fn add(paths: &mut Vec<RepositoryPath>, path: &RepositoryPath) {
    if !paths.contains(path) {
        paths.push(path.clone());
    }
}
