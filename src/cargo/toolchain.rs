//! The host's Rust: which toolchain a folder has, and what its compiler calls itself. Asked once a folder.
//!
//! `rustc` is rustup's, which looks for rust-toolchain.toml from the folder upwards: so the toolchain is asked for, never
//! guessed. Knows nothing of what is compiled.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

/// A toolchain of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Its folder, with `bin/rustc` and `bin/cargo` in it.
    pub sysroot: PathBuf,
    /// What `rustc -vV` prints.
    pub version: String,
    /// What its choice depended on: files that are there and places where one would count. Absolute.
    pub observed: Vec<Utf8PathBuf>,
}

/// Why there is none, as a sentence, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolchainError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The toolchains of this machine.
#[derive(Debug, Default)]
pub struct Toolchains {
    variables: Vec<(OsString, OsString)>,
    known: Mutex<HashMap<Utf8PathBuf, Result<Arc<Toolchain>, ToolchainError>>>,
}

const INSTALL: &str = "install Rust with rustup (https://rustup.rs), and have its `bin` in PATH";

impl Toolchains {
    /// `variables`: those that programs are started with.
    pub fn new(variables: Vec<(OsString, OsString)>) -> Toolchains {
        Toolchains { variables, known: Mutex::default() }
    }

    /// The variables that programs are started with.
    pub fn variables(&self) -> &[(OsString, OsString)] {
        &self.variables
    }

    /// The toolchain that counts in a folder, absolute.
    pub fn of(&self, folder: &Utf8Path) -> Result<Arc<Toolchain>, ToolchainError> {
        // Held while it is asked: others would ask the same.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(folder.to_owned()).or_insert_with(|| self.ask(folder).map(Arc::new)).clone()
    }

    fn ask(&self, folder: &Utf8Path) -> Result<Toolchain, ToolchainError> {
        let sysroot = PathBuf::from(self.output(Path::new("rustc"), &["--print", "sysroot"], folder)?.trim_end());
        let rustc = sysroot.join("bin/rustc");
        let whole = ["bin/rustc", "bin/cargo", "lib/rustlib"].iter().all(|part| sysroot.join(part).exists());
        // A distribution's compiler needs libraries from all over its file system.
        if !whole || sysroot == Path::new("/usr") || sysroot == Path::new("/") {
            let message = format!("{} is no toolchain that could be taken along as it is", sysroot.display());
            return Err(ToolchainError { message, help: INSTALL.to_owned() });
        }
        let version = self.output(&rustc, &["-vV"], folder)?;
        let observed = self.observed(folder, &rustc);
        Ok(Toolchain { sysroot, version, observed })
    }

    fn output(&self, program: &Path, arguments: &[&str], folder: &Utf8Path) -> Result<String, ToolchainError> {
        let mut command = Command::new(self.found(program));
        command.args(arguments).current_dir(folder).env_clear().envs(self.variables.iter().cloned());
        let output = command.stdin(Stdio::null()).output().map_err(|error| ToolchainError {
            message: format!("`{}` can't be started: {error}", program.display()),
            help: INSTALL.to_owned(),
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("`{} {}` failed: {}", program.display(), arguments.join(" "), said.trim());
        Err(ToolchainError { message, help: format!("run it in {folder}: what it says there holds here") })
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The places where a program is looked for, up to where it is.
    fn looked_at(&self, name: &Path) -> Vec<PathBuf> {
        let path = self.variable("PATH").map(|path| path.as_bytes()).unwrap_or_default();
        let folders = path.split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
        let mut places = Vec::new();
        for place in folders.map(|folder| Path::new(OsStr::from_bytes(folder)).join(name)) {
            let found = place.is_file();
            places.push(place);
            if found {
                break;
            }
        }
        places
    }

    /// A program by its full path: what is started would else be looked for in this process's own PATH.
    fn found(&self, name: &Path) -> PathBuf {
        let last = if name.is_absolute() { None } else { self.looked_at(name).pop() };
        last.filter(|path| path.is_file()).unwrap_or_else(|| name.to_owned())
    }

    fn observed(&self, folder: &Utf8Path, rustc: &Path) -> Vec<Utf8PathBuf> {
        let files = ["rust-toolchain.toml", "rust-toolchain"];
        let above = folder.ancestors().flat_map(|folder| files.map(|file| folder.join(file).into_std_path_buf()));
        let home = self.variable("RUSTUP_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(".rustup")));
        let settings = home.map(|home| home.join("settings.toml"));
        let all = self.looked_at(Path::new("rustc")).into_iter().chain(above).chain(settings).chain([rustc.to_owned()]);
        all.filter_map(|path| Utf8PathBuf::from_path_buf(path).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder whose `bin/rustc` is a script.
    fn machine(script: &str) -> (tempfile::TempDir, Utf8PathBuf, Toolchains) {
        let held = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(held.path().to_owned()).unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("lib/rustlib")).unwrap();
        fs::write(folder.join("bin/cargo"), "").unwrap();
        fs::write(folder.join("bin/rustc"), format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(folder.join("bin/rustc"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("/nowhere:{folder}/bin:/usr/bin:/bin");
        let toolchains = Toolchains::new(vec![("PATH".into(), path.into()), ("HOME".into(), folder.as_str().into())]);
        (held, folder, toolchains)
    }

    #[test]
    fn a_folder_is_asked_once_and_what_decides_is_known() {
        let script = "echo x >> \"$HOME/asked\"\ncase $1 in -vV) echo rustc 1;; *) echo \"$HOME\";; esac\n";
        let (_held, folder, toolchains) = machine(script);
        let found = toolchains.of(&folder).unwrap();
        assert_eq!((found.version.as_str(), found.sysroot.as_path()), ("rustc 1\n", folder.as_std_path()));
        toolchains.of(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("asked")).unwrap(), "x\nx\n", "two questions, once");
        for path in ["bin/rustc", "rust-toolchain.toml", ".rustup/settings.toml"] {
            assert!(found.observed.contains(&folder.join(path)), "{path}: {:?}", found.observed);
        }
        assert!(found.observed.contains(&"/nowhere/rustc".into()));
    }

    #[test]
    fn a_compiler_that_is_missing_fails_or_is_the_distributions_says_what_to_do() {
        let message = |toolchains: &Toolchains| toolchains.of(Utf8Path::new("/")).unwrap_err().message;
        assert!(message(&Toolchains::new(Vec::new())).contains("`rustc` can't be started"));
        assert!(message(&machine("echo no such toolchain >&2; exit 1").2).contains("failed: no such toolchain"));
        assert!(message(&machine("echo /usr").2).contains("/usr is no toolchain"));
    }
}
