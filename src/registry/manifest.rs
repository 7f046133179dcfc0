//! Manifests in a registry: which one a tag or digest names, and putting one.

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::advice::keeps_tag;
use super::answer::{describes, header};
use super::error::RegistryError;
use super::session::{Payload, Request, Session};
use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

/// What a manifest is asked for by.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// By its digest.
    Digest(Digest),
    /// By a tag.
    Tag(&'a Tag),
}

/// What a registry has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A manifest with this digest.
    Manifest(Digest),
    /// A manifest whose digest it does not say.
    Unnamed,
}

/// Asks which manifest a tag stands for: one HEAD.
pub(super) async fn head(session: &Session<'_>, path: &RepositoryPath, tag: &Tag) -> Result<Found, RegistryError> {
    let name = Name::Tag(tag);
    let request = accepting(Request::new(Method::HEAD, url(session, path, name), path));
    session.retrying(async || ask(session, &request, name).await).await
}

/// Whether a repository has a manifest: one HEAD by its digest. Something else under that name is not it.
pub(super) async fn has(
    session: &Session<'_>,
    path: &RepositoryPath,
    manifest: &Manifest,
) -> Result<bool, RegistryError> {
    let request = accepting(Request::new(Method::HEAD, url(session, path, Name::Digest(manifest.digest)), path));
    let asked = async || {
        let response = session.exchange(&request).await?;
        match response.status() {
            StatusCode::OK => Ok(describes(response.headers(), manifest.digest, manifest.bytes.len() as u64)),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(session.refused(&request, response).await),
        }
    };
    session.retrying(asked).await
}

/// The same request, which takes every kind of manifest that there is a use for.
pub(super) fn accepting(mut request: Request<'_>) -> Request<'_> {
    let types =
        [OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];
    for media_type in types {
        request.headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    request
}

pub(super) async fn ask(session: &Session<'_>, request: &Request<'_>, name: Name<'_>) -> Result<Found, RegistryError> {
    let response = session.exchange(request).await?;
    match (response.status(), name) {
        (StatusCode::OK, Name::Digest(digest)) => Ok(Found::Manifest(digest)),
        (StatusCode::OK, Name::Tag(_)) => Ok(digest_of(response.headers()).map_or(Found::Unnamed, Found::Manifest)),
        (StatusCode::NOT_FOUND, _) => Ok(Found::Nothing),
        _ => Err(session.refused(request, response).await),
    }
}

/// Puts a manifest under a name.
pub(super) async fn put(
    session: &Session<'_>,
    path: &RepositoryPath,
    name: Name<'_>,
    manifest: &Manifest,
) -> Result<(), RegistryError> {
    let mut request = Request::new(Method::PUT, url(session, path, name), path);
    let line = request.line();
    let media_type = HeaderValue::from_str(&manifest.media_type)
        .map_err(|_| RegistryError::Protocol { request: line, what: "its media type is no header".to_owned() })?;
    request.headers.insert(CONTENT_TYPE, media_type);
    request.payload = Payload::Bytes(manifest.bytes.clone());
    let put = session.retrying(async || send(session, &request, manifest.digest).await).await;
    match name {
        Name::Tag(tag) => put.map_err(|error| moved(tag, error)),
        Name::Digest(_) => put,
    }
}

/// Why a tag could not be put: some registries keep it where it points.
fn moved(tag: &Tag, error: RegistryError) -> RegistryError {
    let (request, status, message) = match &error {
        RegistryError::Denied { request, message, .. } => (request, 403, message),
        RegistryError::Status { request, status, message, .. } => (request, *status, message),
        _ => return error,
    };
    match keeps_tag(status, message) {
        true => RegistryError::TagKept { request: request.clone(), tag: tag.clone(), status, message: message.clone() },
        false => error,
    }
}

/// A manifest's bytes, ready to be sent.
pub(super) struct Manifest {
    /// The bytes.
    pub bytes: bytes::Bytes,
    /// Their media type.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
}

async fn send(session: &Session<'_>, request: &Request<'_>, digest: Digest) -> Result<(), RegistryError> {
    let response = session.exchange(request).await?;
    if !response.status().is_success() {
        return Err(session.refused(request, response).await);
    }
    match (digest_of(response.headers()), response.status()) {
        (Some(stored), _) if stored == digest => Ok(()),
        (Some(stored), _) => Err(request.protocol(format!("it stored the manifest {digest} as {stored}"))),
        (None, StatusCode::CREATED) => Ok(()),
        (None, status) => Err(request.protocol(format!("answered {status}, which does not say that it took it"))),
    }
}

pub(super) fn url(session: &Session<'_>, path: &RepositoryPath, name: Name<'_>) -> Url {
    match name {
        Name::Digest(digest) => session.url(path, &format!("manifests/{digest}")),
        Name::Tag(tag) => session.url(path, &format!("manifests/{tag}")),
    }
}

/// The digest that a registry says an answer has; `None` where it says none that we know.
pub(super) fn digest_of(headers: &HeaderMap) -> Option<Digest> {
    header(headers, "docker-content-digest")?.parse().ok()
}
