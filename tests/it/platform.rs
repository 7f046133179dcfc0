//! The repository's reference platform in a temporary place: its packages as they are, with their inputs. Knows no test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::readers::sample::Workspace;
use crate::support::has;

/// The entry programs, by package.
const PROGRAMS: [(&str, &str); 2] =
    [("platform", "kerberos-sidecar/kerberos-sidecar"), ("warehouse", "postgres/postgres-entrypoint")];
const PROGRAM: &str = "images/datakits/sqlserver-bronze/bin/sqlserver-bronze";

/// The whole platform, with its locked packages. `None` where apt's lists, by which they are fetched, are missing.
pub fn platform() -> Option<Workspace> {
    if !has(&["apt-get"]) {
        return None;
    }
    let workspace = of_packages(&["base", "platform", "datakits", "warehouse"]);
    workspace.write("layers.lock", &fs::read(repository("layers.lock")).expect("a lock file"));
    place(bronze(), &workspace, PROGRAM);
    Some(workspace)
}

/// The platform's images of these labels in the Docker engine; `None` as for [`platform`]. One at a time, over a store that
/// stays: so that packages are fetched once.
pub fn loaded(labels: &[&str]) -> Option<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    platform()?
        .with_store(Path::new(env!("CARGO_TARGET_TMPDIR")).join("platform-store"))
        .run(&[&["-q", "load"], labels].concat());
    Some(())
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
    for (package, program) in PROGRAMS.iter().filter(|(package, _)| packages.contains(package)) {
        let file = format!("images/{package}/{program}");
        place(&repository(&file), &workspace, &file);
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
