//! Layers laid out as directories, by diff ID; crates by what decides them; folders for steps that run; caches by name.
//!
//! `roots/sha256/ab/<hex>` and `vendor/sha256/ab/<hex>` are put in place whole and never changed. `steps/<name>` belongs to a process that holds
//! `steps/<name>.lock`. What is in either may belong to users whom only a sandbox can act for: this file makes and renames
//! the outermost folders and removes nothing but locks. The folders are closed to other users of the machine, since layers
//! hold programs with setuid bits. Knows nothing of sandboxes.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::error::StoreError;
use super::folder::Folder;
use super::lock::flock;
use crate::digest::{DiffId, Digest};

/// Directories of one store.
#[derive(Debug)]
pub struct Roots {
    folder: Arc<Folder>,
    made: AtomicU64,
}

/// A folder of this process's, for as long as it lives. What is in it is for a sandbox to remove.
#[derive(Debug)]
pub struct StepFolder {
    /// The folder.
    pub path: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Roots {
    pub(super) fn new(folder: Arc<Folder>) -> Roots {
        Roots { folder, made: AtomicU64::new(0) }
    }

    /// Where the layer of this diff ID lies, once it does.
    pub fn path(&self, layer: &DiffId) -> PathBuf {
        let hex = layer.0.hex();
        self.folder.path.join("roots/sha256").join(&hex[..2]).join(hex)
    }

    /// Whether the layer lies there.
    pub fn contains(&self, layer: &DiffId) -> bool {
        self.path(layer).is_dir()
    }

    /// Puts a laid-out layer, a directory in a step's folder, in its place. `false`: another process was faster, and what
    /// was given is still where it was.
    pub fn adopt(&self, laid_out: &Path, layer: &DiffId) -> Result<bool, StoreError> {
        closed(&self.folder.path.join("roots"))?;
        self.put(laid_out, self.path(layer))
    }

    /// Where crates lie, once they do; `key`: of all that decides which they are.
    pub fn vendored(&self, key: &Digest) -> PathBuf {
        let hex = key.hex();
        self.folder.path.join("vendor/sha256").join(&hex[..2]).join(hex)
    }

    /// Puts crates, a directory in a step's folder, in their place, as [`Roots::adopt`].
    pub fn adopt_vendored(&self, crates: &Path, key: &Digest) -> Result<bool, StoreError> {
        self.put(crates, self.vendored(key))
    }

    fn put(&self, laid_out: &Path, to: PathBuf) -> Result<bool, StoreError> {
        let parent = to.parent().unwrap_or(&self.folder.path);
        fs::create_dir_all(parent).map_err(|error| StoreError::io("create", parent, error))?;
        let synced = File::open(laid_out).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|error| StoreError::io("sync", laid_out, error))?;
        match fs::rename(laid_out, &to) {
            Ok(()) => Ok(true),
            Err(_) if to.is_dir() => Ok(false),
            Err(error) => Err(StoreError::io("create", &to, error)),
        }
    }

    /// A new empty folder.
    pub fn step(&self) -> Result<StepFolder, StoreError> {
        let steps = self.folder.path.join("steps");
        closed(&steps)?;
        loop {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let path = steps.join(format!("{}-{number}", std::process::id()));
            let lock = path.with_extension("lock");
            let fail = |error| StoreError::io("create", &lock, error);
            let held = File::options().read(true).append(true).create(true).open(&lock).map_err(fail)?;
            // Another container's process may have our number, or whoever had it died.
            if flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() && !path.exists() {
                fs::create_dir(&path).map_err(|error| StoreError::io("create", &path, error))?;
                return Ok(StepFolder { path, lock, _held: held });
            }
        }
    }

    /// Folders that dead processes left; theirs to whom they are given, until dropped.
    pub fn left_behind(&self) -> Result<Vec<StepFolder>, StoreError> {
        let steps = self.folder.path.join("steps");
        let entries = match fs::read_dir(&steps) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| StoreError::io("read", &steps, error))?,
        };
        let mut left = Vec::new();
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let lock = path.with_extension("lock");
            let Some(held) =
                (path != lock).then(|| File::options().append(true).create(true).open(&lock).ok()).flatten()
            else {
                continue;
            };
            match flock(&held, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => left.push(StepFolder { path, lock, _held: held }),
                Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(StoreError::io("lock", &lock, io::Error::from(error))),
            }
        }
        Ok(left)
    }

    /// The folder of a cache of this name, which is letters, digits, `.`, `_` and `-`; made where it is missing.
    pub fn cache(&self, name: &str) -> Result<PathBuf, StoreError> {
        let caches = self.folder.path.join("caches");
        closed(&caches)?;
        let path = caches.join(name);
        fs::create_dir_all(&path).map_err(|error| StoreError::io("create", &path, error))?;
        Ok(path)
    }

    /// The same for one step at a time: others wait for as long as the file is held.
    pub fn cache_alone(&self, name: &str) -> Result<(PathBuf, File), StoreError> {
        let path = self.cache(name)?;
        let lock = self.folder.path.join("caches").join(format!(".{name}.lock"));
        let fail = |error| StoreError::io("lock", &lock, error);
        let held = File::options().read(true).append(true).create(true).open(&lock).map_err(fail)?;
        flock(&held, FlockOperation::LockExclusive).map_err(|error| fail(error.into()))?;
        Ok((path, held))
    }
}

impl Drop for StepFolder {
    fn drop(&mut self) {
        // Kept where a sandbox left something: whoever comes next finds it by its lock.
        if !self.path.exists() || fs::remove_dir(&self.path).is_ok() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// A directory that only its owner enters.
fn closed(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(|error| StoreError::io("create", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::store::{OpenMode, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenMode { wait: true }).unwrap();
        (dir, store)
    }

    #[test]
    fn of_two_who_lay_out_the_same_layer_one_is_taken() {
        let (_dir, store) = store();
        let layer = DiffId(Digest::of(b"layer"));
        let steps = [store.roots().step().unwrap(), store.roots().step().unwrap()];
        for step in &steps {
            fs::create_dir(step.path.join("root")).unwrap();
            fs::write(step.path.join("root/file"), "content").unwrap();
        }
        assert!(!store.roots().contains(&layer));
        assert!(store.roots().adopt(&steps[0].path.join("root"), &layer).unwrap());
        assert!(!store.roots().adopt(&steps[1].path.join("root"), &layer).unwrap());
        assert_eq!(fs::read(store.roots().path(&layer).join("file")).unwrap(), b"content");
    }

    #[test]
    fn what_the_living_use_is_not_left_behind_and_what_the_dead_had_is() {
        let (dir, store) = store();
        let step = store.roots().step().unwrap();
        fs::create_dir_all(dir.path().join("steps/4194304-0/upper")).unwrap();
        let left = store.roots().left_behind().unwrap();
        let names: Vec<_> = left.iter().map(|step| step.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["4194304-0"]);
        let path = step.path.clone();
        drop(step);
        assert!(!path.exists() && !path.with_extension("lock").exists());
    }

    #[test]
    fn other_users_of_the_machine_have_no_way_in() {
        use std::os::unix::fs::MetadataExt as _;
        let (dir, store) = store();
        store.roots().cache("pip").unwrap();
        let _step = store.roots().step().unwrap();
        for folder in ["caches", "steps"] {
            assert_eq!(fs::metadata(dir.path().join(folder)).unwrap().mode() & 0o777, 0o700, "{folder}");
        }
    }
}
