//! The environment variables that the program reads, as one table, and what was found of each.
//!
//! Takes a lookup, gives a [`Finding`] for each variable in the table's order. Doesn't read the process's environment,
//! doesn't print, and doesn't try what the values lead to: a host that is well formed may still not answer.

use std::ffi::OsString;

use crate::format::{self, AuthType, Problem};

/// A variable that the program reads.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// What a well-formed value is.
    pub expected: &'static str,
    /// Who is to set it.
    pub provider: Provider,
    /// When it must be set.
    pub need: Need,
    check: fn(&str) -> Result<(), Problem>,
}

/// Who sets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The environment of the service that runs the container.
    Deployment,
    /// A secret that the deployment hands over: its value is never shown.
    Secret,
    /// The platform image that this one stands on.
    PlatformImage,
}

impl Provider {
    /// In words, to end a sentence that begins with "comes from".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Deployment => "the deployment's environment for this service",
            Self::Secret => "a secret of the deployment, handed over as an environment variable",
            Self::PlatformImage => "the platform image, //platform:kerberos-base; a deployment may set another",
        }
    }
}

/// When a variable must be set. An empty value counts as unset: that is what Compose makes of an unset `${NAME}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always: no default would be right.
    Required,
    /// Never: this value is used.
    Default(&'static str),
    /// With these kinds of authentication only; with others it is not read.
    RequiredFor(&'static [AuthType]),
    /// Read with these kinds of authentication only, and then with this default.
    DefaultFor(&'static [AuthType], &'static str),
}

impl Need {
    /// The value that is used when none is set.
    pub fn default_value(self) -> Option<&'static str> {
        match self {
            Self::Default(value) | Self::DefaultFor(_, value) => Some(value),
            Self::Required | Self::RequiredFor(_) => None,
        }
    }

    /// Whether the variable is read; `None`, an authentication that could not be read, rules nothing in that depends on it.
    fn applies(self, auth: Option<AuthType>) -> bool {
        match self {
            Self::Required | Self::Default(_) => true,
            Self::RequiredFor(kinds) | Self::DefaultFor(kinds, _) => auth.is_some_and(|auth| kinds.contains(&auth)),
        }
    }
}

const AUTH_TYPE: &str = "MSSQL_AUTH_TYPE";
const DEFAULT_AUTH_TYPE: &str = "kerberos";
const BY_PASSWORD: &[AuthType] = &[AuthType::Sql, AuthType::AzureAd];
const BY_TICKET: &[AuthType] = &[AuthType::Kerberos];

/// Every variable, the source's first. There is no default for a host: in a container `localhost` is never the server.
pub static VARIABLES: [Variable; 14] = [
    Variable {
        name: "MSSQL_SERVER",
        doc: "host of the SQL Server to read from",
        expected: "a host name (fully qualified for Kerberos) or an IP address, without port or instance",
        provider: Provider::Deployment,
        need: Need::Required,
        check: format::host,
    },
    Variable {
        name: "MSSQL_PORT",
        doc: "TCP port of the SQL Server",
        expected: "a number from 1 to 65535",
        provider: Provider::Deployment,
        need: Need::Default("1433"),
        check: format::port,
    },
    Variable {
        name: "MSSQL_DATABASE",
        doc: "database to read from",
        expected: "a database name of at most 128 characters, without quotes",
        provider: Provider::Deployment,
        need: Need::Default("master"),
        check: format::sql_server_name,
    },
    Variable {
        name: AUTH_TYPE,
        doc: "how to log in to the SQL Server",
        expected: "kerberos, sql or azure_ad",
        provider: Provider::Deployment,
        need: Need::Default(DEFAULT_AUTH_TYPE),
        check: format::auth_type,
    },
    Variable {
        name: "MSSQL_USERNAME",
        doc: "login to use where MSSQL_AUTH_TYPE is sql or azure_ad",
        expected: "a login name of at most 128 characters, without quotes",
        provider: Provider::Deployment,
        need: Need::RequiredFor(BY_PASSWORD),
        check: format::sql_server_name,
    },
    Variable {
        name: "MSSQL_PASSWORD",
        doc: "password of MSSQL_USERNAME",
        expected: "text without control characters or a line break at its end",
        provider: Provider::Secret,
        need: Need::RequiredFor(BY_PASSWORD),
        check: format::secret,
    },
    Variable {
        name: "MSSQL_TRUST_CERT",
        doc: "whether to accept the server's certificate unverified",
        expected: "true or false",
        provider: Provider::Deployment,
        need: Need::Default("false"),
        check: format::boolean,
    },
    Variable {
        name: "MSSQL_APP_NAME",
        doc: "name that the server's administrators see for the connection",
        expected: "text of at most 128 characters, without quotes",
        provider: Provider::Deployment,
        need: Need::Default("sqlserver-bronze"),
        check: format::sql_server_name,
    },
    Variable {
        name: "KRB5CCNAME",
        doc: "credentials cache that holds the Kerberos ticket",
        expected: "FILE:/path, DIR:/path or an absolute path, in a volume shared with the ticket's sidecar",
        provider: Provider::PlatformImage,
        need: Need::DefaultFor(BY_TICKET, "/krb5/cache/krb5cc"),
        check: format::credentials_cache,
    },
    Variable {
        name: "BRONZE_HOST",
        doc: "host of the bronze warehouse (PostgreSQL)",
        expected: "a host name or an IP address, without port",
        provider: Provider::Deployment,
        need: Need::Required,
        check: format::host,
    },
    Variable {
        name: "BRONZE_PORT",
        doc: "TCP port of the bronze warehouse",
        expected: "a number from 1 to 65535",
        provider: Provider::Deployment,
        need: Need::Default("5432"),
        check: format::port,
    },
    Variable {
        name: "BRONZE_DATABASE",
        doc: "database to write to",
        expected: "a database name of at most 63 bytes, without quotes",
        provider: Provider::Deployment,
        need: Need::Default("bronze"),
        check: format::postgres_name,
    },
    Variable {
        name: "BRONZE_USER",
        doc: "role to write as",
        expected: "a role name of at most 63 bytes, without quotes",
        provider: Provider::Deployment,
        need: Need::Required,
        check: format::postgres_name,
    },
    Variable {
        name: "BRONZE_PASSWORD",
        doc: "password of BRONZE_USER",
        expected: "text without control characters or a line break at its end",
        provider: Provider::Secret,
        need: Need::Required,
        check: format::secret,
    },
];

/// What was found of one variable.
#[derive(Debug)]
pub struct Finding {
    /// The variable.
    pub variable: &'static Variable,
    /// How it stands.
    pub state: State,
    /// The value as read, or the default; `None` when there is neither, and always for a secret.
    pub shown: Option<String>,
}

/// How a variable stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Set and well formed.
    Set,
    /// Not set; its default is used.
    Default,
    /// Not set, and not read with this kind of authentication.
    NotNeeded,
    /// Not set (or, with `empty`, set to nothing), though required.
    Missing {
        /// Whether it is there but holds nothing.
        empty: bool,
    },
    /// Set to something that can't be used, and why not.
    Malformed(Problem),
}

impl State {
    /// Whether the program could not start with it.
    pub fn needs_attention(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Malformed(_))
    }
}

/// Finds every variable of [`VARIABLES`] through `lookup`, in their order.
pub fn assess(lookup: impl Fn(&str) -> Option<OsString>) -> Vec<Finding> {
    let auth = read_auth(lookup(AUTH_TYPE));
    VARIABLES.iter().map(|variable| find(variable, lookup(variable.name), auth)).collect()
}

fn read_auth(value: Option<OsString>) -> Option<AuthType> {
    let value = value.filter(|value| !value.is_empty()).unwrap_or_else(|| DEFAULT_AUTH_TYPE.into());
    AuthType::parse(value.to_str()?).ok()
}

fn find(variable: &'static Variable, value: Option<OsString>, auth: Option<AuthType>) -> Finding {
    let state = judge(variable, value.as_ref(), auth);
    let default = || variable.need.default_value().filter(|_| state == State::Default).map(str::to_owned);
    let read = value.filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned());
    let shown = read.or_else(default).filter(|_| variable.provider != Provider::Secret);
    Finding { variable, state, shown }
}

fn judge(variable: &Variable, value: Option<&OsString>, auth: Option<AuthType>) -> State {
    match value {
        Some(value) if !value.is_empty() => match value.to_str().map(variable.check) {
            Some(Ok(())) => State::Set,
            _ if !variable.need.applies(auth) => State::NotNeeded,
            Some(Err(problem)) => State::Malformed(problem),
            None => State::Malformed("it is not UTF-8".to_owned()),
        },
        _ if !variable.need.applies(auth) => State::NotNeeded,
        _ if variable.need.default_value().is_some() => State::Default,
        value => State::Missing { empty: value.is_some() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn found(variables: &[(&str, &str)], name: &str) -> Finding {
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        assess(lookup).into_iter().find(|finding| finding.variable.name == name).unwrap()
    }

    #[test]
    fn every_default_is_well_formed() {
        for variable in &VARIABLES {
            if let Some(value) = variable.need.default_value() {
                assert_eq!((variable.check)(value), Ok(()), "{}", variable.name);
            }
        }
    }

    #[test]
    fn every_variable_stands_once_in_the_table() {
        assert_eq!(VARIABLES.iter().map(|variable| variable.name).collect::<BTreeSet<_>>().len(), VARIABLES.len());
    }

    #[test]
    fn a_login_and_its_password_are_needed_for_sql_but_not_for_kerberos() {
        for name in ["MSSQL_USERNAME", "MSSQL_PASSWORD"] {
            assert_eq!(found(&[], name).state, State::NotNeeded);
            assert_eq!(found(&[(AUTH_TYPE, "sql")], name).state, State::Missing { empty: false });
            assert_eq!(found(&[(AUTH_TYPE, "azure_ad")], name).state, State::Missing { empty: false });
        }
    }

    #[test]
    fn a_credentials_cache_is_read_with_kerberos_only() {
        let keyring = ("KRB5CCNAME", "KEYRING:persistent:0");
        assert!(matches!(found(&[keyring], "KRB5CCNAME").state, State::Malformed(_)));
        assert_eq!(found(&[keyring, (AUTH_TYPE, "sql")], "KRB5CCNAME").state, State::NotNeeded);
        assert_eq!(found(&[], "KRB5CCNAME").shown.as_deref(), Some("/krb5/cache/krb5cc"));
    }

    #[test]
    fn a_malformed_kind_of_authentication_is_the_only_finding_about_it() {
        let auth = [(AUTH_TYPE, "ntlm")];
        assert!(matches!(found(&auth, AUTH_TYPE).state, State::Malformed(_)));
        for name in ["MSSQL_USERNAME", "MSSQL_PASSWORD", "KRB5CCNAME"] {
            assert_eq!(found(&auth, name).state, State::NotNeeded, "{name}");
        }
    }

    #[test]
    fn an_empty_value_counts_as_unset() {
        assert_eq!(found(&[("MSSQL_SERVER", "")], "MSSQL_SERVER").state, State::Missing { empty: true });
        assert_eq!(found(&[("MSSQL_PORT", "")], "MSSQL_PORT").state, State::Default);
        assert_eq!(found(&[(AUTH_TYPE, "")], "KRB5CCNAME").state, State::Default);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_malformed() {
        use std::os::unix::ffi::OsStringExt;
        let findings = assess(|name| (name == "BRONZE_USER").then(|| OsString::from_vec(vec![b'b', 0xff])));
        let user = findings.iter().find(|finding| finding.variable.name == "BRONZE_USER").unwrap();
        assert_eq!(user.state, State::Malformed("it is not UTF-8".to_owned()));
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(found(&[("BRONZE_PASSWORD", "s3cr3t")], "BRONZE_PASSWORD").shown, None);
        assert_eq!(found(&[("BRONZE_USER", "loader")], "BRONZE_USER").shown.as_deref(), Some("loader"));
    }
}
