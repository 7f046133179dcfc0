//! `/v2/<repository>/blobs/uploads/`: blobs that come, in one request, in two, or in many, or from another repository.
//!
//! Distribution specification, "Pushing Blobs". A blob is kept only once all of it came and its digest is the one announced.

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use axum::http::{Response, StatusCode};

use super::endpoint;
use super::refusal::{Code, Refusal};
use super::served::{CONTENT_DIGEST, Call, Served, UPLOAD, answer};
use super::storage::{Storage, StorageError};
use super::transfer::{Held, receive};
use crate::digest::Digest;
use crate::reference::RepositoryPath;

type Answer = Result<Response<Body>, Refusal>;

/// `POST`: a mount, a whole blob, or the beginning of an upload.
pub(super) async fn begin(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: RepositoryPath,
) -> Answer {
    if let Some(digest) = call.parameter("mount") {
        let digest = endpoint::digest(&digest)?;
        let from = call.parameter("from").map(|from| endpoint::repository(&[&from])).transpose()?;
        let to = repository.clone();
        if served.ask(move |storage| mount(storage, &digest, from, &to)).await? {
            return kept(&repository, &digest);
        }
    }
    let digest = call.parameter("digest").map(|text| endpoint::digest(&text)).transpose()?;
    let incoming = served.ask(|storage| storage.begin()).await?;
    let name = served.sessions.begin(repository.clone(), incoming);
    match digest {
        // The client doesn't know the upload's name, so it can't go on with one that failed.
        Some(digest) => {
            finish(served, call, body, repository, &name, digest).await.inspect_err(|_| served.sessions.end(&name))
        }
        None => answer(StatusCode::ACCEPTED, standing(&repository, &name, 0), ""),
    }
}

/// From the repository named, else from any that has it.
fn mount(
    storage: &dyn Storage,
    digest: &Digest,
    from: Option<RepositoryPath>,
    to: &RepositoryPath,
) -> Result<bool, StorageError> {
    let from = from.map_or_else(|| storage.repositories(), |from| Ok(vec![from]))?;
    for from in from {
        if storage.mount(digest, &from, to)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `PATCH`: more bytes.
pub(super) async fn append(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: RepositoryPath,
    name: &str,
) -> Answer {
    let upload = more(served, call, body, &repository, name).await?;
    answer(StatusCode::ACCEPTED, standing(&repository, name, size(&upload)), "")
}

/// `PUT`: the last bytes, if any, and the digest of all.
pub(super) async fn end(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: RepositoryPath,
    name: &str,
) -> Answer {
    let missing = || Refusal::new(Code::DigestInvalid, "an upload ends with `?digest=` and the digest of the blob");
    let digest = endpoint::digest(&call.parameter("digest").ok_or_else(missing)?)?;
    finish(served, call, body, repository, name, digest).await
}

/// `GET`: how far it is.
pub(super) async fn status(served: &Served, repository: RepositoryPath, name: &str) -> Answer {
    let upload = find(served, &repository, name).await?;
    answer(StatusCode::NO_CONTENT, standing(&repository, name, size(&upload)), "")
}

/// `DELETE`: it is given up.
pub(super) async fn cancel(served: &Served, repository: RepositoryPath, name: &str) -> Answer {
    find(served, &repository, name).await?.take();
    served.sessions.end(name);
    answer(StatusCode::NO_CONTENT, [], "")
}

async fn finish(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: RepositoryPath,
    name: &str,
    digest: Digest,
) -> Answer {
    let mut upload = more(served, call, body, &repository, name).await?;
    let incoming = upload.take().ok_or_else(|| unknown(name))?;
    served.sessions.end(name);
    let to = repository.clone();
    match served.ask(move |_| incoming.keep(&to, &digest)).await? {
        Ok(()) => kept(&repository, &digest),
        Err(found) => {
            let why = format!("the bytes that came have the digest {found}, not {digest}: send them again");
            Err(Refusal::new(Code::DigestInvalid, why))
        }
    }
}

/// Takes a request's bytes into an upload; refuses what does not begin where the upload ends.
async fn more(
    served: &Served,
    call: &Call,
    body: &mut BodyDataStream,
    repository: &RepositoryPath,
    name: &str,
) -> Result<Held, Refusal> {
    let upload = find(served, repository, name).await?;
    let before = size(&upload);
    let Some(range) = call.header(CONTENT_RANGE).map(str::to_owned) else {
        return receive(body, upload).await;
    };
    let (first, last) = parse(&range)
        .ok_or_else(|| Refusal::new(Code::BlobUploadInvalid, format!("Content-Range is `{range}`, not FIRST-LAST")))?;
    if first != before {
        let why = format!("the upload has {before} bytes, so its next part begins at byte {before}, not {first}");
        return Err(Refusal::new(Code::RangeInvalid, why).with(standing(repository, name, before)));
    }
    let wrong = || {
        Refusal::new(Code::SizeInvalid, format!("the part has another length than its Content-Range, {range}, says"))
    };
    let expected = (last - first).saturating_add(1);
    if call.length().is_some_and(|length| length != expected) {
        return Err(wrong());
    }
    let upload = receive(body, upload).await?;
    if size(&upload) - before != expected {
        served.sessions.end(name);
        return Err(wrong());
    }
    Ok(upload)
}

/// `FIRST-LAST`; some clients write `bytes=` or `bytes ` before it, and `/TOTAL` behind.
fn parse(range: &str) -> Option<(u64, u64)> {
    let range = range.trim_start_matches("bytes").trim_start_matches(['=', ' ']);
    let (first, last) = range.split('/').next()?.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

async fn find(served: &Served, repository: &RepositoryPath, name: &str) -> Result<Held, Refusal> {
    let upload = served.sessions.find(repository, name).ok_or_else(|| unknown(name))?;
    // Another request may just be writing, or its connection may have broken and the last of its bytes are being written.
    let held = upload.lock_owned().await;
    if held.is_some() { Ok(held) } else { Err(unknown(name)) }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(Code::BlobUploadUnknown, format!("there is no upload `{name}` into this repository: begin a new one"))
}

fn size(upload: &Held) -> u64 {
    upload.as_ref().map_or(0, |incoming| incoming.size())
}

/// Where an upload is, and what it has.
fn standing(repository: &RepositoryPath, name: &str, size: u64) -> [(HeaderName, String); 4] {
    [
        (LOCATION, format!("/v2/{repository}/blobs/uploads/{name}")),
        (RANGE, format!("0-{}", size.saturating_sub(1))),
        (UPLOAD, name.to_owned()),
        (CONTENT_LENGTH, "0".to_owned()),
    ]
}

fn kept(repository: &RepositoryPath, digest: &Digest) -> Answer {
    let location = (LOCATION, format!("/v2/{repository}/blobs/{digest}"));
    answer(StatusCode::CREATED, [location, (CONTENT_DIGEST, digest.to_string()), (CONTENT_LENGTH, "0".to_owned())], "")
}
