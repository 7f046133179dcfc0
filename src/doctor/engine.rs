//! A container engine: what `load` hands images to.

use std::ffi::OsString;

use super::Finding;
use crate::effect::engine::{Engine, Kind};

const FIX: &str = "`load` alone needs one: install docker or podman and start it, or set DOCKER_HOST";

/// Which one answers. No build needs one. `variables`: those that programs are started with.
pub fn check(variables: &[(OsString, OsString)]) -> Finding {
    let found = match Engine::find(&[Kind::Docker, Kind::Podman], variables) {
        Ok(engine) => Finding::fine("engine", format!("{} answers, for {}", engine.kind, engine.platform)),
        Err(error) => Finding::missing("engine", error.to_string(), FIX),
    };
    found.needed(false)
}
