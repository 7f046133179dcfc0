//! `GET /v2/`, `/v2/_catalog` and `/v2/<repository>/tags/list`: names, a page at a time.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::page::Page;
use super::refusal::{Code, Refusal};
use super::served::{Call, Served, answer};
use crate::reference::RepositoryPath;

/// `/v2/`: yes, this is a registry.
pub(super) fn root() -> Result<Response<Body>, Refusal> {
    answer(StatusCode::OK, [(CONTENT_TYPE, "application/json".to_owned())], "{}")
}

/// Every repository that holds a manifest.
pub(super) async fn catalog(served: &Served, call: &Call) -> Result<Response<Body>, Refusal> {
    let names = served.ask(|storage| storage.repositories()).await?;
    page(call, names.iter().map(ToString::to_string).collect(), "/v2/_catalog", |names| json!({"repositories": names}))
}

/// A repository's tags; none where it holds manifests without tags.
pub(super) async fn tags(served: &Served, call: &Call, repository: RepositoryPath) -> Result<Response<Body>, Refusal> {
    let of = repository.clone();
    let tags = served.ask(move |storage| {
        let tags = storage.tags(&of)?;
        Ok(if tags.is_empty() && !storage.repositories()?.contains(&of) { None } else { Some(tags) })
    });
    let unknown = || Refusal::new(Code::NameUnknown, format!("there is no repository {repository}"));
    let tags = tags.await?.ok_or_else(unknown)?.iter().map(ToString::to_string).collect();
    page(call, tags, &format!("/v2/{repository}/tags/list"), |tags| json!({"name": repository.as_str(), "tags": tags}))
}

fn page(
    call: &Call,
    entries: Vec<String>,
    path: &str,
    shown: impl FnOnce(Vec<String>) -> Value,
) -> Result<Response<Body>, Refusal> {
    let (entries, link) = Page::parse(&call.query)?.cut(entries, path);
    let content_type = (CONTENT_TYPE, "application/json".to_owned());
    let mut answer = answer(StatusCode::OK, [content_type], shown(entries).to_string())?;
    answer.headers_mut().extend(link.map(|link| (LINK, link)));
    Ok(answer)
}
