//! From a request to its endpoint, and what every answer has in common.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::header::{EXPECT, HeaderName, HeaderValue};
use axum::http::{Method, Response};
use axum::response::IntoResponse;

use super::endpoint::Endpoint;
use super::refusal::{Code, Refusal};
use super::served::{Call, Served};
use super::storage::Storage;
use super::transfer::drain;
use super::{blobs, guard, lists, manifests, referrers, uploads};

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// `GET`, `PUT`, …
    pub method: String,
    /// With its query.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// Why it was refused; `None` where it was not.
    pub why: Option<String>,
}

/// Told of every request once its answer begins.
pub type Log = Arc<dyn Fn(&Answered) + Send + Sync>;

#[derive(Clone)]
struct Registry {
    served: Served,
    log: Log,
}

/// The registry as a router, to be served or to be asked directly.
pub fn router(storage: Arc<dyn Storage>, log: Log) -> Router {
    let served = Served { storage, sessions: Arc::default() };
    Router::new().fallback(respond).with_state(Registry { served, log })
}

async fn respond(State(registry): State<Registry>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let (call, mut body) = (Call { headers: parts.headers, query, head }, body.into_data_stream());
    let result = dispatch(&registry.served, &parts.method, parts.uri.path(), &call, &mut body).await;
    // A client that waits for leave to send has sent nothing.
    if result.is_err() && !call.headers.contains_key(EXPECT) {
        drain(&mut body).await;
    }
    let why = result.as_ref().err().map(|refusal| refusal.message.clone());
    let mut response = result.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(VERSION, HeaderValue::from_static("registry/2.0"));
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    (registry.log)(&Answered { method: parts.method.to_string(), path, status: response.status().as_u16(), why });
    response
}

/// `Docker-Distribution-API-Version`, by which clients know a registry.
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

async fn dispatch(
    served: &Served,
    method: &Method,
    path: &str,
    call: &Call,
    body: &mut BodyDataStream,
) -> Result<Response<Body>, Refusal> {
    guard::check(&call.headers)?;
    let path = decoded(path);
    // What is only looked at is looked at in the same way.
    let method = if call.head { &Method::GET } else { method };
    match (method, Endpoint::parse(&path)?) {
        (&Method::GET, Endpoint::Root) => lists::root(),
        (&Method::GET, Endpoint::Catalog) => lists::catalog(served, call).await,
        (&Method::GET, Endpoint::Tags(repository)) => lists::tags(served, call, repository).await,
        (&Method::GET, Endpoint::Referrers(repository, digest)) => {
            referrers::get(served, call, repository, digest).await
        }
        (&Method::GET, Endpoint::Manifest(repository, pointer)) => {
            manifests::get(served, call, repository, pointer).await
        }
        (&Method::PUT, Endpoint::Manifest(repository, pointer)) => {
            manifests::put(served, call, body, repository, pointer).await
        }
        (&Method::DELETE, Endpoint::Manifest(repository, pointer)) => {
            manifests::delete(served, repository, pointer).await
        }
        (&Method::GET, Endpoint::Blob(repository, digest)) => blobs::get(served, call, repository, digest).await,
        (&Method::POST, Endpoint::Uploads(repository)) => uploads::begin(served, call, body, repository).await,
        (&Method::GET, Endpoint::Upload(repository, name)) => uploads::status(served, repository, &name).await,
        (&Method::PATCH, Endpoint::Upload(repository, name)) => {
            uploads::append(served, call, body, repository, &name).await
        }
        (&Method::PUT, Endpoint::Upload(repository, name)) => uploads::end(served, call, body, repository, &name).await,
        (&Method::DELETE, Endpoint::Upload(repository, name)) => uploads::cancel(served, repository, &name).await,
        (method, _) => Err(Refusal::new(Code::Unsupported, format!("this registry has no {method} for `{path}`"))),
    }
}

/// A path without percent signs. Nothing in it needs them, but a client may write `sha256%3A…`.
fn decoded(path: &str) -> String {
    path.replace("%3A", ":").replace("%3a", ":")
}
