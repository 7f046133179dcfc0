//! `--cache-from` and `--cache-to`: the caches that a command shares with other machines.
//!
//! Joins `shared` to `registry`. A cache that fails is a warning, to be read from and to be written to alike: no build
//! fails for its cache.

use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::registries;
use crate::action::record::{Blob, Record};
use crate::action::{ActionGraph, Operation};
use crate::build::scheduler::Built;
use crate::effect::share::Sharing;
use crate::event::{Event, Listener};
use crate::reference::{Reference, Repository, RepositoryPath, Tag};
use crate::registry::{BlobDescriptor, ClientConfig, Puller, RegistryError, RetryPolicy};
use crate::shared::cache::SharedCache;
use crate::shared::depot::{Depot, DepotError};
use crate::store::{Cache, Store};

/// So many retries, of which the first comes at once: a cache is not worth a long wait.
const DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(900)];
/// How many records are written at once.
const AT_ONCE: usize = 16;

/// Registries that are asked once one of them is needed.
struct Client {
    config: ClientConfig,
    puller: OnceLock<Result<Puller, RegistryError>>,
}

impl Client {
    fn puller(&self) -> Result<&Puller, DepotError> {
        self.puller.get_or_init(|| Puller::new(self.config.clone())).as_ref().map_err(failed)
    }
}

struct RegistryDepot {
    repository: Repository,
    client: Arc<Client>,
}

impl Depot for RegistryDepot {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    fn manifest(&self, tag: &Tag) -> Result<Option<Vec<u8>>, DepotError> {
        let Repository { registry, path } = self.repository.clone();
        let reference = Reference { registry: Some(registry), path, tag: Some(tag.clone()), digest: None };
        match self.client.puller()?.resolve(&reference) {
            Ok(document) => Ok(Some(document.bytes.into())),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn has(&self, blob: &Blob) -> Result<bool, DepotError> {
        self.client.puller()?.has(&self.repository, &descriptor(blob)).map_err(|error| failed(&error))
    }

    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>, DepotError> {
        let opened = self.client.puller()?.open(&self.repository, &descriptor(blob));
        Ok(Box::new(opened.map_err(|error| failed(&error))?))
    }
}

fn descriptor(blob: &Blob) -> BlobDescriptor {
    BlobDescriptor { digest: blob.digest, size: blob.size }
}

/// A registry that serves something wrong may serve the rest right.
fn failed(error: &RegistryError) -> DepotError {
    match error {
        RegistryError::WrongBytes { .. } | RegistryError::Protocol { .. } | RegistryError::Schema1 { .. } => {
            DepotError::Unusable(error.to_string())
        }
        _ => DepotError::Down(error.to_string()),
    }
}

/// The caches of a call that are read. `keep`: what is found goes into the store. With `--offline` none is.
pub fn open<'a>(project: &Project, store: &'a Store, keep: bool, cx: &Context) -> Result<SharedCache<'a>, CliError> {
    let written = &cx.globals.cache_from;
    let from = if written.is_empty() { &project.workspace.settings.cache_from } else { written };
    let from = if cx.globals.offline { &[][..] } else { from };
    if from.is_empty() {
        return Ok(SharedCache::new(store, Vec::new(), keep));
    }
    let client = Arc::new(Client { config: config(project, cx)?, puller: OnceLock::new() });
    let depot = |repository: &Repository| -> Box<dyn Depot> {
        Box::new(RegistryDepot { repository: repository.clone(), client: client.clone() })
    };
    Ok(SharedCache::new(store, from.iter().map(depot).collect(), keep))
}

/// The cache of a call that is written to, else the workspace's. With `--offline` none is.
pub fn written_to(project: &Project, cx: &Context) -> Option<Repository> {
    let to = cx.globals.cache_to.as_ref().or(project.workspace.settings.cache_to.as_ref());
    to.filter(|_| !cx.globals.offline).cloned()
}

fn config(project: &Project, cx: &Context) -> Result<ClientConfig, CliError> {
    let config = registries::client(cx, &project.workspace.settings.registries)?;
    let retry = RetryPolicy { delays: DELAYS.to_vec(), ..config.retry };
    Ok(ClientConfig { retry, parallel: AT_ONCE, ..config })
}

/// A build that is over, as far as its records are concerned.
pub struct Finished<'a> {
    /// The workspace.
    pub project: &'a Project,
    /// The actions.
    pub graph: &'a ActionGraph,
    /// What they gave.
    pub built: &'a Built,
    /// Where their blobs are.
    pub store: &'a Store,
    /// What was found elsewhere.
    pub shared: &'a SharedCache<'a>,
}

impl Finished<'_> {
    /// Writes the records to a cache, but those that were found there. What fails is a warning.
    pub fn write(&self, to: &Repository, cx: &Context, listener: &dyn Listener) -> Result<(), CliError> {
        for ((key, output), action) in self.built.keys.iter().zip(&self.built.outputs).zip(&self.graph.actions) {
            let (Some(key), Some(output), true) = (key, output, action.operation.is_portable()) else { continue };
            if self.shared.origin(key) != Some(to) {
                let record = Record { output: output.clone(), components: Vec::new(), shared: None, elapsed: None };
                self.shared.put(key, &record.encode())?;
            }
        }
        let (mount_from, elsewhere) = (self.published(to, cx)?, self.shared.held().into_iter().collect());
        let sharing = Sharing { to: to.clone(), mount_from, elsewhere, store: self.store, began: Instant::now() };
        let pending = self.shared.take_pending();
        if pending.is_empty() {
            return Ok(());
        }
        let results = sharing.put(&pending, config(self.project, cx)?, listener);
        let failed: Vec<RegistryError> = match results {
            Ok(results) => results.into_iter().filter_map(Result::err).collect(),
            Err(error) => vec![error],
        };
        if let Some(error) = failed.first() {
            let text = format!(
                "{} of {} records could not be written to the cache {to}: {error}",
                failed.len(),
                pending.len()
            );
            listener.event(Event::Warning(text));
        }
        Ok(())
    }

    /// Where in the cache's registry the images of a build are published, if there: their layers are mounted from there.
    fn published(&self, to: &Repository, cx: &Context) -> Result<Vec<RepositoryPath>, CliError> {
        let registry = self.project.registry(cx)?;
        if registry.registry != to.registry {
            return Ok(Vec::new());
        }
        let images = self.graph.actions.iter();
        let images = images.filter(|action| matches!(action.operation, Operation::Image(_)));
        let images = images.filter(|action| action.label.package.external().is_none());
        Ok(images.filter_map(|action| Some(registry.repository(&action.label).ok()?.path)).collect())
    }
}
