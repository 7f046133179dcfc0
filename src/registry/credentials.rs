//! Credentials from Docker's `config.json` and podman's `auth.json`, and the helpers that these name.
//!
//! Which files, and with which environment helpers run, the caller says. A file or helper that fails blocks nothing:
//! it is noted, and the note is shown when a registry refuses us.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::DockerCredential;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::helper::{self, HelperEnvironment};
use super::secret::{Credential, Secret};
use crate::reason::reason;
use crate::reference::{Registry, RepositoryPath};

/// Where credentials come from.
#[derive(Debug, Clone)]
pub struct CredentialSources {
    /// Docker's and podman's files, the first that knows a registry wins; those that don't exist are passed over.
    pub files: Vec<PathBuf>,
    /// The environment in which credential helpers run and are looked up (`PATH`).
    pub environment: HelperEnvironment,
    /// How long a helper may take.
    pub helper_limit: Duration,
}

impl Default for CredentialSources {
    fn default() -> CredentialSources {
        let environment = HelperEnvironment::default();
        CredentialSources { files: Vec::new(), environment, helper_limit: Duration::from_secs(30) }
    }
}

/// What is known about a registry, and what failed on the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    /// `None`: we come as nobody.
    pub credential: Option<Credential>,
    /// Files and helpers that failed, as phrases.
    pub notes: Vec<String>,
}

/// Helpers' answers, by helper and registry.
type Answers = BTreeMap<(String, String), Result<Option<Credential>, String>>;

/// The files as read, and helpers' answers as they come in.
pub(super) struct Credentials {
    sources: CredentialSources,
    files: Vec<ConfigFile>,
    notes: Vec<String>,
    asked: Mutex<Answers>,
}

impl Credentials {
    /// Reads the files.
    pub fn new(sources: CredentialSources) -> Credentials {
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        for path in &sources.files {
            match read(path) {
                Ok(file) => files.extend(file),
                Err(cause) => notes.push(format!("`{}` can't be read: {cause}", path.display())),
            }
        }
        Credentials { sources, files, notes, asked: Mutex::default() }
    }

    /// The credentials for a repository, by the most specific entry of the first file that has one.
    pub async fn find(&self, registry: &Registry, path: Option<&RepositoryPath>) -> Lookup {
        let mut lookup = Lookup { credential: None, notes: self.notes.clone() };
        let keys = keys(registry, path);
        for file in &self.files {
            match self.find_in(file, registry, &keys).await {
                Ok(None) => {}
                Ok(found) => return Lookup { credential: found, ..lookup },
                Err(note) => lookup.notes.push(note),
            }
        }
        lookup
    }

    async fn find_in(
        &self,
        file: &ConfigFile,
        registry: &Registry,
        keys: &[String],
    ) -> Result<Option<Credential>, String> {
        if let Some(name) = keys.iter().find_map(|key| file.cred_helpers.get(key)) {
            return self.ask(name, registry).await;
        }
        let entry = keys.iter().find_map(|key| file.auths.iter().find(|(name, _)| normalised(name) == *key));
        if let Some((name, entry)) = entry
            && let Some(credential) = decode(name, entry)?
        {
            return Ok(Some(credential));
        }
        match file.creds_store.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => self.ask(name, registry).await,
            None => Ok(None),
        }
    }

    /// Asks a helper, once a registry.
    async fn ask(&self, name: &str, registry: &Registry) -> Result<Option<Credential>, String> {
        let key = (name.to_owned(), server_name(registry));
        let mut asked = self.asked.lock().await;
        if let Some(answer) = asked.get(&key) {
            return answer.clone();
        }
        let answer = helper::ask(name, &key.1, &self.sources.environment, self.sources.helper_limit).await;
        asked.insert(key, answer.clone());
        answer
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: BTreeMap<String, serde_json::Value>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

fn read(path: &Path) -> Result<Option<ConfigFile>, String> {
    match std::fs::read(path) {
        // serde's message could quote what stands in the file.
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| "it is not the JSON it should be".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(reason(&error)),
    }
}

/// Decodes one entry; `None` for an empty one, as Docker writes beside a credential store.
fn decode(name: &str, entry: &serde_json::Value) -> Result<Option<Credential>, String> {
    let config = serde_json::json!({ "auths": { "entry": entry } }).to_string();
    match docker_credential::get_credential_from_reader(config.as_bytes(), "entry") {
        Ok(DockerCredential::UsernamePassword(user, _)) if user.is_empty() => Ok(None),
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credential::Password { user, password: Secret::new(password) }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::IdentityToken(Secret::new(token)))),
        Err(docker_credential::CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(_) => Err(format!("the credentials for `{}` can't be decoded", normalised(name))),
    }
}

/// The names under which a repository's credentials may stand, the most specific first: podman keeps
/// `host/namespace/repository`, Docker the host alone.
fn keys(registry: &Registry, path: Option<&RepositoryPath>) -> Vec<String> {
    let host = registry.to_string();
    let mut keys = Vec::new();
    let mut rest = path.map_or("", RepositoryPath::as_str);
    while !rest.is_empty() {
        keys.push(format!("{host}/{rest}"));
        rest = rest.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    keys.push(host.clone());
    if is_docker_hub(&host) {
        keys.extend(["docker.io", "index.docker.io", "registry-1.docker.io", DOCKER_HUB].map(str::to_owned));
    }
    keys
}

const DOCKER_HUB: &str = "https://index.docker.io/v1/";

fn is_docker_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io")
}

/// The name that helpers know a registry by.
fn server_name(registry: &Registry) -> String {
    let host = registry.to_string();
    if is_docker_hub(&host) { DOCKER_HUB.to_owned() } else { host }
}

/// A key of `auths` without scheme and API version: Docker has written all of these forms.
fn normalised(key: &str) -> String {
    let key = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    key.trim_end_matches("/v1").trim_end_matches("/v2").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const BOB: &str = "Ym9iOmh1bnRlcjI="; // bob:hunter2

    struct Home(tempfile::TempDir);

    impl Home {
        fn new(config: &str) -> Home {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("config.json"), config).expect("a file");
            Home(folder)
        }

        fn helper(self, name: &str, script: &str) -> Home {
            let path = self.0.path().join(format!("docker-credential-{name}"));
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
            self
        }

        fn find(&self, registry: &str, path: &str) -> Lookup {
            let files = vec![self.0.path().join("none.json"), self.0.path().join("config.json")];
            let variables = [("PATH".into(), format!("{}:/usr/bin:/bin", self.0.path().display()).into())];
            let environment = HelperEnvironment::new(variables);
            let sources = CredentialSources { files, environment, ..CredentialSources::default() };
            let (registry, path) = (registry.parse().expect("a registry"), path.parse().expect("a path"));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(Credentials::new(sources).find(&registry, Some(&path)))
        }
    }

    fn password(user: &str, password: &str) -> Option<Credential> {
        Some(Credential::Password { user: user.into(), password: Secret::new(password) })
    }

    #[test]
    fn a_registry_is_found_in_each_form_that_docker_wrote() {
        for key in ["h.io:5000", "https://h.io:5000", "https://h.io:5000/v2/", "http://h.io:5000/v1/"] {
            let home = Home::new(&format!(r#"{{"auths":{{"{key}":{{"auth":"{BOB}"}}}}}}"#));
            assert_eq!(home.find("h.io:5000", "a").credential, password("bob", "hunter2"), "{key}");
            assert_eq!(home.find("h.io", "a").credential, None, "another port is another registry");
        }
    }

    #[test]
    fn the_most_specific_of_podmans_entries_wins() {
        let config = format!(r#"{{"auths":{{"h.io":{{"auth":"YTpi"}},"h.io/team":{{"auth":"{BOB}"}}}}}}"#);
        let home = Home::new(&config);
        assert_eq!(home.find("h.io", "team/app").credential, password("bob", "hunter2"));
        assert_eq!(home.find("h.io", "teams/app").credential, password("a", "b"));
    }

    #[test]
    fn docker_hub_is_known_by_its_old_address() {
        let home = Home::new(&format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{BOB}"}}}}}}"#));
        assert_eq!(home.find("docker.io", "library/debian").credential, password("bob", "hunter2"));
    }

    #[test]
    fn a_helper_is_asked_before_the_file_and_a_store_after_it() {
        let config = r#"{"auths":{"s.io":{}},"credsStore":"store","credHelpers":{"h.io":"own"}}"#;
        let answer = |user: &str| format!(r#"read server; echo "{{\"Username\":\"{user}\",\"Secret\":\"$server\"}}""#);
        let home = Home::new(config).helper("own", &answer("bob")).helper("store", &answer("<token>"));
        assert_eq!(home.find("h.io", "a").credential, password("bob", "h.io"));
        assert_eq!(home.find("s.io", "a").credential, Some(Credential::IdentityToken(Secret::new("s.io"))));
    }

    #[test]
    fn a_failing_helper_is_noted_and_blocks_nothing() {
        let home = Home::new(r#"{"credsStore":"bad"}"#).helper("bad", "echo hunter2; exit 1");
        let lookup = home.find("h.io", "a");
        assert_eq!(lookup.credential, None);
        let notes = lookup.notes.join(";");
        assert!(notes.contains("docker-credential-bad") && !notes.contains("hunter2"), "{notes}");
    }

    #[test]
    fn a_helper_that_knows_nothing_is_no_failure() {
        let home =
            Home::new(r#"{"credsStore":"s"}"#).helper("s", "echo credentials not found in native keychain; exit 1");
        let lookup = home.find("h.io", "a");
        assert!(lookup.credential.is_none() && lookup.notes.is_empty(), "{:?}", lookup.notes);
    }

    #[test]
    fn a_broken_file_is_noted_without_its_content() {
        let lookup = Home::new(r#"{"auths": "hunter2"}"#).find("h.io", "a");
        assert!(lookup.notes.join(";").contains("config.json"));
        assert!(!format!("{lookup:?}").contains("hunter2"));
    }
}
