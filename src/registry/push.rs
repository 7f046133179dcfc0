//! Publishes images and indexes: the one blocking entry. In which order it goes: see `publish`.
//!
//! Takes manifests as bytes and blobs by digest; knows nothing of what is in them.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::blob::BlobSource;
use super::config::ClientConfig;
use super::endpoint::{Shared, open};
use super::error::{RegistryError, deepest};
use super::origins::Origins;
use super::publication::{PushEvent, PushRequest, Pushed};
use super::publish::{Push, Sessions};
use super::session::Notice;

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
            let origins = Origins::new(&self.shared, blobs);
            let push = Push { parallel: self.shared.config.parallel.max(1), origins, events };
            push.run(requests, &sessions).await
        })
    }
}

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
