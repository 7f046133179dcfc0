//! An embedded registry for one developer's machine: the distribution specification's pull, push, mount, lists and referrers.
//!
//! Takes a loopback address and a [`Storage`]; serves until it is told to stop, and ends what it began. No passwords, no TLS:
//! it listens on loopback alone and refuses what browsers send. Shares nothing with the client but the ground. Knows neither
//! the store nor the environment.

mod blobs;
mod endpoint;
mod guard;
mod lists;
mod manifest_parts;
mod manifests;
mod page;
mod range;
mod referrers;
mod refusal;
mod router;
mod served;
mod sessions;
mod storage;
mod transfer;
mod uploads;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::serve::ListenerExt as _;

pub use router::{Answered, Log, router};
pub use storage::{Deleted, Incoming, Publication, Storage, StorageError, StoredManifest};

use crate::reason::reason;

/// Why no registry is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Other machines could reach it.
    #[error(
        "{0} is not a loopback address: the embedded registry has no passwords and is for this machine alone; for others run \
         a real one, such as docker-registry, zot or Harbor"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be listened on, or listening ended.
    #[error("cannot listen on {address}: {}", reason(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// A registry that listens, and answers once it runs.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on a loopback address; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> Result<Server, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Server { listener, address })
        };
        listen().map_err(|source| ServeError::Listen { address, source })
    }

    /// Where it listens, with the port that it has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done, then ends the requests that it is answering.
    pub fn run(
        self,
        storage: Arc<dyn Storage>,
        log: Log,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let address = self.address;
        let serve = || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(self.listener)?;
                // An answer is small and awaited: it must not wait for another to share a packet with.
                let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
                axum::serve(listener, router(storage, log)).with_graceful_shutdown(stop).await
            })
        };
        serve().map_err(|source| ServeError::Listen { address, source })
    }
}
