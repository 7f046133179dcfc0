//! Runs `cargo`: crates fetched on the host, the program compiled in a sandbox without network.
//!
//! The target folder outlives the build, for each base, compiler and environment one. Sources are written with one time,
//! and cargo goes by times: so what it knows of the tree's own crates is forgotten first. Those of registries it knows by
//! checksum.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::BuildError;
use super::roots::{self, Scratch, below};
use super::run_base::Base;
use super::upstream::Upstream;
use super::{Workshop, layer, run};
use crate::action::cargo::{CARGO_HOME, CargoAction, TARGET, TOOLCHAIN, VENDOR, WORKSPACE};
use crate::action::key::Inputs;
use crate::action::record::Output;
use crate::action::{FileKind, RunInput};
use crate::cargo::crates::stale_help;
use crate::cargo::lock::Lock;
use crate::cargo::toolchain::Toolchain;
use crate::cargo::vendor::{CONFIG, CRATES, Vendor};
use crate::digest::{Digest, Hasher};
use crate::label::Label;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};
use crate::sandbox::task::{Answer, Mount, Run, Task};
use crate::store::StoreError;

/// Makes the layer. `told` gets each line that cargo prints.
pub fn run(
    label: &Label,
    action: &CargoAction,
    inputs: &Upstream,
    shop: &Workshop<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Output, BuildError> {
    roots::clear(shop)?;
    let toolchain = shop.toolchains.of(&shop.sources.at(&action.folder))?;
    if toolchain.version != action.compiler {
        return Err(BuildError::Changed { path: action.folder.join("rust-toolchain.toml") });
    }
    let scratch = Scratch::new(shop)?;
    let base = Base::prepare(&action.step, inputs, &scratch, shop)?.bare();
    let mut run = run::prepare_over(base, &action.step, inputs, &scratch, shop)?;
    // Cargo may drop from its lock file what only other members need.
    run.mounts.iter_mut().filter(|mount| mount.target == WORKSPACE).for_each(|mount| mount.writable = true);
    let workspace = run.mounts.iter().find(|mount| mount.target == WORKSPACE).map(|mount| mount.source.clone());
    let build = Build { action, toolchain: &toolchain, workspace: workspace.unwrap_or_default(), shop };
    let (cache, _alone) = shop.store.roots().cache_alone(&build.cache_name(inputs))?;
    forget(&action.crates.iter().map(String::as_str).collect::<Vec<_>>(), &cache)
        .map_err(|error| StoreError::io("clean", &cache, error))?;
    build.mount(&mut run, &cache, &scratch)?;
    let programs = build.compile(run, told)?;
    layer::make(label, &build.tree(&programs, &cache)?, &action.step.compression, shop)
}

struct Build<'a> {
    action: &'a CargoAction,
    toolchain: &'a Toolchain,
    /// On the host.
    workspace: PathBuf,
    shop: &'a Workshop<'a>,
}

/// Of two builds that need the same crates, the second waits for the first.
static FETCHING: Mutex<()> = Mutex::new(());

impl Build<'_> {
    /// Another base, compiler or environment begins anew: cargo notices none of them.
    fn cache_name(&self, inputs: &Upstream) -> String {
        let mut hasher = Hasher::new();
        let base = self.action.step.upstream().into_iter().filter_map(|id| inputs.digest(id));
        base.for_each(|digest| hasher.update(digest.as_bytes()));
        hasher.update(self.action.compiler.as_bytes());
        hasher.update(format!("{:?}", self.action.step.env).as_bytes());
        format!("cargo-{}", &hasher.finish().hex()[..16])
    }

    fn mount(&self, run: &mut Run, cache: &Path, scratch: &Scratch<'_>) -> Result<(), BuildError> {
        let home = scratch.directory("cargo-home")?;
        let mut add = |source: &Path, target: &str, writable| {
            run.mounts.push(Mount { source: source.to_owned(), target: target.to_owned(), writable });
        };
        if let Some(crates) = self.vendored(scratch)? {
            let (from, to) = (crates.join(CONFIG), home.join(CONFIG));
            fs::copy(&from, &to).map_err(|error| StoreError::io("copy", &from, error))?;
            add(&crates.join(CRATES), VENDOR, false);
        }
        add(&self.toolchain.sysroot, TOOLCHAIN, false);
        add(cache, TARGET, true);
        add(&home, CARGO_HOME, true);
        Ok(())
    }

    /// The folder with all crates that are not the tree's; `None` where it needs none.
    fn vendored(&self, scratch: &Scratch<'_>) -> Result<Option<PathBuf>, BuildError> {
        let lock = self.lock(&self.action.lock)?;
        if !lock.has_foreign() {
            return Ok(None);
        }
        let (roots, key) = (self.shop.store.roots(), self.crates_key());
        let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        let place = roots.vendored(&key);
        if !place.is_dir() {
            let into = scratch.directory("vendored")?;
            let Workshop { toolchains, offline, .. } = *self.shop;
            let root = self.lock_file().parent().map(Path::to_owned).unwrap_or_default();
            Vendor { toolchains, toolchain: self.toolchain, offline }.fill(&root, &into, VENDOR)?;
            self.check_lock(&lock)?;
            roots.adopt_vendored(&into, &key)?;
        }
        Ok(Some(place))
    }

    /// Manifests and lock file: all that decides which crates cargo takes.
    fn crates_key(&self) -> Digest {
        let mut hasher = Hasher::new();
        for (path, entry) in self.action.step.inputs.values().flat_map(files) {
            if path.file_name() == b"Cargo.toml" || *path == self.action.lock_file {
                let digest = match &entry.kind {
                    FileKind::Source(source) => source.digest,
                    FileKind::Literal(bytes) => Digest::of(bytes),
                    FileKind::Symlink(_) | FileKind::Directory { .. } => continue,
                };
                hasher.update(path.to_string().as_bytes());
                hasher.update(digest.as_bytes());
            }
        }
        hasher.finish()
    }

    fn lock_file(&self) -> PathBuf {
        below(&self.workspace, &self.action.lock_file)
    }

    fn lock(&self, text: &str) -> Result<Lock, BuildError> {
        Lock::parse(text).map_err(|why| BuildError::LeftBehind(vec![format!("Cargo.lock can't be read: {why}")]))
    }

    /// Whether cargo was content with the lock file, but for what it dropped.
    fn check_lock(&self, given: &Lock) -> Result<(), BuildError> {
        let path = self.lock_file();
        let text = fs::read_to_string(&path).map_err(|error| StoreError::io("read", &path, error))?;
        let after = self.lock(&text)?;
        let beyond: Vec<String> = after.beyond(given).iter().map(ToString::to_string).collect();
        match beyond.is_empty() {
            true => Ok(()),
            false => {
                Err(BuildError::StaleLock { folder: self.action.folder.clone(), needs: beyond, help: stale_help() })
            }
        }
    }

    /// Runs cargo; gives each program's path in the sandbox, by name.
    fn compile(&self, run: Run, told: &(dyn Fn(&str) + Sync)) -> Result<BTreeMap<String, String>, BuildError> {
        let heard = Mutex::new(Heard::default());
        let hear = |line: &str| {
            if !heard.lock().unwrap_or_else(PoisonError::into_inner).take(line) {
                told(line);
            }
        };
        let ended = self.shop.sandbox.perform(&Task::Run(Box::new(run)), self.action.step.timeout, &hear)?;
        let heard = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        let why = match ended.answer {
            Answer::Done | Answer::Begun { .. } => {
                self.check_lock(&self.lock(&self.action.lock)?)?;
                return Ok(heard.programs);
            }
            Answer::Failed { status, .. } => format!("ended with {status}"),
            Answer::NotStarted { why, .. } => format!("was not started: {why}"),
            Answer::TimedOut { .. } => run::too_long(&self.action.step),
            Answer::Unfit(why) => return Err(BuildError::LeftBehind(why)),
            Answer::Refused { what, why, .. } => {
                return Err(BuildError::LeftBehind(vec![format!("cannot {what}: {why}")]));
            }
        };
        Err(BuildError::Cargo { why, lines: heard.lines })
    }

    fn tree(&self, programs: &BTreeMap<String, String>, cache: &Path) -> Result<Tree, BuildError> {
        let mut tree = Tree::default();
        for bin in &self.action.bins {
            let gone = || BuildError::LeftBehind(vec![format!("cargo ended well, but made no program `{bin}`")]);
            let path = programs.get(bin).and_then(|path| path.strip_prefix(TARGET)).ok_or_else(gone)?;
            let path = cache.join(path.trim_start_matches('/'));
            let size = fs::symlink_metadata(&path).map_err(|error| StoreError::io("read", &path, error))?.len();
            let (kind, mtime) = (EntryKind::File(Content::Range { path, offset: 0, size }), self.action.step.mtime);
            let unfit = |error: &dyn std::fmt::Display| BuildError::LeftBehind(vec![error.to_string()]);
            let to = self.action.dest.join(bin).map_err(|error| unfit(&error))?;
            tree.imply_parents(&to, mtime).map_err(|error| unfit(&error))?;
            let entry = Entry { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new(), kind, implied: false };
            tree.entries.insert(to, entry);
        }
        Ok(tree)
    }
}

fn files(input: &RunInput) -> impl Iterator<Item = (&crate::layer_path::LayerPath, &crate::action::FileEntry)> {
    let entries = match input {
        RunInput::Files(entries) => Some(entries),
        RunInput::Layer(_) => None,
    };
    entries.into_iter().flatten()
}

/// What cargo printed.
#[derive(Default)]
struct Heard {
    /// By name.
    programs: BTreeMap<String, String>,
    /// What is worth repeating when it fails: all but what it was about to do.
    lines: Vec<String>,
}

/// So many lines are repeated at most: the first mistakes count.
const MOST: usize = 400;

impl Heard {
    /// Takes a line; whether it is a message that is not for people.
    fn take(&mut self, line: &str) -> bool {
        if line.starts_with("{\"reason\":") {
            let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let name = message["target"]["name"].as_str().zip(message["executable"].as_str());
            self.programs.extend(name.map(|(name, path)| (name.to_owned(), path.to_owned())));
            return true;
        }
        let doing = line.starts_with("  ") && line.trim_start().starts_with(char::is_uppercase);
        if !doing && self.lines.len() < MOST {
            self.lines.push(line.to_owned());
        }
        false
    }
}

/// Removes what cargo knows of crates: their fingerprints, and what their build scripts made.
fn forget(crates: &[&str], target: &Path) -> io::Result<()> {
    let profiles = fs::read_dir(target)?.collect::<io::Result<Vec<_>>>()?;
    for folder in profiles.iter().map(fs::DirEntry::path) {
        // Of a target that isn't the host's, profiles stand one deeper.
        let deeper = fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        for profile in std::iter::once(folder.clone()).chain(deeper) {
            for kind in [".fingerprint", "build"] {
                forget_in(&profile.join(kind), crates)?;
            }
        }
    }
    Ok(())
}

/// Of the folders `NAME-HASH` those of crates.
fn forget_in(folder: &Path, crates: &[&str]) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.rsplit_once('-')).map(|(name, _)| name);
        if of.is_some_and(|name| crates.contains(&name)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_knows_of_the_trees_own_crates_is_forgotten() {
        let target = tempfile::tempdir().unwrap();
        let kept = ["release/.fingerprint/serde-1", "release/.fingerprint/app-core-2", "release/deps/app-1"];
        let gone = ["release/.fingerprint/app-1", "release/build/app-2", "x86/release/.fingerprint/app-3"];
        kept.iter().chain(&gone).for_each(|path| fs::create_dir_all(target.path().join(path)).unwrap());
        forget(&["app"], target.path()).unwrap();
        assert!(kept.iter().all(|path| target.path().join(path).is_dir()));
        assert!(!gone.iter().any(|path| target.path().join(path).exists()));
    }

    #[test]
    fn programs_are_heard_and_what_cargo_is_about_to_do_is_not_repeated() {
        let mut heard = Heard::default();
        let message = r#"{"reason":"compiler-artifact","target":{"name":"app"},"executable":"/target/release/app"}"#;
        assert!(heard.take(message) && !heard.take("   Compiling app v0.1.0") && !heard.take("error[E0425]: x"));
        assert!(!heard.take("  --> src/main.rs:1:1"));
        assert_eq!(heard.programs["app"], "/target/release/app");
        assert_eq!(heard.lines, ["error[E0425]: x", "  --> src/main.rs:1:1"]);
    }
}
