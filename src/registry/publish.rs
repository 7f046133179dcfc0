//! The order of a push: asks what the registry has, brings missing blobs, then manifests by digest, then tags.
//!
//! No tag ever points at something incomplete: a manifest is put after its blobs, an index after its images, a tag
//! last. Images that are there vouch for what they name.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::blob::BlobDescriptor;
use super::error::RegistryError;
use super::manifest::{Found, Manifest, Name, has, head, put};
use super::origins::Origins;
use super::publication::{PushEvent, PushRequest, Pushed};
use super::session::Session;
use super::supply::{Step, Want, supply};
use super::upload::How;
use crate::digest::Digest;
use crate::reference::{Registry, Repository, RepositoryPath, Tag};

/// The registries of a push, by their names as written.
pub(super) type Sessions<'a> = BTreeMap<Registry, Result<Session<'a>, RegistryError>>;

/// A push under way.
pub(super) struct Push<'a> {
    /// How many requests are under way at once.
    pub parallel: usize,
    /// Where blobs come from.
    pub origins: Origins<'a>,
    /// Who hears of it.
    pub events: &'a dyn Fn(PushEvent),
}

/// One image's or index's way into its registry.
struct Job<'a> {
    request: &'a PushRequest,
    session: &'a Session<'a>,
    /// In the order in which they are put: an index's images, then what is asked for itself.
    parts: Vec<Part<'a>>,
}

/// A manifest and the blobs that it names.
struct Part<'a> {
    manifest: Manifest,
    blobs: &'a [BlobDescriptor],
}

impl<'a> Part<'a> {
    fn new(bytes: &Bytes, media_type: &str, blobs: &'a [BlobDescriptor]) -> Part<'a> {
        let (bytes, digest) = (bytes.clone(), Digest::of(bytes));
        Part { manifest: Manifest { bytes, media_type: media_type.to_owned(), digest }, blobs }
    }
}

impl Job<'_> {
    fn path(&self) -> &RepositoryPath {
        &self.request.repository.path
    }

    fn repository(&self) -> Repository {
        Repository { registry: self.session.registry.clone(), path: self.path().clone() }
    }

    /// What is asked for itself.
    fn own(&self) -> &Manifest {
        &self.parts[self.parts.len() - 1].manifest
    }

    fn pushed(&self, unchanged: bool) -> Pushed {
        let (digest, tags) = (self.own().digest, self.request.tags.clone());
        Pushed { repository: self.repository(), digest, tags, unchanged }
    }
}

/// What a registry lacks of an image or index.
#[derive(Debug, PartialEq, Eq)]
struct Lack {
    /// By [`Job::parts`]: whether it isn't there.
    parts: Vec<bool>,
    tags: Vec<Tag>,
}

impl Lack {
    fn is_nothing(&self) -> bool {
        self.tags.is_empty() && !self.parts.contains(&true)
    }
}

/// The blobs that could not be brought to where they are needed.
type Failures = BTreeMap<(RepositoryPath, Digest), RegistryError>;

impl Push<'_> {
    /// Publishes; for each request, in their order, what became of it.
    pub async fn run(&self, requests: &[PushRequest], sessions: &Sessions<'_>) -> Vec<Result<Pushed, RegistryError>> {
        let jobs: Vec<_> = requests.iter().map(|request| job(request, sessions)).collect();
        let lacks =
            self.each(jobs.iter().map(|job| async { compare(job.as_ref().map_err(Clone::clone)?).await })).await;
        let mut failures = BTreeMap::new();
        for (registry, session) in sessions {
            if let Ok(session) = session {
                let jobs =
                    jobs.iter().zip(&lacks).filter_map(|(job, lack)| Some((job.as_ref().ok()?, lack.as_ref().ok()?)));
                let mut wants = wants(jobs.filter(|(job, _)| job.request.repository.registry == *registry));
                for want in &mut wants {
                    let near = self.origins.within(want.blob.digest, [registry, &session.registry]);
                    near.iter().for_each(|path| add(&mut want.hints, path));
                }
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
            let open = || self.origins.open(want.blob);
            let outcomes = supply(session, want, &open, &tell).await;
            let failed = outcomes.into_iter().filter_map(|(place, outcome)| Some((place, outcome.err()?)));
            failed.map(|(place, error)| ((place, want.blob.digest), error)).collect::<Vec<_>>()
        }));
        supplied.await.into_iter().flatten().collect()
    }

    fn tell(&self, session: &Session<'_>, blob: BlobDescriptor, step: Step<'_>) {
        self.origins.notices().for_each(|notice| (self.events)(PushEvent::Notice(notice)));
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
        let digest = job.own().digest;
        if lack.is_nothing() {
            (self.events)(PushEvent::Unchanged(job.repository(), digest));
            return Ok(job.pushed(true));
        }
        let missing = || job.parts.iter().zip(&lack.parts).filter(|(_, missing)| **missing).map(|(part, _)| part);
        let failure = |blob: &BlobDescriptor| failures?.get(&(job.path().clone(), blob.digest)).cloned();
        if let Some(error) = missing().flat_map(|part| part.blobs).find_map(failure) {
            return Err(error);
        }
        for Part { manifest, .. } in missing() {
            put(job.session, job.path(), Name::Digest(manifest.digest), manifest).await?;
            (self.events)(PushEvent::ManifestPut(job.repository(), manifest.digest));
        }
        for tag in &lack.tags {
            put(job.session, job.path(), Name::Tag(tag), job.own()).await?;
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
    let own = Part::new(&request.manifest, &request.media_type, &request.blobs);
    let children = request.children.iter().map(|child| Part::new(&child.manifest, &child.media_type, &child.blobs));
    Ok(Job { request, session, parts: children.chain([own]).collect() })
}

/// Asks what the registry lacks: one HEAD a tag; where no tag says that it is there, one by digest, and of an index that
/// isn't there, one for each of its images.
async fn compare(job: &Job<'_>) -> Result<Lack, RegistryError> {
    let digest = job.own().digest;
    let mut tags = Vec::new();
    for tag in &job.request.tags {
        if head(job.session, job.path(), tag).await? != Found::Manifest(digest) {
            tags.push(tag.clone());
        }
    }
    let mut parts = vec![false; job.parts.len()];
    if tags.len() == job.request.tags.len() && is_missing(job, job.own()).await? {
        for (missing, part) in parts.iter_mut().zip(&job.parts) {
            *missing = part.manifest.digest == digest || is_missing(job, &part.manifest).await?;
        }
    }
    Ok(Lack { parts, tags })
}

async fn is_missing(job: &Job<'_>, manifest: &Manifest) -> Result<bool, RegistryError> {
    Ok(!has(job.session, job.path(), manifest).await?)
}

/// The distinct blobs that images lack, each with the repositories that need it. Images that are there vouch for
/// their blobs.
fn wants<'a>(jobs: impl Iterator<Item = (&'a Job<'a>, &'a Lack)>) -> Vec<Want> {
    let parts = jobs.flat_map(|(job, lack)| {
        let parts = job.parts.iter().zip(&lack.parts);
        parts.flat_map(move |(part, missing)| part.blobs.iter().map(move |blob| (job, *missing, blob)))
    });
    let (missing, there): (Vec<_>, Vec<_>) = parts.partition(|(_, missing, _)| *missing);
    let known: BTreeMap<Digest, &RepositoryPath> =
        there.into_iter().map(|(job, _, blob)| (blob.digest, job.path())).collect();
    let mut wants: BTreeMap<BlobDescriptor, Want> = BTreeMap::new();
    for (job, _, blob) in missing {
        let known = known.get(&blob.digest).copied().cloned();
        let want = || Want { blob: *blob, places: Vec::new(), known, hints: Vec::new() };
        let want = wants.entry(*blob).or_insert_with(want);
        add(&mut want.places, job.path());
        job.request.mount_from.iter().for_each(|hint| add(&mut want.hints, hint));
    }
    wants.into_values().collect()
}

fn add(paths: &mut Vec<RepositoryPath>, path: &RepositoryPath) {
    if !paths.contains(path) {
        paths.push(path.clone());
    }
}
