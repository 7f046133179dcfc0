//! What every endpoint works with: the storage, the uploads on their way, and the request's own values.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Response, StatusCode};

use super::refusal::{Code, Refusal};
use super::sessions::Sessions;
use super::storage::{Storage, StorageError};

/// `Docker-Content-Digest`: the digest of what an answer is about.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// `OCI-Subject`: says that the subject of a manifest was understood.
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// `OCI-Filters-Applied`: by what a list of referrers was narrowed.
pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// `Docker-Upload-UUID`: the name of an upload.
pub(super) const UPLOAD: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// What the registry serves from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Served {
    pub storage: Arc<dyn Storage>,
    pub sessions: Arc<Sessions>,
}

/// A request, but for its method, path and body.
pub(super) struct Call {
    pub headers: HeaderMap,
    /// What follows the `?`; empty where nothing does.
    pub query: String,
    /// Only the headers of the answer are wanted.
    pub head: bool,
}

impl Served {
    /// Asks the storage on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let storage = self.storage.clone();
        Ok(tokio::task::spawn_blocking(move || question(&*storage)).await??)
    }
}

impl Call {
    /// A parameter of the query, decoded; `None` where it isn't there.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A header's text; `None` where it is absent or no text.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number of bytes that the request announces; `None` where it doesn't say.
    pub(super) fn length(&self) -> Option<u64> {
        self.header(axum::http::header::CONTENT_LENGTH)?.parse().ok()
    }
}

/// An answer.
pub(super) fn answer(
    status: StatusCode,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
    body: impl Into<Body>,
) -> Result<Response<Body>, Refusal> {
    let builder = headers
        .into_iter()
        .fold(Response::builder().status(status), |builder, (name, value)| builder.header(name, value));
    builder.body(body.into()).map_err(|error| Refusal::new(Code::Unknown, error))
}
