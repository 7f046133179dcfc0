//! Tells a registry who we are: Basic, or tokens from its token server, cached by scope.
//!
//! Takes the registry's challenge and the user's credentials, gives the `Authorization` header of a request
//! (distribution's token specification). Which requests may carry it, `session` decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::answer::refusal;
use super::challenge::{Challenge, choose};
use super::credentials::{Credentials, Lookup};
use super::error::{RegistryError, RequestLine};
use super::secret::{Credential, Secret};
use super::transport::{Authorization, Load, Message, Transport};
use crate::reference::{Registry, RepositoryPath, is_loopback};

/// What a request needs to be allowed: always the same text for the same need, so that it can be a cache's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    /// The repository that decides which credentials are used.
    pub path: RepositoryPath,
    /// What is done to it.
    pub access: Access,
    /// A repository to mount from, which must be readable.
    pub from: Option<RepositoryPath>,
}

/// What is done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// It is read.
    Read,
    /// It is read and written.
    Write,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Access::Read => "pull from",
            Access::Write => "push to",
        }
    }
}

impl Scope {
    /// Reading and writing one repository.
    pub fn of(path: &RepositoryPath) -> Scope {
        Scope { path: path.clone(), access: Access::Write, from: None }
    }

    /// Reading one repository.
    pub fn reading(path: &RepositoryPath) -> Scope {
        Scope { access: Access::Read, ..Scope::of(path) }
    }

    fn texts(&self) -> Vec<String> {
        let from = self.from.iter().map(|from| format!("repository:{from}:pull"));
        let actions = match self.access {
            Access::Read => "pull",
            Access::Write => "pull,push",
        };
        std::iter::once(format!("repository:{}:{actions}", self.path)).chain(from).collect()
    }
}

type TokenCell = Arc<OnceCell<Token>>;

struct Token {
    text: Secret,
    expires: Instant,
}

/// One registry's challenge and the tokens that it was answered with.
pub(super) struct Authenticator {
    written: Registry,
    registry: Registry,
    /// Whether the registry itself is reached in plain HTTP.
    plain: bool,
    transport: Arc<Transport>,
    credentials: Arc<Credentials>,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<Scope, TokenCell>>,
}

impl Authenticator {
    /// For a registry that has asked nothing yet.
    /// `written`: as the caller names it; `registry`: where it was found; `plain`: in plain HTTP.
    pub fn new(
        written: Registry,
        registry: Registry,
        plain: bool,
        transport: Arc<Transport>,
        credentials: Arc<Credentials>,
    ) -> Authenticator {
        Authenticator {
            written,
            registry,
            plain,
            transport,
            credentials,
            challenge: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// Takes in the challenge of a 401; whether there is one that we can answer.
    pub fn learn(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
        let challenge = choose(values);
        let known = challenge.is_some();
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = challenge;
        known
    }

    /// Forgets the token of a scope: the registry refused it.
    pub fn forget(&self, scope: &Scope) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }

    /// Who to be for a scope; `None` where the registry asks for nothing, or we have nothing to say.
    pub async fn authorization(&self, scope: &Scope) -> Result<Option<Authorization>, RegistryError> {
        let challenge = self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match challenge {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(self.basic(scope).await),
            Some(Challenge::Bearer { realm, service }) => {
                self.token(scope, &realm, service.as_deref()).await.map(|token| Some(Authorization::Bearer(token)))
            }
        }
    }

    /// Which credentials are used for a scope, and what to do when they don't suffice.
    pub async fn note(&self, scope: &Scope) -> String {
        let Lookup { credential, notes } = self.lookup(scope).await;
        let failed: String = notes.iter().map(|note| format!("; {note}")).collect();
        let registry = &self.registry;
        match credential {
            None if scope.access == Access::Read => format!(
                "no credentials are known for `{registry}`: check that `{}` is there, or run `docker login {registry}`{failed}",
                scope.path
            ),
            None => format!("no credentials are known for `{registry}`, run `docker login {registry}`{failed}"),
            Some(Credential::Password { user, .. }) => {
                let (may, path) = (scope.access.verb(), &scope.path);
                format!("as user `{user}`: check that they may {may} `{path}`, or log in anew{failed}")
            }
            Some(Credential::IdentityToken(_)) => {
                format!("with a stored identity token: run `docker login {registry}` to renew it{failed}")
            }
        }
    }

    async fn lookup(&self, scope: &Scope) -> Lookup {
        self.credentials.find(&self.registry, Some(&scope.path)).await
    }

    async fn basic(&self, scope: &Scope) -> Option<Authorization> {
        match self.lookup(scope).await.credential? {
            Credential::Password { user, password } => Some(Authorization::Basic(user, password)),
            Credential::IdentityToken(_) => None,
        }
    }

    /// The token of a scope, requested once however many ask at the same time.
    async fn token(&self, scope: &Scope, realm: &str, service: Option<&str>) -> Result<Secret, RegistryError> {
        let cell = self.cell(scope);
        let token = cell.get_or_try_init(|| self.request(scope, realm, service)).await?;
        Ok(token.text.clone())
    }

    fn cell(&self, scope: &Scope) -> TokenCell {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |cell: &TokenCell| cell.get().is_some_and(|token| token.expires <= Instant::now());
        if tokens.get(scope).is_some_and(is_over) {
            tokens.remove(scope);
        }
        tokens.entry(scope.clone()).or_default().clone()
    }

    async fn request(&self, scope: &Scope, realm: &str, service: Option<&str>) -> Result<Token, RegistryError> {
        let credential = self.lookup(scope).await.credential;
        let message = Message::new(Method::GET, self.realm(realm)?, &self.written);
        let message = token_request(message, scope, service, credential);
        let line = RequestLine::new(&message.method, &message.url);
        let asked = Instant::now();
        let response = self.transport.send(message).await?;
        self.read(scope, line, response, asked).await
    }

    /// The token server's address; credentials go there, so it must be as safe as the registry itself.
    fn realm(&self, realm: &str) -> Result<Url, RegistryError> {
        let url: Option<Url> = realm.parse().ok();
        let is_safe = |url: &Url| match url.scheme() {
            "https" => true,
            "http" => {
                url.host_str().is_some_and(|host| is_loopback(host) || (self.plain && host == self.registry.host()))
            }
            _ => false,
        };
        url.filter(is_safe).ok_or_else(|| RegistryError::Client {
            cause: format!("registry `{}` sends us to a token server without HTTPS, which is refused", self.registry),
        })
    }

    async fn read(
        &self,
        scope: &Scope,
        request: RequestLine,
        response: Response,
        asked: Instant,
    ) -> Result<Token, RegistryError> {
        if !response.status().is_success() {
            let note = self.note(scope).await;
            return Err(refusal(request, response, note).await);
        }
        let answer = response.bytes().await.map_err(|error| RegistryError::unanswered(request.clone(), &error))?;
        // The parser's message could quote the token: it is dropped.
        let token = serde_json::from_slice::<Answer>(&answer).ok().and_then(|answer| answer.token(asked));
        token.ok_or_else(|| RegistryError::Protocol { request, what: "the token server sent no token".to_owned() })
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Answer {
    /// A token is taken to live 60 seconds where the server does not say, and is renewed a little early.
    fn token(self, asked: Instant) -> Option<Token> {
        let text = self.token.or(self.access_token).filter(|text| HeaderValue::from_str(text).is_ok())?;
        let life = Duration::from_secs(self.expires_in.unwrap_or(60).clamp(10, 86_400));
        Some(Token { text: Secret::new(text), expires: asked + life - life / 10 })
    }
}

fn token_request(
    mut message: Message,
    scope: &Scope,
    service: Option<&str>,
    credential: Option<Credential>,
) -> Message {
    if let Some(Credential::IdentityToken(token)) = credential {
        message.method = Method::POST;
        message.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        message.load = Load::Bytes(refresh_form(scope, service, &token));
        return message;
    }
    message
        .url
        .query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .extend_pairs(scope.texts().iter().map(|scope| ("scope", scope)));
    if let Some(Credential::Password { user, password }) = credential {
        message.authorization = Some(Authorization::Basic(user, password));
    }
    message
}

/// The form of the token specification's OAuth 2 variant.
fn refresh_form(scope: &Scope, service: Option<&str>, token: &Secret) -> Bytes {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("client_id", "layerbuild");
    form.extend_pairs(service.map(|service| ("service", service)));
    form.append_pair("scope", &scope.texts().join(" ")).append_pair("refresh_token", token.expose());
    form.finish().into()
}

#[cfg(test)]
mod tests {
    use super::super::config::ClientConfig;
    use super::super::credentials::CredentialSources;
    use super::*;

    #[test]
    fn a_token_server_is_as_safe_as_its_registry() {
        let realm = |plain: bool, realm: &str| {
            let transport = Arc::new(Transport::new(&ClientConfig::default()).expect("a transport"));
            let credentials = Arc::new(Credentials::new(CredentialSources::default()));
            let registry: Registry = "h.test".parse().expect("a registry");
            Authenticator::new(registry.clone(), registry, plain, transport, credentials).realm(realm).is_ok()
        };
        assert!(realm(false, "https://other.test/t") && realm(false, "http://localhost/t"));
        assert!(realm(true, "http://h.test/t") && !realm(true, "http://other.test/t"));
        assert!(!realm(false, "http://h.test/t"), "a password would leave HTTPS");
        assert!(!realm(true, "ftp://h.test/t") && !realm(true, "h.test"));
    }
}
