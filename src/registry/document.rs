//! A manifest or index as a registry serves it: read within a limit, its digest and kind verified.
//!
//! Takes an answer, gives bytes that are what was asked for. What stands in them, the reader of the manifest knows.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

use super::answer::{header, message};
use super::error::{RegistryError, RequestLine};
use super::manifest::{Name, accepting, digest_of, url};
use super::session::{Request, Session};
use crate::digest::Digest;
use crate::reference::{Repository, RepositoryPath};

/// The most bytes that a manifest may have: what registries take (distribution-spec, "Pushing manifests").
pub const LIMIT: usize = 4 * 1024 * 1024;

/// A manifest or index as served. Its digest is that of its bytes, and the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The digest of the bytes.
    pub digest: Digest,
    /// What it says it is, without parameters: a manifest or an index, OCI's or Docker's (schema 2).
    pub media_type: String,
    /// The bytes as served.
    pub bytes: Bytes,
    /// Where it was found: a mirror, or the registry with the port where it answered.
    pub from: Repository,
}

/// A manifest before it is known where it came from.
pub(super) struct Served {
    digest: Digest,
    media_type: String,
    bytes: Bytes,
}

impl Served {
    /// The same, found at `from`.
    pub fn at(self, from: Repository) -> Document {
        Document { digest: self.digest, media_type: self.media_type, bytes: self.bytes, from }
    }
}

/// Gets the manifest of a name.
pub(super) async fn get(session: &Session<'_>, path: &RepositoryPath, name: Name<'_>) -> Result<Served, RegistryError> {
    let request = accepting(Request::reading(Method::GET, url(session, path, name), path));
    session.retrying(async || ask(session, &request, name).await).await
}

async fn ask(session: &Session<'_>, request: &Request<'_>, name: Name<'_>) -> Result<Served, RegistryError> {
    let response = session.exchange(request).await?;
    match response.status() {
        StatusCode::OK => read(request.line(), response, name).await,
        StatusCode::NOT_FOUND => {
            Err(RegistryError::Missing { request: request.line(), message: message(response).await })
        }
        _ => Err(session.refused(request, response).await),
    }
}

async fn read(request: RequestLine, response: Response, name: Name<'_>) -> Result<Served, RegistryError> {
    let headers = response.headers().clone();
    let bytes = whole(&request, response, LIMIT).await?;
    let wanted = match name {
        Name::Digest(digest) => Some(digest),
        Name::Tag(_) => digest_of(&headers),
    };
    let media_type = kind(&request, &headers, &bytes)?;
    let digest = Digest::of(&bytes);
    match wanted.filter(|wanted| *wanted != digest) {
        Some(wanted) => Err(RegistryError::WrongBytes { request, wanted, found: digest }),
        None => Ok(Served { digest, media_type, bytes }),
    }
}

/// A body of at most `limit` bytes.
pub(super) async fn whole(request: &RequestLine, mut response: Response, limit: usize) -> Result<Bytes, RegistryError> {
    let too_large = || {
        let what = format!("the answer is larger than {} MiB, the most that a registry should serve here", limit >> 20);
        RegistryError::Protocol { request: request.clone(), what }
    };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| RegistryError::unanswered(request.clone(), &error))?;
        let Some(chunk) = chunk else { return Ok(bytes.into()) };
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limit {
            return Err(too_large());
        }
    }
}

/// What any manifest says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    schema_version: Option<u64>,
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

/// The media type: what the manifest says, else what the answer's header says, else what it looks like.
fn kind(request: &RequestLine, headers: &HeaderMap, bytes: &[u8]) -> Result<String, RegistryError> {
    let protocol = |what: &str| RegistryError::Protocol { request: request.clone(), what: what.to_owned() };
    let served = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let served = served.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(protocol("answered with a page of HTML instead of a manifest"));
    }
    let kind: Kind =
        serde_json::from_slice(bytes).map_err(|_| protocol("the manifest is not the JSON it should be"))?;
    if kind.schema_version == Some(1) || served.starts_with("application/vnd.docker.distribution.manifest.v1+") {
        return Err(RegistryError::Schema1 { request: request.clone() });
    }
    if kind.schema_version != Some(2) {
        return Err(protocol("the answer is JSON, but no manifest"));
    }
    let shape = if kind.manifests.is_some() { INDEX } else { MANIFEST };
    let said = Some(served).filter(|served| served.starts_with("application/vnd."));
    Ok(kind.media_type.or(said).unwrap_or_else(|| shape.to_owned()))
}

const INDEX: &str = oci_distribution::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
const MANIFEST: &str = oci_distribution::manifest::OCI_IMAGE_MEDIA_TYPE;
