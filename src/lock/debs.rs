//! Debian packages as their archives have them → an entry of `layers.lock`.
//!
//! Indexes are fetched and verified, the request is resolved for each platform. Doesn't write the file.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::packages::debian::control::paragraphs;
use crate::packages::debian::index::{self, IndexError};
use crate::packages::debian::machine::Machine;
use crate::packages::debian::package::Package;
use crate::packages::debian::resolve::{self, Request, Unmet};
use crate::packages::debian::universe::{Id, Universe};
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
    /// What the entry says that it rests on; `None`: on nothing.
    pub below: Option<Digest>,
    /// What it rests on, by platform: these versions are there, and not taken again.
    pub present: BTreeMap<Platform, Vec<LockedDeb>>,
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
    #[error("{why}")]
    Unmet {
        /// Why.
        why: Unmet,
        /// Whether packages below it had to stay as they are.
        below: bool,
    },
    /// A package below isn't in the archives any more, so that nobody can say what goes with it.
    #[error("{name} {version} is below it, but the archives have it no more")]
    Gone {
        /// The package.
        name: String,
        /// The version that is locked.
        version: String,
    },
    /// A version is asked for that the archives don't have.
    #[error("there is no {name} {asked}")]
    NoVersion {
        /// The package.
        name: String,
        /// What is asked for.
        asked: String,
        /// The versions that there are; empty: no package has the name.
        there: Vec<String>,
    },
    /// A version is asked for of a package that is below in another.
    #[error("{name} {asked} is asked for, but {name} {version} is below it")]
    Another {
        /// The package.
        name: String,
        /// What is asked for.
        asked: String,
        /// What is there.
        version: String,
    },
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
            LockDebsError::Unmet { why: Unmet::Unknown { similar, .. }, .. } => {
                (!similar.is_empty()).then(|| format!("did you mean `{}`?", similar.join("` or `")))
            }
            LockDebsError::NoVersion { name, there, .. } if there.is_empty() => {
                Some(format!("no package is called {name}"))
            }
            LockDebsError::NoVersion { there, .. } => Some(format!("there is {}", there.join(", "))),
            LockDebsError::Gone { .. } | LockDebsError::Unmet { below: true, .. } => Some(
                "packages below stay as they are locked: `layerbuild lock --update` takes the newest of all".to_owned(),
            ),
            _ => None,
        }
    }
}

/// Whether what is locked answers what is asked for.
pub fn is_fresh(wanted: &WantedDebs, locked: &LockedDebs) -> bool {
    let all = wanted.platforms.iter().all(|platform| locked.platforms.contains_key(platform));
    locked.request == wanted.request && locked.below == wanted.below && all
}

/// The entry of a target. `warn` is told of what was waived.
pub fn lock(wanted: &WantedDebs, machine: &Machine, warn: &dyn Fn(String)) -> Result<LockedDebs, LockDebsError> {
    let mut platforms = BTreeMap::new();
    for platform in &wanted.platforms {
        platforms.insert(platform.clone(), one(wanted, platform, machine, warn)?);
    }
    Ok(LockedDebs { request: wanted.request.clone(), below: wanted.below, platforms })
}

fn one(
    wanted: &WantedDebs,
    platform: &Platform,
    machine: &Machine,
    warn: &dyn Fn(String),
) -> Result<Vec<LockedDeb>, LockDebsError> {
    let architecture = architecture(platform).ok_or_else(|| LockDebsError::Platform(platform.clone()))?;
    let present = wanted.present.get(platform).map_or(&[][..], Vec::as_slice);
    let texts = indexes(wanted, present, architecture, machine, warn)?;
    let written: Vec<&str> = wanted.packages.iter().map(String::as_str).collect();
    let (names, mut pins) = resolve::split_pins(&written);
    versions(&pins, &texts)?;
    pin(&mut pins, present)?;
    let usable = |package: &Package<'_>| package.source == 0 || is_present(package, present);
    let packages = texts.iter().enumerate().flat_map(|(source, texts)| read(source, texts)).filter(usable);
    let universe = Universe::new(packages, architecture, &pins);
    let request = Request {
        packages: names,
        present: of_universe(&universe, present)?,
        essential: wanted.essential,
        recommends: wanted.recommends,
        exclude: wanted.exclude.iter().map(String::as_str).collect(),
    };
    let chosen = resolve::resolve(&universe, &request);
    let chosen = chosen.map_err(|why| LockDebsError::Unmet { why, below: !present.is_empty() })?;
    chosen.into_iter().map(|id| entry(universe.get(id), &wanted.source)).collect()
}

/// The indexes of the source that packages are taken from, and behind it of others that those below are from.
fn indexes(
    wanted: &WantedDebs,
    present: &[LockedDeb],
    architecture: &str,
    machine: &Machine,
    warn: &dyn Fn(String),
) -> Result<Vec<Vec<String>>, LockDebsError> {
    let mut sources = vec![wanted.source.as_str()];
    for source in present.iter().map(|deb| deb.source.as_str()) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources.into_iter().map(|source| Ok(index::packages(machine, source, architecture, warn)?)).collect()
}

fn read(source: usize, texts: &[String]) -> impl Iterator<Item = Package<'_>> {
    let paragraphs = texts.iter().flat_map(|text| paragraphs(text));
    paragraphs.filter_map(move |paragraph| Package::read(paragraph, source))
}

/// Whether the versions that are asked for are there.
fn versions(pins: &BTreeMap<&str, &str>, texts: &[Vec<String>]) -> Result<(), LockDebsError> {
    for (name, asked) in pins {
        let all = texts.iter().take(1).flat_map(|texts| read(0, texts)).filter(|package| package.name == *name);
        let there: BTreeSet<&str> = all.map(|package| package.version).collect();
        if !there.contains(asked) {
            let there = there.into_iter().map(str::to_owned).collect();
            return Err(LockDebsError::NoVersion { name: (*name).to_owned(), asked: (*asked).to_owned(), there });
        }
    }
    Ok(())
}

/// What is below stays as it is.
fn pin<'p>(pins: &mut BTreeMap<&'p str, &'p str>, present: &'p [LockedDeb]) -> Result<(), LockDebsError> {
    for LockedDeb { name, version, .. } in present {
        if let Some(asked) = pins.insert(name, version).filter(|asked| asked != version) {
            let (name, version) = (name.clone(), version.clone());
            return Err(LockDebsError::Another { name, asked: asked.to_owned(), version });
        }
    }
    Ok(())
}

fn is_present(package: &Package<'_>, present: &[LockedDeb]) -> bool {
    present.iter().any(|deb| deb.name == package.name && deb.version == package.version)
}

fn of_universe(universe: &Universe<'_>, present: &[LockedDeb]) -> Result<Vec<Id>, LockDebsError> {
    let find = |deb: &LockedDeb| {
        let gone = || LockDebsError::Gone { name: deb.name.clone(), version: deb.version.clone() };
        universe.real(&deb.name).ok_or_else(gone)
    };
    present.iter().map(find).collect()
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
