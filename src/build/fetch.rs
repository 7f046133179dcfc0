//! Runs `fetch`: a file from a URL into the store, its digest checked while it streams.

use std::io::Write;

use super::Workshop;
use super::error::BuildError;
use crate::action::Fetch;
use crate::action::record::{Blob, Output};
use crate::reason::reason;
use crate::store::StoreError;

/// Fetches the file.
pub fn run(action: &Fetch, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    if shop.offline {
        return Err(BuildError::Offline { url: action.url.clone() });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(action, &error))?;
    let mut writer = shop.store.blobs().writer()?;
    runtime.block_on(download(action, &mut writer))?;
    let (digest, size) = writer.finish()?;
    if digest != action.digest {
        // What came stays in the store under its own digest, where nothing refers to it: gc takes it away.
        return Err(BuildError::OtherContent { url: action.url.clone(), found: digest, expected: action.digest });
    }
    Ok(Output::File(Blob { digest, size }))
}

async fn download(action: &Fetch, out: &mut dyn Write) -> Result<(), BuildError> {
    crate::tls::install_provider();
    let client = reqwest::Client::builder().user_agent(concat!("layerbuild/", env!("CARGO_PKG_VERSION"))).build();
    let client = client.map_err(|error| failed(action, &error))?;
    let mut response = client.get(&action.url).send().await.map_err(|error| failed(action, &error))?;
    if !response.status().is_success() {
        return Err(BuildError::Fetch { url: action.url.clone(), why: format!("it answered {}", response.status()) });
    }
    while let Some(bytes) = response.chunk().await.map_err(|error| failed(action, &error))? {
        out.write_all(&bytes).map_err(|error| StoreError::io("write", std::path::Path::new(&action.url), error))?;
    }
    Ok(())
}

/// By the last of the causes: those before it say only that a request failed.
fn failed(action: &Fetch, error: &dyn std::error::Error) -> BuildError {
    let why = std::iter::successors(Some(error), |error| error.source()).last().map(reason).unwrap_or_default();
    BuildError::Fetch { url: action.url.clone(), why }
}
