//! The repository's reference platform in a temporary place: its packages as they are, with their inputs. Knows no test.
//!
//! It is built once a machine, in a store below the target folder; each test's own store begins as a copy of that. Where the
//! archives have dropped a Debian package since it was locked, a copy of layers.lock is moved forward, and that is shouted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::readers::sample::Workspace;
use crate::support::{has, shout, skip};

/// The packages, and what the targets of each are made of.
const PACKAGES: [(&str, &[&str]); 4] = [
    ("base", &[]),
    ("platform", &["kerberos-sidecar"]),
    ("datakits", &["sqlserver-bronze"]),
    ("warehouse", &["postgres"]),
];
/// What cargo reads of the repository's root.
const OF_CARGO: [&str; 2] = ["Cargo.toml", "Cargo.lock"];
/// What a store holds of results.
const RESULTS: [&str; 2] = ["blobs", "actions"];

/// The whole platform, built in its store. `None` where its Debian packages can't be had.
pub fn platform() -> Option<Workspace> {
    let lock = built().as_ref()?;
    let workspace = of_packages(&PACKAGES);
    workspace.write("layers.lock", lock.as_bytes());
    let _alone = alone();
    // Copies: what one test does to a store is not seen by another.
    RESULTS.iter().for_each(|folder| copy(&store().join(folder), &workspace.beside("store").join(folder)));
    Some(workspace)
}

/// The store that holds the platform across tests and runs.
fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("platform")
}

/// Whoever copies that store or changes it is the only one.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds all of the platform; what `layers.lock` is then.
fn built() -> &'static Option<String> {
    static BUILT: OnceLock<Option<String>> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> Option<String> {
    if !has(&["apt-get", "gpgv"]) {
        return None;
    }
    let workspace = of_packages(&PACKAGES);
    workspace.write("layers.lock", &fs::read(repository("layers.lock")).expect("a file of the repository"));
    let run = |arguments: &[&str]| {
        let output = workspace.command(arguments).arg("--cache-dir").arg(store()).output().expect("layerbuild runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (mut built, mut said) = run(&["-q", "build", "//..."]);
    if !built && said.contains("layerbuild lock --update") {
        shout(&format!("layers.lock is out of date, its packages moved forward for this run: {said}"));
        (built, said) = run(&["-q", "lock", "--update"]);
        if built {
            (built, said) = run(&["-q", "build", "//..."]);
        }
    }
    if !built {
        skip(&format!("the platform can't be built: {said}"));
        return None;
    }
    Some(fs::read_to_string(workspace.root().join("layers.lock")).expect("a lock file"))
}

/// The platform's images of these labels in the Docker engine; `None` as for [`platform`]. One at a time, from the store of
/// packages, which has the layers too then.
pub fn loaded(labels: &[&str]) -> Option<()> {
    let workspace = platform()?;
    let _alone = alone();
    let mut load = workspace.command(&[&["-q", "load"], labels].concat());
    let output = load.arg("--cache-dir").arg(store()).output().expect("layerbuild runs");
    assert!(output.status.success(), "{labels:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// The workspace of the datakits alone: neither the packages below them nor what those are made of.
pub fn datakits() -> Workspace {
    of_packages(&[("datakits", &["sqlserver-bronze"])])
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn of_packages(packages: &[(&str, &[&str])]) -> Workspace {
    let read = |path: &str| fs::read(repository(path)).expect("a file of the repository");
    let workspace = Workspace::new(&String::from_utf8(read("layers.toml")).expect("text"));
    OF_CARGO.iter().for_each(|file| workspace.write(file, &read(file)));
    copy(&repository("rules"), &workspace.root().join("rules"));
    for (package, folders) in packages {
        let file = format!("images/{package}/layers.toml");
        workspace.write(&file, &read(&file));
        for folder in *folders {
            let folder = format!("images/{package}/{folder}");
            copy(&repository(&folder), &workspace.root().join(folder));
        }
    }
    workspace
}

/// A folder with all that is in it, modes too. No links: one made or taken away by one test changes the file that another is
/// reading, which a build refuses.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    let copied = Command::new("cp").arg("-R").arg("--preserve=mode").arg(from).arg(to).status().expect("cp");
    assert!(copied.success(), "{} is copied", from.display());
}
