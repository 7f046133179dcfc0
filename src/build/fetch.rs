//! Runs `fetch`: a file from a URL into the store, its digest checked while it streams.

use std::io::Write;

use super::Workshop;
use super::error::BuildError;
use crate::action::Fetch;
use crate::action::record::{Blob, Output};
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
    let response = client.get(&action.url).send().await.and_then(reqwest::Response::error_for_status);
    let mut response = response.map_err(|error| failed(action, &error.without_url()))?;
    while let Some(bytes) = response.chunk().await.map_err(|error| failed(action, &error.without_url()))? {
        out.write_all(&bytes).map_err(|error| StoreError::io("write", std::path::Path::new(&action.url), error))?;
    }
    Ok(())
}

/// The whole chain of causes: the last is the one that helps.
fn failed(action: &Fetch, error: &dyn std::error::Error) -> BuildError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let why = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    BuildError::Fetch { url: action.url.clone(), why }
}
