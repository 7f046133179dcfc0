//! Findings as text for people and as JSON for programs.
//!
//! Takes findings and a writer. Doesn't know what makes a finding, and never sees a secret: findings don't carry them.

use std::io::{self, Write};

use serde::Serialize;

use crate::environment::{Finding, State};
use crate::variables::{Need, Provider};

/// Writes a line for each finding, three more under one that needs attention, and a closing line.
pub fn text(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{:<10} {:<17} {}", word(&finding.state), finding.variable.name, what_was_read(finding))?;
        if finding.state.needs_attention() {
            details(finding, out)?;
        }
    }
    match findings.iter().filter(|finding| finding.state.needs_attention()).count() {
        0 => writeln!(out, "\nall {} variables are in order", findings.len()),
        count => writeln!(out, "\n{count} of {} variables need attention", findings.len()),
    }
}

fn details(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let variable = finding.variable;
    let default = variable.need.default_value().map(|value| format!(" (default: {value})")).unwrap_or_default();
    writeln!(out, "             what it is: {}", variable.doc)?;
    writeln!(out, "             expected:   {}{default}", variable.expected)?;
    writeln!(out, "             comes from: {}", variable.provider.describe())
}

/// The states' names, the same in both forms.
fn word(state: &State) -> &'static str {
    match state {
        State::Set => "ok",
        State::Default => "default",
        State::NotNeeded => "not-needed",
        State::Missing { .. } => "missing",
        State::Malformed(_) => "malformed",
    }
}

fn what_was_read(finding: &Finding) -> String {
    let value = match (&finding.shown, finding.variable.provider) {
        (Some(value), _) => format!("{value:?}"),
        (None, Provider::Secret) if matches!(finding.state, State::Set | State::Malformed(_)) => "(secret)".to_owned(),
        (None, _) => String::new(),
    };
    match &finding.state {
        State::Malformed(problem) => format!("{value}: {problem}"),
        State::Missing { empty: true } => "set, but empty".to_owned(),
        State::Missing { empty: false } => "not set".to_owned(),
        State::NotNeeded => "not read with this MSSQL_AUTH_TYPE".to_owned(),
        State::Set | State::Default => value,
    }
}

#[derive(Serialize)]
struct Report<'a> {
    valid: bool,
    variables: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
    required: bool,
    secret: bool,
    doc: &'a str,
    expected: &'a str,
    comes_from: &'a str,
}

/// Writes one JSON object: `valid`, and `variables` with an object for each finding. A field without a value is absent.
pub fn json(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let valid = !findings.iter().any(|finding| finding.state.needs_attention());
    let report = Report { valid, variables: findings.iter().map(entry).collect() };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn entry(finding: &Finding) -> Entry<'_> {
    let variable = finding.variable;
    Entry {
        name: variable.name,
        state: word(&finding.state),
        value: finding.shown.as_deref(),
        problem: problem(&finding.state),
        default: variable.need.default_value(),
        required: matches!(variable.need, Need::Required | Need::RequiredFor(_)) && finding.state != State::NotNeeded,
        secret: variable.provider == Provider::Secret,
        doc: variable.doc,
        expected: variable.expected,
        comes_from: variable.provider.describe(),
    }
}

fn problem(state: &State) -> Option<&str> {
    match state {
        State::Malformed(problem) => Some(problem),
        State::Missing { empty: true } => Some("set, but empty"),
        State::Missing { empty: false } => Some("not set"),
        State::Set | State::Default | State::NotNeeded => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::assess;
    use std::ffi::OsString;

    fn rendered(variables: &[(&str, &str)]) -> String {
        let findings =
            assess(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)));
        let mut out = Vec::new();
        text(&findings, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_malformed_variable_is_told_with_what_was_read_expected_and_where_it_comes_from() {
        let text = rendered(&[("MSSQL_PORT", "14x33")]);
        let at = text.find("malformed  MSSQL_PORT").expect("named");
        let told: Vec<&str> = text[at..].lines().take(4).collect();
        assert!(told[0].ends_with("\"14x33\": it is not a port number"), "{told:?}");
        assert!(told[2].contains("expected:   a number from 1 to 65535 (default: 1433)"), "{told:?}");
        assert!(told[3].contains("comes from: the deployment's environment"), "{told:?}");
    }

    #[test]
    fn values_are_quoted_so_that_no_control_character_reaches_the_terminal() {
        let text = rendered(&[("BRONZE_USER", "a\u{1b}[31mb")]);
        assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[31mb"), "{text}");
    }

    #[test]
    fn the_closing_line_counts_what_needs_attention() {
        assert!(rendered(&[]).ends_with("\n4 of 14 variables need attention\n"));
    }
}
