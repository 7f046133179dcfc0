//! Crates from their registries and git repositories into a folder, by `cargo vendor` and the user's own configuration.
//!
//! The one place where a `cargo` target reaches the network. Cargo holds each crate against its checksum here, and each
//! file once more when it compiles.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use toml::{Table, Value};

use super::toolchain::{Toolchain, Toolchains};

/// The folder of the crates, below the one that is filled.
pub const CRATES: &str = "crates";
/// The file beside it that tells cargo to take every crate from there.
pub const CONFIG: &str = "config.toml";

/// Why crates can't be had.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// Cargo said why.
    #[error("the crates can't be fetched: {}", .0.iter().map(|line| format!("\n  | {line}")).collect::<String>())]
    Cargo(Vec<String>),
    /// A file or program failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, as a phrase.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Where from, and how.
#[derive(Debug, Clone, Copy)]
pub struct Vendor<'a> {
    /// The machine's.
    pub toolchains: &'a Toolchains,
    /// Whose cargo fetches.
    pub toolchain: &'a Toolchain,
    /// Take only what this user's cargo has fetched before.
    pub offline: bool,
}

impl Vendor<'_> {
    /// Puts the crates that the workspace in a folder needs below another, which exists. `seen_at`: the path under which
    /// cargo will find the crates.
    pub fn fill(&self, workspace: &Path, into: &Path, seen_at: &str) -> Result<(), VendorError> {
        let failed = |what| move |source| VendorError::Io { what, source };
        let crates = into.join(CRATES);
        fs::create_dir_all(&crates).map_err(failed("make a folder for crates"))?;
        let output = self.command(workspace, &crates).output().map_err(failed("start cargo"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(VendorError::Cargo(
                said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
            ));
        }
        let config = config(&String::from_utf8_lossy(&output.stdout), seen_at);
        fs::write(into.join(CONFIG), config).map_err(failed("write cargo's configuration"))?;
        settle(&crates).map_err(failed("set the times of crates"))
    }

    fn command(&self, workspace: &Path, crates: &Path) -> Command {
        let mut command = Command::new(self.toolchain.sysroot.join("bin/cargo"));
        command
            .args(["vendor", "--versioned-dirs", "--respect-source-config"])
            .args(self.offline.then_some("--offline"));
        command.arg(crates).current_dir(workspace).stdin(Stdio::null());
        command.env_clear().envs(self.toolchains.variables().iter().cloned());
        command.env("RUSTC", self.toolchain.sysroot.join("bin/rustc")).env("CARGO_TERM_COLOR", "never");
        command
    }
}

/// What cargo says of its sources, with the folder where it will find them.
fn config(said: &str, seen_at: &str) -> String {
    let mut table: Table = said.parse().unwrap_or_default();
    let sources = table.get_mut("source").and_then(Value::as_table_mut);
    for source in sources.into_iter().flat_map(|sources| sources.iter_mut()).filter_map(|(_, it)| it.as_table_mut()) {
        if source.contains_key("directory") {
            source.insert("directory".into(), Value::String(seen_at.to_owned()));
        }
    }
    table.to_string()
}

/// One time for all: build scripts that look at times run again for nothing else.
fn settle(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => settle(&entry.path())?,
            kind if kind.is_file() => {
                File::open(entry.path())?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))?
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_in_the_configuration_is_where_cargo_will_find_it() {
        let said = "[source.crates-io]\nreplace-with = \"vendored-sources\"\n\n[source.\"git+https://a.example/x\"]\n\
                    git = \"https://a.example/x\"\nreplace-with = \"vendored-sources\"\n\n\
                    [source.vendored-sources]\ndirectory = \"/tmp/x/crates\"\n";
        let config: Table = config(said, "/vendor").parse().unwrap();
        assert_eq!(config["source"]["vendored-sources"]["directory"].as_str(), Some("/vendor"));
        assert_eq!(config["source"]["git+https://a.example/x"]["replace-with"].as_str(), Some("vendored-sources"));
    }
}
