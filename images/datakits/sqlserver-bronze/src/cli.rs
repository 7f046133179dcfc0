//! The command line: arguments, one call each, exit codes.
//!
//! Takes the environment as a lookup and the output as a writer. Doesn't know which variables there are
//! (`variables`), nor how a report looks (`report`).

use std::ffi::OsString;
use std::io::{self, Write};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{environment, report};

/// Every variable is present and well formed.
pub const VALID: u8 = 0;
/// At least one variable is missing or malformed; clap gives the same code for a wrong command line.
pub const INVALID: u8 = 2;
/// The report could not be written.
pub const CANNOT_WRITE: u8 = 36;

/// Copies SQL Server tables into the bronze warehouse.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the environment variables that this program reads, and name each that is missing or malformed.
    ///
    /// Nothing is contacted and no file is opened. Secret values are never printed.
    /// Exits with 0 when all is well, with 2 when a variable is missing or malformed.
    ValidateEnv {
        /// How the report is written.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: a line a variable, and more about those that need attention.
    Text,
    /// For programs: one JSON object.
    Json,
}

/// Runs the command that `arguments` name and gives the exit code of the process.
///
/// `lookup` answers with a variable's value, `None` when it isn't set.
///
/// # Errors
/// What writing to `out` gave.
pub fn run(arguments: &Arguments, lookup: impl Fn(&str) -> Option<OsString>, out: &mut dyn Write) -> io::Result<u8> {
    match arguments.command {
        Command::ValidateEnv { output } => validate_env(output, lookup, out),
    }
}

fn validate_env(output: Output, lookup: impl Fn(&str) -> Option<OsString>, out: &mut dyn Write) -> io::Result<u8> {
    let findings = environment::assess(lookup);
    match output {
        Output::Text => report::text(&findings, out)?,
        Output::Json => report::json(&findings, out)?,
    }
    Ok(if findings.iter().any(|finding| finding.state.needs_attention()) { INVALID } else { VALID })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(arguments: &[&str], variables: &[(&str, &str)]) -> (u8, String) {
        let arguments = Arguments::try_parse_from([&["sqlserver-bronze", "validate-env"], arguments].concat()).unwrap();
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let mut out = Vec::new();
        let code = run(&arguments, lookup, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    const COMPLETE: [(&str, &str); 4] = [
        ("MSSQL_SERVER", "sql01.corp.example"),
        ("BRONZE_HOST", "bronze-warehouse"),
        ("BRONZE_USER", "bronze_user"),
        ("BRONZE_PASSWORD", "s3cr3t"),
    ];

    #[test]
    fn a_complete_environment_exits_with_0() {
        let (code, text) = validate(&[], &COMPLETE);
        assert_eq!(code, VALID, "{text}");
    }

    #[test]
    fn an_empty_environment_exits_with_2_and_names_every_required_variable() {
        let (code, text) = validate(&[], &[]);
        assert_eq!(code, INVALID);
        for name in ["MSSQL_SERVER", "BRONZE_HOST", "BRONZE_USER", "BRONZE_PASSWORD"] {
            assert!(text.contains(&format!("missing    {name}")), "{name} is not named in:\n{text}");
        }
    }

    #[test]
    fn json_output_is_one_object_with_the_verdict_and_every_variable() {
        let (code, json) = validate(&["--output", "json"], &COMPLETE[1..]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code, &value["valid"]), (INVALID, &serde_json::Value::Bool(false)));
        let server = value["variables"].as_array().unwrap().iter().find(|v| v["name"] == "MSSQL_SERVER").unwrap();
        assert_eq!(server["state"], "missing");
    }

    #[test]
    fn neither_form_prints_a_secret() {
        let sql = [("MSSQL_AUTH_TYPE", "sql"), ("MSSQL_USERNAME", "loader"), ("MSSQL_PASSWORD", "hunter2\u{7}")];
        let variables = [&COMPLETE[..], &sql].concat();
        for output in ["text", "json"] {
            let (_, report) = validate(&["--output", output], &variables);
            assert!(report.contains("MSSQL_PASSWORD") && report.contains("BRONZE_PASSWORD"));
            assert!(!report.contains("hunter2") && !report.contains("s3cr3t"), "a secret in:\n{report}");
        }
    }

    #[test]
    fn the_version_is_the_crates() {
        let error = Arguments::try_parse_from(["sqlserver-bronze", "--version"]).unwrap_err();
        assert_eq!(error.to_string(), concat!("sqlserver-bronze ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}
