//! Publishes images and indexes: the one blocking entry. In which order it goes: see `publish`.
//!
//! Takes manifests as bytes and blobs by digest; knows nothing of what is in them.

use tokio::runtime::Runtime;

use super::blob::BlobSource;
use super::config::ClientConfig;
use super::credentials::Credentials;
use super::endpoint::{Shared, open};
use super::error::{RegistryError, deepest};
use super::publication::{PushEvent, PushRequest, Pushed};
use super::publish::{Push, Sessions};
use super::session::Notice;
use super::transport::Transport;

/// Publishes images.
pub struct Pusher {
    runtime: Runtime,
    shared: Shared,
}

impl Pusher {
    /// Reads the credential files and the system's TLS roots.
    pub fn new(config: ClientConfig) -> Result<Pusher, RegistryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| RegistryError::Client { cause: deepest(&error) })?;
        let transport = Transport::new(config.timeouts)?;
        let credentials = Credentials::new(config.credentials.clone());
        Ok(Pusher { runtime, shared: Shared { config, transport, credentials } })
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
