//! What a well-formed value looks like: one check for each kind of variable.
//!
//! Each takes a non-empty value and gives nothing, or what is wrong with it: a lower-case phrase that never
//! repeats the value, so that it may be shown for a secret too. Doesn't know which variable is checked.

use std::net::IpAddr;

/// What is wrong with a value.
pub type Problem = String;

/// The longest identifier that SQL Server keeps (`sysname`), in characters.
const SQL_SERVER_NAME: usize = 128;
/// The longest identifier that PostgreSQL keeps (`NAMEDATALEN` - 1), in bytes; it cuts longer ones silently.
const POSTGRES_NAME: usize = 63;

/// A host name or an IP address, without a port.
pub fn host(value: &str) -> Result<(), Problem> {
    let name = value.strip_suffix('.').unwrap_or(value);
    if value.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_host_label)) {
        return Ok(());
    }
    Err(why_not_a_host(value).to_owned())
}

/// Underscores are no host name's by RFC 1123, but names of Compose services may hold them.
fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The forms that people carry over from ODBC connection strings are answered with where their parts belong.
fn why_not_a_host(value: &str) -> &'static str {
    match value {
        _ if is_quoted(value) => "quotes stand around it: an env file's quotes become part of the value",
        _ if value.contains("://") => "it is a URL: only its host belongs here",
        _ if value.contains('\\') => "it names an instance: give the host only, and the port of the instance apart",
        _ if value.contains([',', ':']) => "it holds a port or a protocol: give the host only, and the port apart",
        _ => "it is neither a host name nor an IP address",
    }
}

/// A TCP port.
pub fn port(value: &str) -> Result<(), Problem> {
    match value.parse::<u16>() {
        Ok(1..) if !value.starts_with('+') => Ok(()),
        _ => Err("it is not a port number".to_owned()),
    }
}

/// A truth value; the spellings of ODBC's `TrustServerCertificate` are taken too.
pub fn boolean(value: &str) -> Result<(), Problem> {
    let known = ["true", "false", "yes", "no", "1", "0"].iter().any(|word| word.eq_ignore_ascii_case(value));
    if known { Ok(()) } else { Err("it is not a truth value".to_owned()) }
}

/// How to log in to SQL Server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// By the ticket in the credentials cache.
    Kerberos,
    /// By a login of SQL Server's own.
    Sql,
    /// By a user of Azure Active Directory (now Entra ID) and its password.
    AzureAd,
}

impl AuthType {
    /// Reads the value of `MSSQL_AUTH_TYPE`.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        match value {
            "kerberos" => Ok(Self::Kerberos),
            "sql" => Ok(Self::Sql),
            "azure_ad" => Ok(Self::AzureAd),
            _ => Err("it is not a kind of authentication".to_owned()),
        }
    }
}

/// `kerberos`, `sql` or `azure_ad`.
pub fn auth_type(value: &str) -> Result<(), Problem> {
    AuthType::parse(value).map(|_| ())
}

/// A Kerberos credentials cache that a container can be given: a file or a directory (MIT krb5, `ccache` types).
pub fn credentials_cache(value: &str) -> Result<(), Problem> {
    let (kind, residual) = match value.split_once(':') {
        Some((kind, residual)) if !kind.contains('/') => (kind, residual),
        _ => ("FILE", value), // as libkrb5 does: no type means a file
    };
    match kind {
        "FILE" => absolute(residual),
        "DIR" => absolute(residual.strip_prefix(':').unwrap_or(residual)), // DIR::/path names one ticket in it
        "KCM" => unshareable("KCM caches live in a daemon of another host"),
        "KEYRING" => unshareable("KEYRING caches live in the kernel's keyring of another session"),
        "API" => unshareable("API caches live in a daemon of the user's macOS session"),
        "MEMORY" => unshareable("MEMORY caches live in the process that made them"),
        _ => Err("it is of an unknown cache type".to_owned()),
    }
}

fn absolute(path: &str) -> Result<(), Problem> {
    if path.starts_with('/') { Ok(()) } else { Err("its path is not absolute".to_owned()) }
}

fn unshareable(why: &str) -> Result<(), Problem> {
    Err(format!("{why}, which a container cannot share: have the ticket obtained into a file"))
}

/// The name of a database, login or application in SQL Server.
pub fn sql_server_name(value: &str) -> Result<(), Problem> {
    if value.chars().count() > SQL_SERVER_NAME {
        return Err(format!("it is longer than {SQL_SERVER_NAME} characters"));
    }
    plain(value)
}

/// The name of a database or role in PostgreSQL.
pub fn postgres_name(value: &str) -> Result<(), Problem> {
    if value.len() > POSTGRES_NAME {
        return Err(format!("it is longer than {POSTGRES_NAME} bytes, which PostgreSQL would cut"));
    }
    plain(value)
}

fn plain(value: &str) -> Result<(), Problem> {
    if is_quoted(value) {
        return Err("quotes stand around it: an env file's quotes become part of the value".to_owned());
    }
    if value.trim() != value {
        return Err("white space stands around it".to_owned());
    }
    secret(value)
}

/// A password: whatever can be sent. A line break at the end comes from a file that was read whole: no server takes it.
pub fn secret(value: &str) -> Result<(), Problem> {
    if value.ends_with(['\n', '\r']) {
        return Err("it ends with a line break".to_owned());
    }
    if value.chars().any(char::is_control) { Err("it holds a control character".to_owned()) } else { Ok(()) }
}

fn is_quoted(value: &str) -> bool {
    value.len() > 1 && ['"', '\''].iter().any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(check: fn(&str) -> Result<(), Problem>, value: &str) -> String {
        check(value).expect_err(value)
    }

    #[test]
    fn hosts_are_names_and_addresses() {
        for good in ["sql01", "sql01.corp.example", "sql01.corp.example.", "bronze_warehouse", "10.0.0.7", "::1"] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in ["-a", "a-", "a..b", ".", "a b", "ä.example", &"a".repeat(64)] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hosts_problem_tells_where_the_other_part_belongs() {
        assert!(problem(host, "sql01,1433").contains("port"));
        assert!(problem(host, "tcp:sql01").contains("protocol"));
        assert!(problem(host, r"sql01\PROD").contains("instance"));
        assert!(problem(host, "https://sql01").contains("URL"));
        assert!(problem(host, "\"sql01\"").contains("quotes"));
    }

    #[test]
    fn ports_are_1_to_65535() {
        assert!(port("1").is_ok() && port("65535").is_ok());
        for bad in ["0", "65536", "-1", "+1", "14x33", " 1433", "1433.0"] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn truth_values_have_the_spellings_of_odbc() {
        assert!(["true", "False", "YES", "no", "1", "0"].iter().all(|word| boolean(word).is_ok()));
        assert!(boolean("maybe").is_err() && boolean("on ").is_err());
    }

    #[test]
    fn files_and_directories_are_caches_that_can_be_shared() {
        for good in ["/krb5/cache/krb5cc", "FILE:/krb5/cache/ccache", "DIR:/krb5/cache", "DIR::/krb5/cache/tkt1"] {
            assert_eq!(credentials_cache(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_cache_that_no_container_can_share_is_explained() {
        for (value, word) in
            [("KCM:", "daemon"), ("KEYRING:persistent:0", "keyring"), ("API:x", "macOS"), ("MEMORY:x", "process")]
        {
            let problem = problem(credentials_cache, value);
            assert!(problem.contains(word) && problem.contains("container cannot share"), "{value}: {problem}");
        }
    }

    #[test]
    fn a_relative_cache_path_and_an_unknown_type_are_problems() {
        assert!(problem(credentials_cache, "krb5cc").contains("absolute"));
        assert!(problem(credentials_cache, "FILE:krb5cc").contains("absolute"));
        assert!(problem(credentials_cache, "DIR:").contains("absolute"));
        assert!(problem(credentials_cache, "FLIE:/krb5/cache").contains("unknown"));
    }

    #[test]
    fn names_have_the_limits_of_their_servers() {
        assert!(postgres_name(&"b".repeat(63)).is_ok() && postgres_name(&"b".repeat(64)).is_err());
        assert!(sql_server_name(&"ä".repeat(128)).is_ok() && sql_server_name(&"ä".repeat(129)).is_err());
        assert!(problem(postgres_name, "'bronze'").contains("quotes"));
        assert!(problem(sql_server_name, "master ").contains("white space"));
    }

    #[test]
    fn a_secrets_problem_does_not_repeat_it() {
        assert!(secret("p\"ass, wörd").is_ok());
        let problem = problem(secret, "hunter2\n");
        assert!(problem.contains("line break") && !problem.contains("hunter2"));
    }
}
