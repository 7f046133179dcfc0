//! Talks to registries: authentication, transport, pull, push.
//!
//! Takes references, manifests and a source of blobs; reads what registries have, publishes and says what it did.
//! Asynchronous inside, two blocking entries ([`Puller`], [`Pusher`]). Knows neither labels, rules nor the store, and never reads the environment:
//! paths, credentials' places and delays are given to it. Every [`RegistryError`] is of the class
//! "the environment failed".

mod advice;
mod answer;
mod auth;
mod blob;
mod challenge;
mod config;
mod credentials;
mod document;
mod download;
mod endpoint;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
mod feed;
mod helper;
mod listing;
mod manifest;
mod origins;
mod place;
mod proxy;
mod publication;
mod publish;
mod pull;
#[cfg(test)]
mod pulls;
mod push;
mod retry;
mod secret;
pub mod serve;
mod session;
mod standing;
mod supply;
mod survey;
#[cfg(test)]
mod testing;
mod transport;
#[cfg(test)]
mod trust;
mod upload;
#[cfg(test)]
mod uploads;

pub use blob::{BlobDescriptor, BlobSource};
pub use config::{AllowHosts, ClientConfig, ClientIdentity, HostConfig, Timeouts};
pub use credentials::CredentialSources;
pub use document::Document;
pub use download::BlobReader;
pub use error::{RegistryError, RequestLine, Tried};
pub use helper::HelperEnvironment;
pub use proxy::Proxies;
pub use publication::{Child, PushEvent, PushRequest, Pushed};
pub use pull::Puller;
pub use push::Pusher;
pub use retry::RetryPolicy;
pub use session::Notice;
pub use survey::{Survey, Surveyed, survey};
