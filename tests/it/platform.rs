//! The repository's reference platform in a temporary place: its packages as they are, with their inputs. Knows no test.
//!
//! Debian packages are fetched once a machine: they lie in a store below the target folder, from which each test's own gets
//! them. Where the archives have dropped one since it was locked, a copy of layers.lock is moved forward, and that is shouted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::readers::sample::Workspace;
use crate::support::{has, shout, skip};

const PROGRAM: &str = "images/datakits/sqlserver-bronze/bin/sqlserver-bronze";

/// What fetches all packages.
const BUILD: [&str; 4] = ["-q", "build", "//base/...", "//platform/..."];

/// The whole platform, with Debian packages in its store. `None` where they can't be had.
pub fn platform() -> Option<Workspace> {
    let lock = fetched().as_ref()?;
    let workspace = of_packages(&["base", "platform", "datakits"]);
    workspace.write("layers.lock", lock.as_bytes());
    for digest in lock.lines().filter_map(|line| line.strip_prefix("  \"")?.split(' ').nth(5)) {
        let path = format!("blobs/sha256/{}/{digest}", &digest[..2]);
        let to = workspace.beside("store").join(&path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        // Each has its own: what one test does to a store is not seen by another. Those that nothing needed are not there.
        let _ = fs::copy(packages().join(&path), to);
    }
    place(bronze(), &workspace, PROGRAM);
    Some(workspace)
}

/// The store that holds packages across tests and runs.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-packages")
}

/// Brings all Debian packages of the platform in; what `layers.lock` is then.
fn fetched() -> &'static Option<String> {
    static FETCHED: OnceLock<Option<String>> = OnceLock::new();
    FETCHED.get_or_init(fetch)
}

fn fetch() -> Option<String> {
    if !has(&["apt-get", "gpgv"]) {
        return None;
    }
    let workspace = of_packages(&["base", "platform", "datakits"]);
    workspace.write("layers.lock", &fs::read(repository("layers.lock")).expect("a file of the repository"));
    let run = |arguments: &[&str]| {
        let output = workspace.command(arguments).arg("--cache-dir").arg(packages()).output().expect("layerbuild runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (mut built, mut said) = run(&BUILD);
    if !built && said.contains("layerbuild lock --update") {
        shout(&format!("layers.lock is out of date, its packages moved forward for this run: {said}"));
        (built, said) = run(&["-q", "lock", "--update"]);
        if built {
            (built, said) = run(&BUILD);
        }
    }
    if !built {
        skip(&format!("Debian packages can't be had: {said}"));
        return None;
    }
    Some(fs::read_to_string(workspace.root().join("layers.lock")).expect("a lock file"))
}

/// The workspace of the datakits alone: neither the packages below them nor what those are made of.
pub fn datakits() -> Workspace {
    let workspace = of_packages(&["datakits"]);
    place(bronze(), &workspace, PROGRAM);
    workspace
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn of_packages(packages: &[&str]) -> Workspace {
    let read = |path: &str| fs::read(repository(path)).expect("a file of the repository");
    let workspace = Workspace::new(&String::from_utf8(read("layers.toml")).expect("text"));
    for package in packages {
        let file = format!("images/{package}/layers.toml");
        workspace.write(&file, &read(&file));
    }
    workspace
}

/// A copy: a link made or taken away by one test changes the file that another is reading, which a build refuses.
fn place(from: &Path, workspace: &Workspace, to: &str) {
    let to = workspace.root().join(to);
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    fs::copy(from, &to).expect("a copy");
}

/// The member crate's program, in the profile that this test is built in. Made once: cargo takes the file away for a
/// moment when it puts it there again.
fn bronze() -> &'static Path {
    static BRONZE: OnceLock<PathBuf> = OnceLock::new();
    BRONZE.get_or_init(build_bronze)
}

/// The whole workspace is named so that cargo unites the dependencies' features as it did for the test, and has nothing
/// else to compile.
fn build_bronze() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_layerbuild")).parent().expect("a folder");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--locked", "--workspace", "--bin", "sqlserver-bronze", "--target-dir"]);
    command.arg(folder.parent().expect("the target folder")).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("sqlserver-bronze")
}
