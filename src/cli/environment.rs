//! The process's environment as a value: what was set when the command began.
//!
//! The one place that says how a variable's text is read. Knows no variable by name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::str::FromStr;

use super::error::CliError;

/// Environment variables. A variable that is set to nothing counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Environment {
        Environment(variables.into_iter().collect())
    }
}

impl Environment {
    /// All variables, for programs that are started with them.
    pub fn iter(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone()))
    }

    /// A variable's value, as the system has it; `None` where it is not set or empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable as text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, CliError> {
        let read = |value: &'_ OsStr| value.to_str().is_some();
        match self.get(name) {
            Some(value) if !read(value) => Err(CliError::usage(format!("the variable {name} is not UTF-8"))),
            value => Ok(value.and_then(OsStr::to_str)),
        }
    }

    /// A variable parsed; `what` says what it should be, for the error.
    pub fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, CliError> {
        let wrong = |text: &str| CliError::usage(format!("the variable {name} is `{text}`, which is not {what}"));
        self.text(name)?.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }

    /// A variable as a switch: `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`; off where it is not set.
    pub fn switch(&self, name: &str) -> Result<bool, CliError> {
        match self.text(name)?.map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "false" | "no" | "off") => Ok(false),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some(text) => Err(CliError::usage(format!("the variable {name} is `{text}`, which is neither 1 nor 0"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        let environment = environment(&[("A", ""), ("B", "x")]);
        assert_eq!(environment.get("A"), None);
        assert!(!environment.switch("A").unwrap());
        assert_eq!(environment.text("B").unwrap(), Some("x"));
    }

    #[test]
    fn what_cannot_be_read_names_variable_and_value() {
        let environment = environment(&[("LAYERBUILD_JOBS", "many"), ("LAYERBUILD_OFFLINE", "perhaps")]);
        let jobs = environment.parsed::<u32>("LAYERBUILD_JOBS", "a number").unwrap_err();
        assert_eq!(jobs.message, "the variable LAYERBUILD_JOBS is `many`, which is not a number");
        assert!(environment.switch("LAYERBUILD_OFFLINE").is_err());
    }
}
