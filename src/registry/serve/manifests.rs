//! `/v2/<repository>/manifests/<tag or digest>`: manifests, given as they came.
//!
//! One whose blobs or manifests the repository lacks is refused, so that no tag points at something incomplete.

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{Response, StatusCode};
use futures_util::StreamExt;

use super::endpoint::Pointer;
use super::manifest_parts::{Part, Parts, parse};
use super::refusal::{Code, Refusal};
use super::served::{CONTENT_DIGEST, Call, SUBJECT, Served, answer};
use super::storage::{Deleted, Storage, StorageError};
use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

/// How large a manifest may be, in bytes: what the specification asks registries to take at least.
pub(super) const LIMIT: u64 = 4 << 20;

type Answer = Result<Response<Body>, Refusal>;

/// `GET`, `HEAD`.
pub(super) async fn get(served: &Served, call: &Call, repository: RepositoryPath, pointer: Pointer) -> Answer {
    let unknown = unknown(&repository, &pointer);
    let found = served.ask(move |storage| {
        let Some(digest) = resolve(storage, &repository, pointer)? else { return Ok(None) };
        Ok(storage.manifest(&repository, &digest)?.map(|manifest| (digest, manifest)))
    });
    let (digest, manifest) = found.await?.ok_or(unknown)?;
    let headers = [
        (CONTENT_TYPE, manifest.media_type),
        (CONTENT_LENGTH, manifest.bytes.len().to_string()),
        (CONTENT_DIGEST, digest.to_string()),
    ];
    answer(StatusCode::OK, headers, if call.head { Vec::new() } else { manifest.bytes })
}

fn resolve(
    storage: &dyn Storage,
    repository: &RepositoryPath,
    pointer: Pointer,
) -> Result<Option<Digest>, StorageError> {
    match pointer {
        Pointer::Digest(digest) => Ok(Some(digest)),
        Pointer::Tag(tag) => storage.tagged(repository, &tag),
    }
}

/// `PUT`.
pub(super) async fn put(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: RepositoryPath,
    pointer: Pointer,
) -> Answer {
    let bytes = read(call.length(), body).await?;
    let found = Digest::of(&bytes);
    let tag = match pointer {
        Pointer::Tag(tag) => Some(tag),
        Pointer::Digest(digest) if digest == found => None,
        Pointer::Digest(digest) => {
            return Err(Refusal::new(
                Code::DigestInvalid,
                format!("the manifest has the digest {found}, not {digest}"),
            ));
        }
    };
    let invalid = |why: String| Refusal::new(Code::ManifestInvalid, why);
    let parts = parse(&bytes).map_err(invalid)?;
    let publication = parts.publication(bytes, call.header(CONTENT_TYPE)).map_err(invalid)?;
    let (subject, to) = (publication.subject, repository.clone());
    let published = served.ask(move |storage| match lie(storage, &to, &parts)? {
        Some(lie) => Ok(Err(invalid(lie))),
        None => Ok(complete(storage.publish(&to, &publication, tag.as_ref())?.into_iter().collect(), tag)),
    });
    published.await??;
    let location = (LOCATION, format!("/v2/{repository}/manifests/{found}"));
    let subject = subject.map(|subject| (SUBJECT, subject.to_string()));
    answer(StatusCode::CREATED, [location, (CONTENT_DIGEST, found.to_string())].into_iter().chain(subject), "")
}

/// The body, no larger than a manifest may be.
async fn read(length: Option<u64>, body: &mut BodyDataStream) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::new(Code::TooLarge, format!("a manifest has at most {LIMIT} bytes"));
    if length.is_some_and(|length| length > LIMIT) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| Refusal::new(Code::ManifestInvalid, format!("the manifest broke off: {error}")))?;
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > LIMIT {
            return Err(too_large());
        }
    }
    Ok(bytes)
}

/// A size that is not that of what is there; what is not there at all is told apart when it is published.
fn lie(storage: &dyn Storage, repository: &RepositoryPath, parts: &Parts) -> Result<Option<String>, StorageError> {
    let told =
        |part: &Part, size: u64| format!("it says that {} has {} bytes, which has {size}", part.digest, part.size);
    for part in parts.blobs() {
        if let Some(size) = storage.blob(repository, &part.digest)?.filter(|size| *size != part.size) {
            return Ok(Some(told(part, size)));
        }
    }
    for part in parts.manifests() {
        let size = storage.manifest(repository, &part.digest)?.map(|manifest| manifest.bytes.len() as u64);
        if let Some(size) = size.filter(|size| *size != part.size) {
            return Ok(Some(told(part, size)));
        }
    }
    Ok(None)
}

fn complete(missing: Vec<Digest>, tag: Option<Tag>) -> Result<(), Refusal> {
    let Some(first) = missing.first() else { return Ok(()) };
    let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
    let tag = tag.map(|tag| format!("; {tag} stays as it was")).unwrap_or_default();
    let why = format!("the repository lacks {first}{more}, which the manifest names: push that first{tag}");
    Err(Refusal::new(Code::ManifestBlobUnknown, why))
}

/// `DELETE`: of a tag, or of a manifest with the tags that point to it.
pub(super) async fn delete(served: &Served, repository: RepositoryPath, pointer: Pointer) -> Answer {
    let unknown = unknown(&repository, &pointer);
    let deleted = served.ask(move |storage| match pointer {
        Pointer::Digest(digest) => storage.delete_manifest(&repository, &digest),
        Pointer::Tag(tag) => Ok(if storage.delete_tag(&repository, &tag)? { Deleted::Done } else { Deleted::Unknown }),
    });
    match deleted.await? {
        Deleted::Done => answer(StatusCode::ACCEPTED, [], ""),
        Deleted::Unknown => Err(unknown),
        Deleted::NeededBy(index) => Err(Refusal::new(
            Code::Unsupported,
            format!("the index {index} of this repository names it: delete that first"),
        )),
    }
}

fn unknown(repository: &RepositoryPath, pointer: &Pointer) -> Refusal {
    let named = match pointer {
        Pointer::Tag(tag) => format!("tag {tag}"),
        Pointer::Digest(digest) => format!("manifest {digest}"),
    };
    Refusal::new(Code::ManifestUnknown, format!("{repository} has no {named}"))
}
