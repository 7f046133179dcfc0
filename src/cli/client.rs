//! How registries are talked to: credentials' places and helpers, from the variables that Docker and podman read too.

use std::path::PathBuf;

use super::context::Context;
use crate::registry::{ClientConfig, CredentialSources, HelperEnvironment};

/// How registries are talked to, from the variables that Docker and podman read too.
pub fn client(cx: &Context) -> ClientConfig {
    let path = |name: &str| cx.environment.get(name).map(PathBuf::from);
    let docker = path("DOCKER_CONFIG").or_else(|| Some(path("HOME")?.join(".docker")));
    let podman = path("REGISTRY_AUTH_FILE")
        .or_else(|| Some(path("XDG_RUNTIME_DIR")?.join("containers/auth.json")))
        .into_iter()
        .chain(path("HOME").map(|home| home.join(".config/containers/auth.json")));
    let files = docker.map(|folder| folder.join("config.json")).into_iter().chain(podman).collect();
    let environment = HelperEnvironment::new(cx.environment.iter());
    let credentials = CredentialSources { files, environment, ..CredentialSources::default() };
    ClientConfig { credentials, ..ClientConfig::default() }
}
