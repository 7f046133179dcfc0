//! How registries are talked to: the workspace's settings, the user's own file and the variables, in one value.
//!
//! The one place that knows where Docker, podman and the user keep theirs. What is done with registries, the verbs know.

use std::path::PathBuf;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::environment::Environment;
use super::error::CliError;
use crate::exit::Exit;
use crate::reference::Registry;
use crate::registry::{
    AllowHosts, ClientConfig, ClientIdentity, CredentialSources, HelperEnvironment, HostConfig, Proxies,
};
use crate::workspace::registries::{Registries, RegistrySettings};
use crate::workspace::user;

/// How registries are talked to. `workspace`: what it says of them, over which the user's own file lies; the default
/// for a verb without a workspace.
pub fn client(cx: &Context, workspace: &Registries) -> Result<ClientConfig, CliError> {
    let registries = workspace.clone().under(users(cx)?);
    Ok(ClientConfig {
        credentials: credentials(&cx.environment),
        hosts: registries.hosts.into_iter().map(|(registry, settings)| (registry, host(settings))).collect(),
        allow: registries.allow.into_iter().map(AllowHosts).collect(),
        offline: cx.globals.offline,
        proxies: proxies(&cx.environment)?,
        ..ClientConfig::default()
    })
}

/// The same for looking at what is published in a registry: what a mirror of it has is not what is published.
pub fn without_mirrors(mut client: ClientConfig, registry: &Registry) -> ClientConfig {
    client.hosts.entry(registry.clone()).and_modify(|host| host.mirrors.clear());
    client
}

/// What `$XDG_CONFIG_HOME/layerbuild/config.toml` says.
fn users(cx: &Context) -> Result<Registries, CliError> {
    let Some(path) = config_file(&cx.environment)? else { return Ok(Registries::default()) };
    let config = user::read(&path);
    if config.diagnostics.is_empty() {
        return Ok(config.registries);
    }
    let color = cx.err_style().color;
    let shown = config.diagnostics.iter().map(|diagnostic| diagnostic.render(&config.sources, color));
    Err(CliError::diagnosed(Exit::Usage, shown.collect()))
}

/// The XDG specification says that a relative path is ignored.
fn config_file(env: &Environment) -> Result<Option<Utf8PathBuf>, CliError> {
    let absolute = |path: &&str| Utf8Path::new(path).is_absolute();
    let xdg = env.text("XDG_CONFIG_HOME")?.filter(absolute).map(Utf8PathBuf::from);
    let home = env.text("HOME")?.filter(absolute).map(|home| Utf8Path::new(home).join(".config"));
    Ok(xdg.or(home).map(|folder| folder.join("layerbuild/config.toml")))
}

fn host(settings: RegistrySettings) -> HostConfig {
    let RegistrySettings { mirrors, insecure, ca, client_cert, client_key } = settings;
    let identity = client_cert.zip(client_key);
    let identity =
        identity.map(|(certificate, key)| ClientIdentity { certificate: certificate.into(), key: key.into() });
    HostConfig { insecure, ca: ca.map(PathBuf::from), identity, mirrors: mirrors.unwrap_or_default() }
}

/// The files that Docker and podman read too.
fn credentials(env: &Environment) -> CredentialSources {
    let path = |name: &str| env.get(name).map(PathBuf::from);
    let docker = path("DOCKER_CONFIG").or_else(|| Some(path("HOME")?.join(".docker")));
    let podman = path("REGISTRY_AUTH_FILE")
        .or_else(|| Some(path("XDG_RUNTIME_DIR")?.join("containers/auth.json")))
        .into_iter()
        .chain(
            path("XDG_CONFIG_HOME")
                .or_else(|| Some(path("HOME")?.join(".config")))
                .map(|folder| folder.join("containers/auth.json")),
        );
    let files = docker.map(|folder| folder.join("config.json")).into_iter().chain(podman).collect();
    CredentialSources { files, environment: HelperEnvironment::new(env.iter()), ..CredentialSources::default() }
}

/// What curl reads: the names in lower case first.
pub fn proxies(env: &Environment) -> Result<Proxies, CliError> {
    let text = |name: &str| {
        let lower = env.text(&name.to_ascii_lowercase())?;
        Ok::<_, CliError>(lower.or(env.text(name)?).unwrap_or_default().to_owned())
    };
    Ok(Proxies {
        http: text("HTTP_PROXY")?,
        https: text("HTTPS_PROXY")?,
        all: text("ALL_PROXY")?,
        no: text("NO_PROXY")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn the_users_file_follows_xdg_and_ignores_a_relative_folder() {
        let file = |variables: &[_]| config_file(&environment(variables)).unwrap().map(Utf8PathBuf::into_string);
        assert_eq!(file(&[]), None);
        assert_eq!(file(&[("HOME", "/h")]).as_deref(), Some("/h/.config/layerbuild/config.toml"));
        assert_eq!(file(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).as_deref(), Some("/x/layerbuild/config.toml"));
        assert_eq!(
            file(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]).as_deref(),
            Some("/h/.config/layerbuild/config.toml")
        );
    }

    #[test]
    fn proxies_are_read_in_either_case() {
        let read = proxies(&environment(&[("HTTPS_PROXY", "a"), ("https_proxy", "b"), ("NO_PROXY", "c")])).unwrap();
        assert_eq!(read, Proxies { https: "b".into(), no: "c".into(), ..Proxies::default() });
    }

    #[test]
    fn credentials_come_from_docker_then_podman() {
        let files = |variables: &[_]| credentials(&environment(variables)).files;
        let home = ["/h/.docker/config.json", "/h/.config/containers/auth.json"].map(PathBuf::from);
        assert_eq!(files(&[("HOME", "/h")]), home);
        let named = files(&[("DOCKER_CONFIG", "/d"), ("REGISTRY_AUTH_FILE", "/r.json"), ("XDG_RUNTIME_DIR", "/run")]);
        assert_eq!(named, ["/d/config.json", "/r.json"].map(PathBuf::from));
    }
}
