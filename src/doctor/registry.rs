//! The workspace's registry: whether it answers.

use std::time::SystemTime;

use super::{Finding, State};
use crate::reference::Registry;
use crate::registry::{Puller, RegistryError};

/// What a registry told of itself.
#[derive(Debug, Clone)]
pub struct Heard {
    /// With the port at which it answers.
    pub registry: Registry,
    /// Its clock, where it tells the time, and ours at that moment.
    pub clocks: Option<(SystemTime, SystemTime)>,
}

/// Asks it, once.
pub fn ask(puller: &Puller, registry: &Registry) -> Result<Heard, RegistryError> {
    let (registry, theirs) = puller.ping(registry)?;
    Ok(Heard { registry, clocks: theirs.map(|theirs| (theirs, SystemTime::now())) })
}

/// What came of it; `None`: it was not asked, as the call is not to use the network.
pub fn check(heard: Option<&Result<Heard, RegistryError>>, needed: bool) -> Finding {
    match heard {
        None => Finding::unknown("registry", "not asked: the call is offline"),
        Some(Ok(heard)) => Finding::fine("registry", format!("{} answers", heard.registry)),
        // It says itself what to do.
        Some(Err(error)) => {
            let (state, found) = (State::Missing, error.to_string());
            Finding { what: "registry", state, found, fix: None }.needed(needed)
        }
    }
}
