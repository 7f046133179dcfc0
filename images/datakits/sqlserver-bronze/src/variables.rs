//! The environment variables that the program reads, as one table.
//!
//! Plain data: what each is for, when it is needed, who sets it and what a well-formed value is. Knows no values;
//! what was found of each stands in `environment`.

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
    /// What is wrong with a value that is not empty, if anything.
    pub check: fn(&str) -> Result<(), Problem>,
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
    pub fn applies(self, auth: Option<AuthType>) -> bool {
        match self {
            Self::Required | Self::Default(_) => true,
            Self::RequiredFor(kinds) | Self::DefaultFor(kinds, _) => auth.is_some_and(|auth| kinds.contains(&auth)),
        }
    }
}

/// The variable that decides which of the others are read.
pub const AUTH_TYPE: &str = "MSSQL_AUTH_TYPE";
/// Its default.
pub const DEFAULT_AUTH_TYPE: &str = "kerberos";
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
}
