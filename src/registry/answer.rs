//! What an answer that isn't the hoped-for one means: its status, and what the registry says about it.

use std::time::SystemTime;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};

use super::challenge::is_insufficient_scope;
use super::error::{RegistryError, RequestLine, message_of};
use super::retry::parse_retry_after;
use crate::digest::Digest;

/// How much of an error's body is read.
const MESSAGE_LIMIT: usize = 64 * 1024;

/// The error that an answer stands for. `note` says which credentials were used and what to do about them.
pub(super) async fn refusal(request: RequestLine, response: Response, note: String) -> RegistryError {
    let status = response.status();
    let retry_after = header(response.headers(), RETRY_AFTER.as_str());
    let retry_after = retry_after.and_then(|text| parse_retry_after(text, SystemTime::now()));
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    let too_small = is_insufficient_scope(challenges);
    let message = message(response).await;
    match status {
        StatusCode::UNAUTHORIZED if !too_small => RegistryError::Unauthorized { request, message, note },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied { request, message, note },
        _ => RegistryError::Status { request, status: status.as_u16(), message, retry_after },
    }
}

/// A header's text; `None` where it is absent or no text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the answer to a HEAD is about these bytes: by its digest where it says one, else by its length.
pub(super) fn describes(headers: &HeaderMap, digest: Digest, size: u64) -> bool {
    // Some servers say 0 where they leave the body out.
    let length = header(headers, CONTENT_LENGTH.as_str()).filter(|length| *length != "0");
    match (header(headers, "docker-content-digest"), length) {
        (Some(found), _) => found.parse() == Ok(digest),
        (None, Some(length)) => length.parse() == Ok(size),
        (None, None) => true,
    }
}

/// Whether the body is said to be a page for people.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// What the registry says about it; may be empty.
pub(super) async fn message(response: Response) -> String {
    message_of(&beginning(response).await)
}

/// The body's first 64 KiB; what was read so far where it breaks off: a message is welcome, not needed.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MESSAGE_LIMIT {
            body.truncate(MESSAGE_LIMIT);
            break;
        }
    }
    body
}
