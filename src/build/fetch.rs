//! Runs `fetch`: a file from a URL into the store, its digest checked while it streams. Debian packages, whose addresses this
//! machine knows, come in the same way.

use std::io::Write;

use super::Workshop;
use super::error::BuildError;
use crate::action::record::{Blob, Output};
use crate::action::{Deb, Fetch};
use crate::packages::debian::download::DownloadError;
use crate::reason::reason;
use crate::store::{Presence, StoreError};

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

/// Brings packages into the store, several at once; those that are there are not asked for.
pub fn debs(packages: &[Deb], shop: &Workshop<'_>) -> Result<(), BuildError> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        while let Some(package) = packages.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            deb(package, shop)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..DOWNLOADS.min(packages.len())).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Packages that are fetched at once.
const DOWNLOADS: usize = 6;

/// One package, from the first address that gives what was locked.
fn deb(package: &Deb, shop: &Workshop<'_>) -> Result<(), BuildError> {
    if shop.store.blobs().contains(&package.digest, package.size)? == Presence::Present {
        return Ok(());
    }
    let none = |why: String, dropped| BuildError::NoDeb { name: package.to_string(), tried: vec![why], dropped };
    let urls = shop.machine.urls(&package.source, &package.path).map_err(|error| none(error.to_string(), false))?;
    let (mut tried, mut dropped) = (Vec::new(), true);
    for url in urls {
        let mut writer = shop.store.blobs().writer()?;
        match shop.machine.fetch(&url, &mut writer) {
            Ok(()) => match writer.finish()? {
                (digest, _) if digest == package.digest => return Ok(()),
                (digest, _) => tried.push(format!("{url} has digest {digest}, but {} is locked", package.digest)),
            },
            Err(error) => {
                dropped &= matches!(error, DownloadError::Missing);
                tried.push(format!("{url} {error}"));
            }
        }
    }
    Err(BuildError::NoDeb { name: package.to_string(), tried, dropped })
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
