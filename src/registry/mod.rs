//! Talks to registries: authentication, transport, push.
//!
//! Takes references, manifests and a source of blobs; publishes them and says what it did. Asynchronous inside,
//! one blocking entry ([`Pusher`]). Knows neither labels, rules nor the store, and never reads the environment:
//! paths, credentials' places and delays are given to it. Every [`RegistryError`] is of the class
//! "the environment failed".

mod answer;
mod auth;
mod blob;
mod challenge;
mod config;
mod credentials;
mod endpoint;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
mod helper;
mod manifest;
mod push;
mod retry;
mod secret;
pub mod serve;
mod session;
mod supply;
mod transport;
mod upload;

pub use blob::{BlobDescriptor, BlobSource};
pub use config::{ClientConfig, HostConfig, Timeouts};
pub use credentials::CredentialSources;
pub use error::{RegistryError, RequestLine, Tried};
pub use helper::HelperEnvironment;
pub use push::{PushEvent, PushRequest, Pushed, Pusher};
pub use retry::RetryPolicy;
pub use session::Notice;
