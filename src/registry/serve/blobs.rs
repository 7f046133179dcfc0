//! `GET`, `HEAD /v2/<repository>/blobs/<digest>`: a blob, whole or in part, straight from where it is kept.
//!
//! Deleting blobs is refused: whatever a manifest names stays as long as the manifest does.

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{Response, StatusCode};

use super::range::{Part, wanted};
use super::refusal::{Code, Refusal};
use super::served::{CONTENT_DIGEST, Call, Served, answer};
use super::transfer::send;
use crate::digest::Digest;
use crate::reference::RepositoryPath;

pub(super) async fn get(
    served: &Served,
    call: &Call,
    repository: RepositoryPath,
    digest: Digest,
) -> Result<Response<Body>, Refusal> {
    let unknown = Refusal::new(Code::BlobUnknown, format!("{repository} has no blob {digest}"));
    let size = served.ask(move |storage| storage.blob(&repository, &digest)).await?.ok_or(unknown)?;
    let (status, part) = match wanted(&call.headers, size) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(part) => (StatusCode::PARTIAL_CONTENT, part),
        Part::Beyond => {
            return answer(StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, format!("bytes */{size}"))], "");
        }
    };
    let mut headers = vec![
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, (part.end - part.start).to_string()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_DIGEST, digest.to_string()),
    ];
    if status == StatusCode::PARTIAL_CONTENT {
        headers.push((CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1)));
    }
    if call.head {
        return answer(status, headers, "");
    }
    let reader = served.ask(move |storage| storage.open(&digest, size, part)).await?;
    answer(status, headers, send(reader))
}
