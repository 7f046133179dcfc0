//! Reads from registries: manifests, blobs, lists of tags. The one blocking entry for it.
//!
//! A registry's mirrors are asked before it. Everything is verified: a manifest by its digest before it is handed out,
//! a blob's last bytes only after its digest and size are known to be right. Keeps nothing.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Runtime;

use super::blob::BlobDescriptor;
use super::config::ClientConfig;
use super::document::{self, Document};
use super::download::{BlobReader, Download, Notices};
use super::endpoint::{self, Shared, open};
use super::error::{RegistryError, deepest};
use super::listing;
use super::manifest::{Found, Name, accepting, ask, url};
use super::place::{at_first, permit};
use super::session::{Notice, Request, Session};
use super::upload;
use crate::digest::Digest;
use crate::reason::reason;
use crate::reference::{Reference, Registry, Repository, RepositoryPath, Tag};

/// Reads from registries. Can be used by several threads at once; which address a registry has, tokens and
/// connections are kept as long as it lives.
pub struct Puller {
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
    notices: Notices,
}

impl Puller {
    /// Reads the credential files and the system's TLS roots; connects to nobody.
    pub fn new(config: ClientConfig) -> Result<Puller, RegistryError> {
        Puller::watched(config, |_| {})
    }

    /// The same; `notices` hears of retries, on any thread.
    pub fn watched(
        config: ClientConfig,
        notices: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Result<Puller, RegistryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| RegistryError::Client { cause: deepest(&error) })?;
        Ok(Puller { runtime: Arc::new(runtime), shared: Shared::new(config)?, notices: Arc::new(notices) })
    }

    /// The manifest or index that a reference names: by its digest where it has one, else by its tag, else by `latest`.
    /// At most 4 MiB; schema 1 is an error.
    pub fn resolve(&self, reference: &Reference) -> Result<Document, RegistryError> {
        let target = Target::of(reference)?;
        self.runtime.block_on(async {
            let get =
                async |session: &Session<'_>, path: &RepositoryPath| document::get(session, path, target.name()).await;
            let (from, served) = self.at_first(&target, get).await?;
            Ok(served.at(from))
        })
    }

    /// The digest of what a reference names, by one HEAD where the registry says it; `None`: it is not there.
    pub fn head(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        let target = Target::of(reference)?;
        let found = self.runtime.block_on(async {
            let head = async |session: &Session<'_>, path: &RepositoryPath| head(session, path, target.name()).await;
            self.at_first(&target, head).await
        });
        match found {
            Ok((_, Found::Manifest(digest))) => Ok(Some(digest)),
            // A registry that does not say the digest: the bytes do.
            Ok(_) => self.resolve(reference).map(|document| Some(document.digest)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a blob's bytes to `sink` as they come in. Verified by size and SHA-256 before the last of them is
    /// written; where it fails, what was written is worthless. Goes on where a connection broke.
    pub fn blob(
        &self,
        repository: &Repository,
        blob: &BlobDescriptor,
        sink: &mut dyn Write,
    ) -> Result<(), RegistryError> {
        let mut download = Download::new(self.shared.clone(), repository, *blob, self.notices.clone())?;
        while let Some(bytes) = self.runtime.block_on(download.next())? {
            let digest = blob.digest;
            sink.write_all(&bytes).map_err(|error| RegistryError::Sink { digest, cause: reason(&error) })?;
        }
        Ok(())
    }

    /// Opens a blob for reading from one end to the other, verified like [`Puller::blob`]: the end comes only after the
    /// right bytes. Not for use within an asynchronous task.
    pub fn open(&self, repository: &Repository, blob: &BlobDescriptor) -> Result<BlobReader, RegistryError> {
        let download = Download::new(self.shared.clone(), repository, *blob, self.notices.clone())?;
        Ok(BlobReader::new(download, self.runtime.clone()))
    }

    /// Whether a repository has a blob: one HEAD.
    pub fn has(&self, repository: &Repository, blob: &BlobDescriptor) -> Result<bool, RegistryError> {
        let wanted = format!("blob {} of {repository}", blob.digest);
        let found = self.runtime.block_on(async {
            let has = async |session: &Session<'_>, path: &RepositoryPath| has(session, path, *blob).await;
            at_first(&self.shared, repository, wanted, &*self.notices, has).await
        });
        match found {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a registry answers as one, at the address that is found for it: the registry with the port there, and what
    /// time it has, where it says so. Mirrors are not asked, and credentials not tried.
    pub fn ping(&self, registry: &Registry) -> Result<(Registry, Option<SystemTime>), RegistryError> {
        self.runtime.block_on(async {
            let session = open(&self.shared, registry, &*self.notices).await?;
            let date = endpoint::time(&session).await;
            Ok((session.registry.clone(), date))
        })
    }

    /// All tags of a repository, in the registry's order. A repository that is not there is an error.
    pub fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        self.runtime.block_on(async {
            let wanted = repository.to_string();
            let found = at_first(&self.shared, repository, wanted, &*self.notices, listing::tags).await?;
            Ok(found.1)
        })
    }

    /// All repositories of a registry, in its order, and the registry with the port where it was found. Many registries
    /// don't list them, or not to everybody. `like`: a repository that decides which credentials are used. Mirrors are not
    /// asked: what they have is not what the registry has.
    pub fn repositories(
        &self,
        registry: &Registry,
        like: &RepositoryPath,
    ) -> Result<(Registry, Vec<String>), RegistryError> {
        let wanted = Repository { registry: registry.clone(), path: like.clone() };
        permit(&self.shared, registry.host(), &[wanted])?;
        self.runtime.block_on(async {
            let session = open(&self.shared, registry, &*self.notices).await?;
            Ok((session.registry.clone(), listing::repositories(&session, like).await?))
        })
    }

    async fn at_first<T>(
        &self,
        target: &Target,
        ask: impl AsyncFn(&Session<'_>, &RepositoryPath) -> Result<T, RegistryError>,
    ) -> Result<(Repository, T), RegistryError> {
        at_first(&self.shared, &target.repository, target.wanted.clone(), &*self.notices, ask).await
    }
}

/// What a reference names.
struct Target {
    repository: Repository,
    tag: Tag,
    digest: Option<Digest>,
    wanted: String,
}

impl Target {
    fn of(reference: &Reference) -> Result<Target, RegistryError> {
        let repository = reference.repository().map_err(|error| RegistryError::Client { cause: error.to_string() })?;
        let tag = reference.tag.clone().unwrap_or_else(|| "latest".parse().expect("`latest` is a tag"));
        Ok(Target { repository, tag, digest: reference.digest, wanted: reference.to_string() })
    }

    fn name(&self) -> Name<'_> {
        self.digest.map_or(Name::Tag(&self.tag), Name::Digest)
    }
}

/// What is there; nothing is an error, so that the next place is asked.
async fn head(session: &Session<'_>, path: &RepositoryPath, name: Name<'_>) -> Result<Found, RegistryError> {
    let request = accepting(Request::reading(reqwest::Method::HEAD, url(session, path, name), path));
    match session.retrying(async || ask(session, &request, name).await).await? {
        Found::Nothing => Err(RegistryError::Missing { request: request.line(), message: String::new() }),
        found => Ok(found),
    }
}

/// That a blob is there; that it isn't is an error, so that the next place is asked.
async fn has(session: &Session<'_>, path: &RepositoryPath, blob: BlobDescriptor) -> Result<(), RegistryError> {
    let request = Request::reading(reqwest::Method::HEAD, session.url(path, &format!("blobs/{}", blob.digest)), path);
    match session.retrying(async || upload::asked(session, &request, blob).await).await? {
        true => Ok(()),
        false => Err(RegistryError::Missing { request: request.line(), message: String::new() }),
    }
}
