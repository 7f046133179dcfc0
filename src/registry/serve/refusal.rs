//! What a request is refused with: a code of the distribution specification, its status, and a sentence.
//!
//! One file for all codes; `IntoResponse` makes the specification's JSON of it ("Error Codes").

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;

use super::storage::StorageError;

/// Why a request is refused, as programs read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    NotFound,
    PageInvalid,
    RangeInvalid,
    SizeInvalid,
    TooLarge,
    Unknown,
    Unsupported,
}

impl Code {
    /// Its text in JSON, and the status that goes with it.
    fn shown(self) -> (&'static str, StatusCode) {
        match self {
            Code::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Code::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Code::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Code::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Code::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Code::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::BAD_REQUEST),
            Code::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Code::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Code::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Code::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Code::NotFound => ("UNSUPPORTED", StatusCode::NOT_FOUND),
            Code::PageInvalid => ("PAGINATION_NUMBER_INVALID", StatusCode::BAD_REQUEST),
            Code::RangeInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
            Code::SizeInvalid => ("SIZE_INVALID", StatusCode::BAD_REQUEST),
            Code::TooLarge => ("MANIFEST_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
            Code::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
            Code::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub code: Code,
    /// For people: a phrase.
    pub message: String,
    headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl ToString) -> Refusal {
        Refusal { code, message: message.to_string(), headers: Vec::new() }
    }

    /// Adds headers, such as where an upload stands.
    pub(super) fn with(mut self, headers: impl IntoIterator<Item = (HeaderName, String)>) -> Refusal {
        self.headers.extend(headers);
        self
    }
}

/// A task of ours did not end as it should.
impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Refusal {
        Refusal::new(Code::Unknown, format!("the request was given up: {error}"))
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Refusal {
        Refusal::new(Code::Unknown, error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        let (code, status) = self.code.shown();
        let body = serde_json::json!({"errors": [{"code": code, "message": self.message, "detail": null}]});
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What has no place in a header is left out: it is a digest or a path of ours, which always has one.
        let headers = self.headers.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        response.headers_mut().extend(headers);
        response
    }
}
