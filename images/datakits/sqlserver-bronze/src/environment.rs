//! What was found of each environment variable.
//!
//! Takes a lookup, gives a [`Finding`] for each variable in the order of `variables`. Doesn't read the process's environment,
//! doesn't print, and doesn't try what the values lead to: a host that is well formed may still not answer.

use std::ffi::OsString;

use crate::format::{AuthType, Problem};
use crate::variables::{AUTH_TYPE, DEFAULT_AUTH_TYPE, Provider, VARIABLES, Variable};

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

    fn found(variables: &[(&str, &str)], name: &str) -> Finding {
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        assess(lookup).into_iter().find(|finding| finding.variable.name == name).unwrap()
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
