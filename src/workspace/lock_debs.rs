//! Debian packages as they were locked, and the one line that each has in `layers.lock`.
//!
//! No address: the source's name, and the path within it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::platform::Platform;

/// What a `debs` target was locked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedDebs {
    /// What was asked for, in one form: when it is another, the entry is stale.
    pub request: String,
    /// Of all packages that it stands on, as [`below`] has it: when it is another, the entry is stale. `None`: none.
    pub below: Option<Digest>,
    /// The packages by platform, sorted by name.
    pub platforms: BTreeMap<Platform, Vec<LockedDeb>>,
}

/// What a layer rests on that stands on others, the lowest first: another as soon as any package of theirs is.
pub fn below(layers: &[&LockedDebs], platforms: &BTreeSet<Platform>) -> Digest {
    let mut text = String::new();
    for (layer, platform) in layers.iter().flat_map(|layer| platforms.iter().map(move |platform| (layer, platform))) {
        for deb in layer.platforms.get(platform).into_iter().flatten() {
            let LockedDeb { name, version, architecture, digest, .. } = deb;
            text.push_str(&format!("{platform} {name} {version} {architecture} {digest}\n"));
        }
    }
    Digest::of(text.as_bytes())
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedDeb {
    /// The name of where it is from.
    pub source: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// Its path within the source.
    pub path: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl fmt::Display for LockedDeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockedDeb { source, name, version, architecture, path, digest, size } = self;
        write!(f, "{name} {version} {architecture} {source} {path} {} {size}", digest.hex())
    }
}

/// A line that says no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME VERSION ARCHITECTURE SOURCE PATH SHA256 SIZE")]
pub struct LockedDebError;

impl FromStr for LockedDeb {
    type Err = LockedDebError;

    fn from_str(line: &str) -> Result<LockedDeb, LockedDebError> {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, version, architecture, source, path, digest, size] = words[..] else { return Err(LockedDebError) };
        // It is written behind an address: nothing in it may lead elsewhere.
        let plain = path.split('/').all(|part| !["", ".", ".."].contains(&part)) && !path.contains(['?', '#', '\\']);
        let digest = Digest::from_hex(digest).filter(|_| plain && !name.is_empty()).ok_or(LockedDebError)?;
        Ok(LockedDeb {
            source: source.into(),
            name: name.into(),
            version: version.into(),
            architecture: architecture.into(),
            path: path.into(),
            digest,
            size: size.parse().map_err(|_| LockedDebError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_no_path_leads_out() {
        let line = format!("bash 5.2-1 amd64 system pool/main/b/bash/bash_5.2-1_amd64.deb {} 7", "0".repeat(64));
        assert_eq!(line.parse::<LockedDeb>().unwrap().to_string(), line);
        for wrong in
            [line.replace("pool/", "../"), line.replace(" 7", ""), line.replace("000", "xyz"), line.replace("pool", "")]
        {
            assert_eq!(wrong.parse::<LockedDeb>(), Err(LockedDebError), "{wrong}");
        }
    }
}
