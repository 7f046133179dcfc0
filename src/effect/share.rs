//! Puts records into a shared cache: each an artifact in one repository, after the blobs that it names.
//!
//! Blobs are mounted from where the registry has them, else sent. Knows no targets.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::time::Instant;

use super::blobs::StoreBlobs;
use super::reporter::Reporter;
use crate::action::record::{Blob, Output};
use crate::digest::Digest;
use crate::event::{Event, Listener, Outcome, Step};
use crate::oci::artifact_manifest::EMPTY;
use crate::oci::media_type::OCI_MANIFEST;
use crate::reference::{Repository, RepositoryPath};
use crate::registry::{BlobDescriptor, BlobSource, ClientConfig, PushRequest, Pushed, Pusher, RegistryError};
use crate::shared::artifact::{self, Artifact};
use crate::store::{Store, StoreError};

/// What records are shared with.
pub struct Sharing<'a> {
    /// The repository that takes them.
    pub to: Repository,
    /// Repositories of the same registry that may have their blobs.
    pub mount_from: Vec<RepositoryPath>,
    /// Where blobs are that the store may lack.
    pub elsewhere: BTreeMap<Digest, Repository>,
    /// Where the others are.
    pub store: &'a Store,
    /// When that began.
    pub began: Instant,
}

impl Sharing<'_> {
    /// Puts records by key where they are not yet; for each, in the keys' order, what became of it. A record that the
    /// store no longer has whole is passed over.
    pub fn put(
        &self,
        outputs: &BTreeMap<Digest, Output>,
        config: ClientConfig,
        listener: &dyn Listener,
    ) -> Result<Vec<Result<Pushed, RegistryError>>, RegistryError> {
        let read = |blob: &Blob| self.store.blobs().read_verified(&blob.digest, blob.size);
        let artifacts = outputs.iter().map(|(key, output)| artifact::encode::<StoreError>(key, output, read));
        let requests: Vec<PushRequest> = artifacts.flatten().map(|artifact| self.request(artifact)).collect();
        let pusher = Pusher::new(config)?;
        let whole = (self.to.to_string(), self.to.path.clone());
        let reporter = Reporter::new("share", vec![whole], listener);
        let results = pusher.push(&requests, self, &|event| reporter.tell(event));
        self.close(&results, listener);
        Ok(results)
    }

    fn close(&self, results: &[Result<Pushed, RegistryError>], listener: &dyn Listener) {
        let step = Step { label: self.to.to_string(), what: "share" };
        let written = results.iter().flatten().filter(|pushed| !pushed.unchanged).count();
        let outcome = if written > 0 { Outcome::Ran } else { Outcome::Cached };
        let detail = format!("{written} of {} records were new", results.len());
        // What failed is no failure of the command: whoever called tells of it.
        listener.event(Event::Finished { step, outcome, elapsed: self.began.elapsed(), detail });
    }

    fn request(&self, artifact: Artifact) -> PushRequest {
        let blob = |Blob { digest, size }| BlobDescriptor { digest, size };
        PushRequest {
            repository: self.to.clone(),
            tags: vec![artifact.tag],
            manifest: artifact.manifest.into(),
            media_type: OCI_MANIFEST.to_owned(),
            blobs: artifact.blobs.into_iter().map(blob).collect(),
            children: Vec::new(),
            mount_from: self.mount_from.clone(),
        }
    }
}

impl BlobSource for Sharing<'_> {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        if *digest == Digest::of(EMPTY) {
            return Ok(Box::new(Cursor::new(EMPTY)));
        }
        BlobSource::open(&StoreBlobs(self.store), digest)
    }

    fn origin(&self, digest: &Digest) -> Option<Repository> {
        let origin = self.elsewhere.get(digest)?;
        (!self.store.blobs().path(digest).exists()).then(|| origin.clone())
    }
}
