//! `GET /v2/<repository>/referrers/<digest>`: what says something about a manifest, as an index of descriptors.
//!
//! Distribution specification, "Listing Referrers"; all on one page. A manifest that nobody knows has no referrers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::manifest_parts::{Parts, parse};
use super::refusal::Refusal;
use super::served::{Call, FILTERS, Served, answer};
use super::storage::StoredManifest;
use crate::digest::Digest;
use crate::oci::media_type::OCI_INDEX;
use crate::reference::RepositoryPath;

pub(super) async fn get(
    served: &Served,
    call: &Call,
    repository: RepositoryPath,
    subject: Digest,
) -> Result<Response<Body>, Refusal> {
    let found = served.ask(move |storage| storage.referrers(&repository, &subject)).await?;
    let wanted = call.parameter("artifactType");
    // What is there was read when it was put.
    let all = found.iter().filter_map(|manifest| Some((manifest, parse(&manifest.bytes).ok()?)));
    let narrowed = all.filter(|(_, parts)| wanted.is_none() || artifact_type(parts) == wanted.as_deref());
    let manifests: Vec<Value> = narrowed.map(|(manifest, parts)| descriptor(manifest, &parts)).collect();
    let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    let filters = wanted.is_some().then(|| (FILTERS, "artifactType".to_owned()));
    let headers = [(CONTENT_TYPE, OCI_INDEX.to_owned())].into_iter().chain(filters);
    answer(StatusCode::OK, headers, body.to_string())
}

/// What it says of itself, else what its config is.
fn artifact_type(parts: &Parts) -> Option<&str> {
    let own = parts.artifact_type.as_deref().filter(|own| !own.is_empty());
    own.or_else(|| parts.config.as_ref().map(|config| config.media_type.as_str()))
}

fn descriptor(manifest: &StoredManifest, parts: &Parts) -> Value {
    let digest = Digest::of(&manifest.bytes).to_string();
    let mut value = json!({"mediaType": manifest.media_type, "digest": digest, "size": manifest.bytes.len()});
    if let Some(artifact_type) = artifact_type(parts) {
        value["artifactType"] = artifact_type.into();
    }
    if let Some(annotations) = parts.annotations.as_ref().filter(|annotations| !annotations.is_empty()) {
        value["annotations"] = json!(annotations);
    }
    value
}
