//! Where a repository is pulled from: its registry's mirrors in order, then the registry itself.
//!
//! What failed at one place is kept and shown when no other can serve. Knows nothing of what is asked for.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::ClientConfig;
use super::endpoint::{Shared, open_with};
use super::error::{RegistryError, Tried};
use super::retry::{ONCE, RetryPolicy, random};
use super::session::{Notice, Session};
use crate::reference::{Registry, RegistryBase, Repository, RepositoryPath};

/// The repositories that stand for the one wanted, in the order in which they are asked; the last is its own.
fn places(config: &ClientConfig, wanted: &Repository) -> Vec<Repository> {
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

/// The places at which something is looked for: one after the other, each once a round. What fails in a way that may
/// pass is asked again in the next round, after a wait; so no place that fails keeps those behind it waiting.
pub(super) struct Search {
    wanted: String,
    policy: RetryPolicy,
    /// Those still to be asked in this round, by their position in the order of places.
    queue: VecDeque<(usize, Repository)>,
    /// Those that may do better in the next.
    again: Vec<(usize, Repository, RegistryError)>,
    /// Those that are given up.
    failed: Vec<(usize, Repository, RegistryError)>,
    round: usize,
}

impl Search {
    /// At nowhere yet. `wanted`: as written, for messages; `repository`: as written, its mirrors come first.
    pub fn new(shared: &Shared, wanted: String, repository: &Repository) -> Result<Search, RegistryError> {
        let places = places(&shared.config, repository);
        permit(shared, &wanted, &places)?;
        let queue = places.into_iter().enumerate().collect();
        let policy = shared.config.retry.clone();
        Ok(Search { wanted, policy, queue, again: Vec::new(), failed: Vec::new(), round: 0 })
    }

    /// Where to look; `None` after the last.
    pub fn place(&self) -> Option<&Repository> {
        self.queue.front().map(|(_, place)| place)
    }

    /// Leaves the present place, which failed; an error where there is no other. Before another round how long to wait,
    /// and why the last place failed.
    fn leave(&mut self, error: RegistryError) -> Result<Option<(Duration, RegistryError)>, RegistryError> {
        let Some((position, place)) = self.queue.pop_front() else { return Err(error) };
        let list = if error.retry().is_some() { &mut self.again } else { &mut self.failed };
        list.push((position, place, error));
        if !self.queue.is_empty() {
            return Ok(None);
        }
        let waits =
            self.again.iter().filter_map(|(_, _, error)| self.policy.wait(self.round, error.retry()?, random()));
        let (Some(wait), Some((_, _, last))) = (waits.min(), self.again.last()) else { return Err(self.error()) };
        let last = last.clone();
        self.round = self.policy.next(self.round, last.took_long());
        self.queue.extend(self.again.drain(..).map(|(position, place, _)| (position, place)));
        Ok(Some((wait, last)))
    }

    /// Goes on after the present place failed: at the next, or after a wait in another round; an error where there is
    /// no other place.
    pub async fn go_on(&mut self, error: RegistryError, notices: &dyn Fn(Notice)) -> Result<(), RegistryError> {
        if let Some((wait, error)) = self.leave(error)? {
            notices(Notice::Retrying { error, wait });
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Goes on at the present place, which served and then broke off: rounds are counted anew.
    pub async fn stay(&mut self, error: RegistryError, notices: &dyn Fn(Notice)) -> Result<(), RegistryError> {
        self.round = 1;
        self.queue.extend(self.again.drain(..).map(|(position, place, _)| (position, place)));
        let Some(wait) = error.retry().and_then(|asked| self.policy.wait(0, asked, random())) else {
            return Err(error);
        };
        notices(Notice::Retrying { error, wait });
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// What to tell when there is no further place: the one failure, or all of them in the order of places.
    pub fn error(&mut self) -> RegistryError {
        let mut failed = std::mem::take(&mut self.failed);
        failed.append(&mut self.again);
        failed.sort_by_key(|(position, ..)| *position);
        if let [(_, _, error)] = &failed[..] {
            return error.clone();
        }
        let tried =
            failed.iter().map(|(_, place, error)| Tried { address: place.to_string(), cause: error.to_string() });
        let tried = tried.collect();
        let wanted = std::mem::take(&mut self.wanted);
        match failed.pop() {
            Some((_, _, last)) => RegistryError::Nowhere { wanted, tried, last: Box::new(last) },
            None => RegistryError::Client { cause: format!("`{wanted}` was asked of nobody") },
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
    wanted: String,
    notices: &dyn Fn(Notice),
    ask: impl AsyncFn(&Session<'_>, &RepositoryPath) -> Result<T, RegistryError>,
) -> Result<(Repository, T), RegistryError> {
    let mut search = Search::new(shared, wanted, repository)?;
    while let Some(Repository { registry, path }) = search.place().cloned() {
        let answer = match open_with(shared, &registry, &ONCE, notices).await {
            Ok(session) => ask(&session, &path).await.map(|answer| (session.registry.clone(), answer)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((registry, answer)) => return Ok((Repository { registry, path }, answer)),
            Err(error) => search.go_on(error, notices).await?,
        }
    }
    Err(search.error())
}
