//! Debian packages as their archives have them → an entry of `layers.lock`.
//!
//! Indexes are fetched and verified, the request is resolved for each platform. Doesn't write the file.

use std::collections::BTreeMap;

use crate::packages::debian::control::paragraphs;
use crate::packages::debian::index::{self, IndexError};
use crate::packages::debian::machine::Machine;
use crate::packages::debian::package::Package;
use crate::packages::debian::resolve::{self, Request, Unmet};
use crate::packages::debian::universe::Universe;
use crate::platform::Platform;
use crate::workspace::lock_debs::{LockedDeb, LockedDebs};

/// Packages to be locked.
#[derive(Debug, Clone)]
pub struct WantedDebs {
    /// The request in its one form.
    pub request: String,
    /// `NAME` or `NAME=VERSION`.
    pub packages: Vec<String>,
    /// The source's name.
    pub source: String,
    /// Whether the essential packages come with them.
    pub essential: bool,
    /// Whether what they recommend does.
    pub recommends: bool,
    /// Names that are never taken.
    pub exclude: Vec<String>,
    /// At least one.
    pub platforms: Vec<Platform>,
}

/// Why packages can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockDebsError {
    /// Debian has no name for the platform.
    #[error("Debian has no architecture for {0}")]
    Platform(Platform),
    /// The indexes can't be had.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The request can't be met.
    #[error("{0}")]
    Unmet(#[from] Unmet),
    /// An index says too little of a package to lock it.
    #[error("the index of {0} says no path, size or SHA-256 that could be used")]
    Incomplete(String),
}

impl LockDebsError {
    /// Whether the machine or the network is to blame.
    pub fn is_environment(&self) -> bool {
        matches!(self, LockDebsError::Index(_))
    }

    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            LockDebsError::Index(error) => error.hint(),
            LockDebsError::Unmet(Unmet::Unknown { similar, .. }) if !similar.is_empty() => {
                Some(format!("did you mean `{}`?", similar.join("` or `")))
            }
            _ => None,
        }
    }
}

/// Whether what is locked answers what is asked for.
pub fn is_fresh(wanted: &WantedDebs, locked: &LockedDebs) -> bool {
    let all = wanted.platforms.iter().all(|platform| locked.platforms.contains_key(platform));
    locked.request == wanted.request && all
}

/// The entry of a target. `warn` is told of what was waived.
pub fn lock(wanted: &WantedDebs, machine: &Machine, warn: &dyn Fn(String)) -> Result<LockedDebs, LockDebsError> {
    let mut platforms = BTreeMap::new();
    for platform in &wanted.platforms {
        platforms.insert(platform.clone(), one(wanted, platform, machine, warn)?);
    }
    Ok(LockedDebs { request: wanted.request.clone(), platforms })
}

fn one(
    wanted: &WantedDebs,
    platform: &Platform,
    machine: &Machine,
    warn: &dyn Fn(String),
) -> Result<Vec<LockedDeb>, LockDebsError> {
    let architecture = architecture(platform).ok_or_else(|| LockDebsError::Platform(platform.clone()))?;
    let texts = index::packages(machine, &wanted.source, architecture, warn)?;
    let packages = texts.iter().flat_map(|text| paragraphs(text)).filter_map(|paragraph| Package::read(paragraph, 0));
    let written: Vec<&str> = wanted.packages.iter().map(String::as_str).collect();
    let (names, pins) = resolve::split_pins(&written);
    let universe = Universe::new(packages, architecture, &pins);
    let request = Request {
        packages: names,
        essential: wanted.essential,
        recommends: wanted.recommends,
        exclude: wanted.exclude.iter().map(String::as_str).collect(),
    };
    let chosen = resolve::resolve(&universe, &request)?;
    chosen.into_iter().map(|id| entry(universe.get(id), &wanted.source)).collect()
}

fn entry(package: &Package<'_>, source: &str) -> Result<LockedDeb, LockDebsError> {
    let file = package.file().ok_or_else(|| LockDebsError::Incomplete(package.name.to_owned()))?;
    Ok(LockedDeb {
        source: source.to_owned(),
        name: package.name.to_owned(),
        version: package.version.to_owned(),
        architecture: package.architecture.to_owned(),
        path: file.path.to_owned(),
        digest: file.digest,
        size: file.size,
    })
}

/// Debian's name of a platform's architecture.
fn architecture(platform: &Platform) -> Option<&'static str> {
    Some(match platform.to_string().as_str() {
        "linux/amd64" => "amd64",
        "linux/arm64" | "linux/arm64/v8" => "arm64",
        "linux/arm/v7" => "armhf",
        "linux/arm/v5" | "linux/arm/v6" => "armel",
        "linux/386" => "i386",
        "linux/ppc64le" => "ppc64el",
        "linux/s390x" => "s390x",
        "linux/riscv64" => "riscv64",
        "linux/mips64le" => "mips64el",
        "linux/loong64" => "loong64",
        _ => return None,
    })
}
