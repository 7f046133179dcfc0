//! Where the blobs of a push come from: this machine, or another registry, whose bytes are then streamed through.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::blob::{BlobDescriptor, BlobSource, Supply};
use super::download::Download;
use super::endpoint::Shared;
use super::error::RegistryError;
use super::session::Notice;
use crate::digest::Digest;
use crate::reason::reason;
use crate::reference::{Registry, RepositoryPath};

/// The blobs of a push.
pub(super) struct Origins<'a> {
    shared: &'a Arc<Shared>,
    source: &'a dyn BlobSource,
    /// What downloads, which run on threads of their own, have to tell.
    told: (Sender<Notice>, Receiver<Notice>),
}

impl<'a> Origins<'a> {
    /// Blobs of a source, and of the registries that it names.
    pub fn new(shared: &'a Arc<Shared>, source: &'a dyn BlobSource) -> Origins<'a> {
        Origins { shared, source, told: channel() }
    }

    /// A blob's bytes from the first on. Those of another registry are asked for as they are taken.
    pub fn open(&self, blob: BlobDescriptor) -> Result<Supply, RegistryError> {
        let digest = blob.digest;
        let Some(origin) = self.source.origin(&digest) else {
            let reader = self.source.open(&digest);
            return reader.map(Supply::Reader).map_err(|error| RegistryError::Source { digest, cause: reason(&error) });
        };
        let tell = Mutex::new(self.told.0.clone());
        let notices = move |notice| {
            let _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send(notice);
        };
        let download = Download::new(self.shared.clone(), &origin, blob, Arc::new(notices))?;
        Ok(Supply::Parts(download.parts()))
    }

    /// The repository that a blob comes from, where that is in one registry (under either of its names).
    pub fn within(&self, digest: Digest, registry: [&Registry; 2]) -> Option<RepositoryPath> {
        let origin = self.source.origin(&digest)?;
        registry.contains(&&origin.registry).then_some(origin.path)
    }

    /// What happened to downloads since the last call.
    pub fn notices(&self) -> impl Iterator<Item = Notice> {
        self.told.1.try_iter()
    }
}
