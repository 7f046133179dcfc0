//! A repository's tags (distribution-spec, "Listing tags") and a registry's repositories (`_catalog`), which come in pages.

use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::answer::{header, message};
use super::auth::Scope;
use super::document::{LIMIT, whole};
use super::error::RegistryError;
use super::session::{Request, Session};
use crate::reference::RepositoryPath;

/// One page of a list.
#[derive(Deserialize)]
struct Page {
    /// `null` where a repository has no tags.
    #[serde(alias = "tags", alias = "repositories")]
    items: Option<Vec<String>>,
}

/// How many pages are read at most: a million tags.
const PAGES: usize = 1000;

/// All tags of a repository, in the registry's order.
pub(super) async fn tags(session: &Session<'_>, path: &RepositoryPath) -> Result<Vec<String>, RegistryError> {
    let mut url = session.url(path, "tags/list");
    url.set_query(Some("n=1000"));
    all(session, Request::reading(Method::GET, url, path)).await
}

/// All repositories of a registry, in its order. `like`: one that decides which credentials are used.
pub(super) async fn repositories(session: &Session<'_>, like: &RepositoryPath) -> Result<Vec<String>, RegistryError> {
    let mut url = session.base.clone();
    url.set_path("/v2/_catalog");
    url.set_query(Some("n=1000"));
    let request = Request { scope: Some(Scope::listing(like)), ..Request::reading(Method::GET, url, like) };
    all(session, request).await
}

async fn all(session: &Session<'_>, mut request: Request<'_>) -> Result<Vec<String>, RegistryError> {
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let (items, next) = session.retrying(async || page(session, &request).await).await?;
        found.extend(items);
        match next {
            Some(next) => request.url = next,
            None => return Ok(found),
        }
    }
    let what = format!("the list has more than {PAGES} pages");
    Err(RegistryError::Protocol { request: request.line(), what })
}

async fn page(session: &Session<'_>, request: &Request<'_>) -> Result<(Vec<String>, Option<Url>), RegistryError> {
    let response = session.exchange(request).await?;
    let line = request.line();
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            return Err(RegistryError::Missing { request: line, message: message(response).await });
        }
        _ => return Err(session.refused(request, response).await),
    }
    let next = header(response.headers(), LINK.as_str()).and_then(next).and_then(|next| request.url.join(next).ok());
    let bytes = whole(&line, response, LIMIT).await?;
    let protocol = |what: &str| RegistryError::Protocol { request: line.clone(), what: what.to_owned() };
    let page: Page = serde_json::from_slice(&bytes).map_err(|_| protocol("the list is not the JSON it should be"))?;
    match next {
        Some(next) if next.origin() != request.url.origin() => Err(protocol("the list goes on at another host")),
        next => Ok((page.items.unwrap_or_default(), next)),
    }
}

/// The target of a `Link` header whose relation is `next` (RFC 8288).
fn next(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=next" | "rel=\"next\"");
    parameters.split(';').any(is_next).then_some(target)
}
