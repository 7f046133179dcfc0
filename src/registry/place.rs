//! Where a repository is pulled from: its registry's mirrors in order, then the registry itself.
//!
//! What failed at one place is kept and shown when no other can serve. Knows nothing of what is asked for.

use super::config::ClientConfig;
use super::endpoint::{Shared, open};
use super::error::{RegistryError, Tried};
use super::session::{Notice, Session};
use crate::reference::{Registry, RegistryBase, Repository, RepositoryPath};

/// The repositories that stand for the one wanted, in the order in which they are asked; the last is its own.
pub(super) fn places(config: &ClientConfig, wanted: &Repository) -> Vec<Repository> {
    let own = Repository { registry: wanted.registry.clone(), path: full(wanted) };
    let mirrors = config.hosts.get(&wanted.registry).map_or(&[][..], |host| &host.mirrors);
    // A path that grows too long for a repository's can't exist at that mirror.
    mirrors.iter().filter_map(|mirror| below(mirror, &own.path)).chain([own.clone()]).collect()
}

/// Docker Hub keeps `debian` at `library/debian`.
fn full(wanted: &Repository) -> RepositoryPath {
    match wanted.registry.host() {
        "docker.io" | "index.docker.io" if !wanted.path.as_str().contains('/') => {
            format!("library/{}", wanted.path).parse().unwrap_or_else(|_| wanted.path.clone())
        }
        _ => wanted.path.clone(),
    }
}

fn below(mirror: &RegistryBase, path: &RepositoryPath) -> Option<Repository> {
    let registry = mirror.registry.clone();
    let path =
        mirror.prefix.as_ref().map_or_else(|| Some(path.clone()), |prefix| format!("{prefix}/{path}").parse().ok());
    Some(Repository { registry, path: path? })
}

/// What failed at the places tried so far.
#[derive(Default)]
pub(super) struct Failures {
    wanted: String,
    failed: Vec<(Repository, RegistryError)>,
}

impl Failures {
    /// None so far. `wanted`: as written, for messages.
    pub fn new(wanted: impl ToString) -> Failures {
        Failures { wanted: wanted.to_string(), failed: Vec::new() }
    }

    /// Notes one.
    pub fn add(&mut self, place: Repository, error: RegistryError) {
        self.failed.push((place, error));
    }

    /// What to tell when there is no further place: the one failure, or all of them.
    pub fn error(mut self) -> RegistryError {
        if let [(_, error)] = &self.failed[..] {
            return error.clone();
        }
        let tried =
            self.failed.iter().map(|(place, error)| Tried { address: place.to_string(), cause: error.to_string() });
        let tried = tried.collect();
        match self.failed.pop() {
            Some((_, last)) => RegistryError::Nowhere { wanted: self.wanted, tried, last: Box::new(last) },
            None => RegistryError::Client { cause: format!("`{}` was asked of nobody", self.wanted) },
        }
    }
}

/// Refuses where nobody may be contacted.
pub(super) fn permit(shared: &Shared, wanted: &str, places: &[Repository]) -> Result<(), RegistryError> {
    if !shared.config.offline {
        return Ok(());
    }
    let registries: Vec<Registry> = places.iter().map(|place| place.registry.clone()).collect();
    Err(RegistryError::Offline { wanted: wanted.to_owned(), registries })
}

/// Asks each place in turn until one gives an answer; also which one did.
pub(super) async fn at_first<T>(
    shared: &Shared,
    repository: &Repository,
    wanted: &str,
    notices: &dyn Fn(Notice),
    ask: impl AsyncFn(&Session<'_>, &RepositoryPath) -> Result<T, RegistryError>,
) -> Result<(Repository, T), RegistryError> {
    let places = places(&shared.config, repository);
    permit(shared, wanted, &places)?;
    let mut failures = Failures::new(wanted);
    for place in places {
        let answer = match open(shared, &place.registry, notices).await {
            Ok(session) => ask(&session, &place.path).await.map(|answer| (session.registry.clone(), answer)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((registry, answer)) => return Ok((Repository { registry, ..place }, answer)),
            Err(error) => failures.add(place, error),
        }
    }
    Err(failures.error())
}
