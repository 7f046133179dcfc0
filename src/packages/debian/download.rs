//! Files of archives over HTTP or from a folder: whole into memory, or streamed to a writer.
//!
//! An address and a path in, bytes out, unverified: callers know the digests. Proxies: apt's own settings, else the
//! system's. Knows no format.

use std::fs::File;
use std::io::{self, Write};

use tokio::runtime::Runtime;

/// Why a file can't be had. Reads on after its name.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The address has no such file.
    #[error("is not there")]
    Missing,
    /// It can't be reached, or answers with something else.
    #[error("{0}")]
    Failed(String),
    /// What came can't be written.
    #[error("can't be written: {0}")]
    Write(io::Error),
    /// Fetching is forbidden.
    #[error("would have to be fetched, and --offline forbids it")]
    Offline,
}

/// Where requests go through; `None`: as the system's variables say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://`.
    pub http: Option<String>,
    /// For `https://`.
    pub https: Option<String>,
}

/// Fetches files; may be used by several threads at once.
pub struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    offline: bool,
}

impl Client {
    /// With these proxies; an offline one reads folders only.
    pub fn new(proxies: &Proxies, offline: bool) -> Result<Client, DownloadError> {
        crate::tls::install_provider();
        let mut builder = reqwest::Client::builder().user_agent(concat!("layerbuild/", env!("CARGO_PKG_VERSION")));
        for (scheme, proxy) in [("http", &proxies.http), ("https", &proxies.https)] {
            let Some(proxy) = proxy else { continue };
            let made = if scheme == "http" { reqwest::Proxy::http(proxy) } else { reqwest::Proxy::https(proxy) };
            builder = builder.proxy(made.map_err(|error| failed(&error))?);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| failed(&error))?;
        Ok(Client { http: builder.build().map_err(|error| failed(&error))?, runtime, offline })
    }

    /// The whole file.
    pub fn get(&self, url: &str) -> Result<Vec<u8>, DownloadError> {
        let mut bytes = Vec::new();
        self.fetch(url, &mut bytes).map(|()| bytes)
    }

    /// The file, written as it comes.
    pub fn fetch(&self, url: &str, out: &mut dyn Write) -> Result<(), DownloadError> {
        if let Some(path) = url.strip_prefix("file://") {
            return copy(path, out);
        }
        if self.offline {
            return Err(DownloadError::Offline);
        }
        self.runtime.block_on(self.stream(url, out))
    }

    async fn stream(&self, url: &str, out: &mut dyn Write) -> Result<(), DownloadError> {
        let response = self.http.get(url).send().await.map_err(|error| failed(&error.without_url()))?;
        if [404, 403, 410].contains(&response.status().as_u16()) {
            return Err(DownloadError::Missing);
        }
        let mut response = response.error_for_status().map_err(|error| failed(&error.without_url()))?;
        while let Some(bytes) = response.chunk().await.map_err(|error| failed(&error.without_url()))? {
            out.write_all(&bytes).map_err(DownloadError::Write)?;
        }
        Ok(())
    }
}

fn copy(path: &str, out: &mut dyn Write) -> Result<(), DownloadError> {
    let opened = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DownloadError::Missing,
        _ => DownloadError::Failed(error.to_string()),
    });
    io::copy(&mut opened?, out).map(drop).map_err(DownloadError::Write)
}

/// The whole chain of causes: the last is the one that helps.
fn failed(error: &dyn std::error::Error) -> DownloadError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    DownloadError::Failed(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}
