//! Debian's archives: gpgv, which checks what they are signed with, and an archive for each source.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::Finding;
use crate::packages::debian::machine::Machine;

/// `sources`: those that targets take packages from.
pub fn check(machine: &Machine, sources: &BTreeSet<String>) -> Vec<Finding> {
    let gpgv = Command::new("gpgv").arg("--version").stdin(Stdio::null()).output();
    let gpgv = match gpgv {
        Ok(output) => Finding::fine("gpgv", first_line(&output.stdout)),
        Err(error) => {
            let why = crate::reason::reason(&error);
            Finding::missing("gpgv", format!("it can't be started: {why}"), "install it (package gpgv)")
        }
    };
    let mut findings = vec![gpgv.needed(!sources.is_empty())];
    findings.extend(sources.iter().map(|source| archive(machine, source)));
    if sources.is_empty() {
        findings.push(Finding::not_needed("archives", "no target takes Debian packages"));
    }
    findings
}

fn archive(machine: &Machine, source: &str) -> Finding {
    match machine.archives(source) {
        Ok(archives) => {
            let addresses: Vec<&str> =
                archives.iter().filter_map(|archive| archive.addresses.first()).map(String::as_str).collect();
            Finding::fine("archives", format!("`{source}` is {}", addresses.join(", ")))
        }
        Err(error) => {
            let fix = "name suites, mirrors and a keyring as `[apt.NAME]`, and that as `source`";
            Finding::missing("archives", error.to_string(), fix)
        }
    }
}

fn first_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said).lines().next().unwrap_or_default().to_owned()
}
