//! The indexes of a source, fetched and verified: signature → release → `Packages`, each vouched for by the one before.
//!
//! A machine and a source's name in, texts of `Packages` out. Resolves nothing.

use std::io::Read;
use std::time::SystemTime;

use super::apt::Archive;
use super::download::DownloadError;
use super::machine::{Machine, SourceError};
use super::release::{Listed, Release};
use super::signature::{self, SignatureError};
use crate::digest::Digest;

/// Why the indexes of a source can't be had.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The source is not there.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file can't be fetched from any address.
    #[error("{url} {source}")]
    Download {
        /// The last that was tried.
        url: String,
        /// Why.
        source: DownloadError,
    },
    /// A signature doesn't count.
    #[error("{url} {source}")]
    Signature {
        /// What was signed.
        url: String,
        /// Why.
        source: SignatureError,
    },
    /// An archive says that it must not be used any more.
    #[error("{url} was valid until {until} only")]
    Expired {
        /// The release.
        url: String,
        /// The archive's last moment.
        until: String,
    },
    /// Something is not what it should be.
    #[error("{url} {problem}")]
    Wrong {
        /// What.
        url: String,
        /// A phrase that reads on.
        problem: String,
    },
}

impl IndexError {
    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            IndexError::Source(SourceError::Unknown(name)) => {
                return Some(format!("declare [apt.{name}] in the root's layers.toml, or name another source"));
            }
            IndexError::Source(SourceError::NoArchives) => {
                "name suites and mirrors in [apt.NAME] in the root's layers.toml"
            }
            IndexError::Expired { .. } => {
                "the mirror may be out of date: take another one, or say check-valid-until = false in the source's [apt.NAME]"
            }
            IndexError::Signature { source: SignatureError::NoProgram(_), .. } => "install the package gpgv",
            IndexError::Signature {
                source: SignatureError::UnknownKey { .. } | SignatureError::NoKeyring(_), ..
            } => "name the archive's keyring in [apt.NAME] keyring, or install its package",
            IndexError::Download { source: DownloadError::Offline, .. } => "run once without --offline",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The texts of all `Packages` of a source for an architecture. `warn` is told of what was waived.
pub fn packages(
    machine: &Machine,
    source: &str,
    architecture: &str,
    warn: &dyn Fn(String),
) -> Result<Vec<String>, IndexError> {
    let mut texts = Vec::new();
    for archive in machine.archives(source)? {
        if !archive.architectures.is_empty() && !archive.architectures.iter().any(|name| name == architecture) {
            continue;
        }
        for suite in &archive.suites {
            texts.extend(of_suite(&Suite { machine, archive: &archive, name: suite, warn }, architecture)?);
        }
    }
    Ok(texts)
}

struct Suite<'a> {
    machine: &'a Machine,
    archive: &'a Archive,
    name: &'a str,
    warn: &'a dyn Fn(String),
}

fn of_suite(suite: &Suite<'_>, architecture: &str) -> Result<Vec<String>, IndexError> {
    let (url, signed) = suite.fetch("InRelease")?;
    let (keyrings, inline) = suite.machine.keys(suite.archive);
    let signature = |source| IndexError::Signature { url: url.clone(), source };
    let text = signature::verified(&signed, &keyrings, inline).map_err(signature)?;
    let wrong = |problem: &str| IndexError::Wrong { url: url.clone(), problem: problem.to_owned() };
    let release = Release::parse(&text).ok_or_else(|| wrong("lists no SHA-256 of its indexes"))?;
    suite.judge_age(&release, &url)?;
    let none = [String::new()];
    let components = if suite.name.ends_with('/') { &none[..] } else { &suite.archive.components[..] };
    let mut texts = Vec::new();
    for component in components {
        let own = release.index(component, architecture);
        let all = release.index(component, "all").filter(|_| release.separate_all && !component.is_empty());
        if own.is_none() && all.is_none() {
            return Err(wrong(&format!("has no component `{component}` for {architecture}")));
        }
        for listed in own.into_iter().chain(all) {
            texts.push(suite.index(listed, &release)?);
        }
    }
    Ok(texts)
}

impl Suite<'_> {
    /// A file below the suite's folder, from the first address that has it.
    fn fetch(&self, path: &str) -> Result<(String, Vec<u8>), IndexError> {
        let mut last = None;
        for address in &self.archive.addresses {
            let folder = match self.name.strip_suffix('/') {
                Some(flat) => flat.trim_start_matches("./").trim_end_matches('.').to_owned(),
                None => format!("dists/{}", self.name),
            };
            let url = format!("{address}/{folder}/{path}");
            let got = self.machine.client().and_then(|client| client.get(&url));
            match got {
                Ok(bytes) => return Ok((url, bytes)),
                Err(source) => last = Some(IndexError::Download { url, source }),
            }
        }
        Err(last.unwrap_or(IndexError::Source(SourceError::NoArchives)))
    }

    fn judge_age(&self, release: &Release, url: &str) -> Result<(), IndexError> {
        let Some(until) = release.valid_until.filter(|until| *until < SystemTime::now()) else { return Ok(()) };
        let until = httpdate::fmt_http_date(until);
        if self.archive.check_valid_until {
            return Err(IndexError::Expired { url: url.to_owned(), until });
        }
        (self.warn)(format!("{url} was valid until {until} only; taken even so, as the workspace says"));
        Ok(())
    }

    /// An index that the release vouches for: by its digest where the archive has it so, as it may be replaced meanwhile.
    fn index(&self, listed: &Listed, release: &Release) -> Result<String, IndexError> {
        let folder = listed.path.rfind('/').map_or("", |at| &listed.path[..=at]);
        let hashed = format!("{folder}by-hash/SHA256/{}", listed.digest.hex());
        let (url, bytes) = match release.by_hash {
            true => self.fetch(&hashed).or_else(|_| self.fetch(&listed.path))?,
            false => self.fetch(&listed.path)?,
        };
        let wrong = |problem: String| IndexError::Wrong { url: url.clone(), problem };
        let found = Digest::of(&bytes);
        if found != listed.digest {
            return Err(wrong(format!("has digest {found}, but its release says {}", listed.digest)));
        }
        unpacked(&listed.path, &bytes).map_err(|error| wrong(format!("can't be unpacked: {error}")))
    }
}

fn unpacked(path: &str, bytes: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("xz") => liblzma::bufread::XzDecoder::new_multi_decoder(bytes).read_to_string(&mut text)?,
        Some("gz") => flate2::bufread::MultiGzDecoder::new(bytes).read_to_string(&mut text)?,
        _ => {
            let mut bytes = bytes;
            bytes.read_to_string(&mut text)?
        }
    };
    Ok(text)
}
