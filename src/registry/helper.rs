//! Asks a Docker credential helper (`docker-credential-NAME get`) for one registry's credentials.
//!
//! Runs with the environment that it is given and is stopped when it takes too long. Knows nothing of files.

use std::ffi::OsString;
use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::secret::{Credential, Secret};
use crate::reason::reason;

/// Environment variables for credential helpers; `Debug` shows no value.
#[derive(Clone, Default)]
pub struct HelperEnvironment(Vec<(OsString, OsString)>);

impl HelperEnvironment {
    /// An environment of these variables.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> HelperEnvironment {
        HelperEnvironment(variables.into_iter().collect())
    }

    fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl fmt::Debug for HelperEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HelperEnvironment({} variables)", self.0.len())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the helper knows about `server`; `None` where it knows nothing, a phrase that says why where it failed.
pub(super) async fn ask(
    name: &str,
    server: &str,
    environment: &HelperEnvironment,
    limit: Duration,
) -> Result<Option<Credential>, String> {
    if name.contains('/') {
        return Err(format!("credential helper `{name}` is not a plain name"));
    }
    let program = format!("docker-credential-{name}");
    match tokio::time::timeout(limit, run(&program, server, environment)).await {
        Ok(answer) => answer.map_err(|cause| format!("credential helper `{program}` failed: {cause}")),
        Err(_) => Err(format!("credential helper `{program}` did not answer within {} s", limit.as_secs())),
    }
}

async fn run(program: &str, server: &str, environment: &HelperEnvironment) -> Result<Option<Credential>, String> {
    let mut child = start(program, environment).map_err(|error| reason(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input may still answer.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| reason(&error))?;
    if output.status.success() {
        return read(&output.stdout).map(Some);
    }
    // Helpers say on stdout that they know nothing: the same sentence in all of them.
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if said.contains("credentials not found") { Ok(None) } else { Err(format!("it ended with {}", output.status)) }
}

fn start(program: &str, environment: &HelperEnvironment) -> std::io::Result<Child> {
    Command::new(program)
        .arg("get")
        .env_clear()
        .envs(environment.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

fn read(stdout: &[u8]) -> Result<Credential, String> {
    // The parser's message could quote the secret: it is dropped.
    let answer: Answer =
        serde_json::from_slice(stdout).map_err(|_| "its answer is not what it should be".to_owned())?;
    Ok(match answer.username.as_str() {
        "<token>" => Credential::IdentityToken(Secret::new(answer.secret)),
        _ => Credential::Password { user: answer.username, password: Secret::new(answer.secret) },
    })
}
