//! Temporary files: written beside what they become, renamed into place whole, gone when dropped or when their process died.
//!
//! Each [`Temps`] has an owner file in `tmp/`, held under `flock`; its temporary files begin with the owner's name. What
//! belongs to an owner that nobody holds was left by a dead process. Knows nothing of what the files mean.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::error::StoreError;
use super::lock::flock;

/// Makes temporary files in one folder.
#[derive(Debug)]
pub(super) struct Temps {
    dir: PathBuf,
    /// Made with the first temporary file: a build that changes nothing makes none.
    owner: Mutex<Option<Owner>>,
    made: AtomicU64,
}

#[derive(Debug)]
struct Owner {
    path: PathBuf,
    _held: File,
}

/// A file that isn't in place yet; dropping it removes it.
#[derive(Debug)]
pub(super) struct TempFile {
    /// Open for reading and writing.
    pub(super) file: File,
    path: PathBuf,
    in_place: bool,
}

/// Mode of files that are written once, such as blobs: an editor can't change them by mistake.
pub(super) const READ_ONLY: u32 = 0o444;
/// Mode of files that are appended to or replaced.
pub(super) const WRITABLE: u32 = 0o644;

impl Temps {
    /// Opens the folder, which exists, and removes what dead processes left in it.
    pub(super) fn open(dir: PathBuf) -> Result<Temps, StoreError> {
        remove_leftovers(&dir).map_err(|error| StoreError::io("clear", &dir, error))?;
        Ok(Temps { dir, owner: Mutex::new(None), made: AtomicU64::new(0) })
    }

    /// A new empty file, with this mode less the umask.
    pub(super) fn create(&self, mode: u32) -> Result<TempFile, StoreError> {
        let owner = self.owner()?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = with_suffix(&owner, &format!(".{number}"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path);
        let file = file.map_err(|error| StoreError::io("create", &path, error))?;
        Ok(TempFile { file, path, in_place: false })
    }

    /// Now, by the clock that stamps files, in nanoseconds since 1970.
    pub(super) fn now(&self) -> Result<i128, StoreError> {
        let temp = self.create(WRITABLE)?;
        let stat = temp.file.metadata().map_err(|error| StoreError::io("stat", &temp.path, error))?;
        Ok(i128::from(stat.mtime()) * 1_000_000_000 + i128::from(stat.mtime_nsec()))
    }

    fn owner(&self) -> Result<PathBuf, StoreError> {
        let mut owner = self.owner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if owner.is_none() {
            *owner = Some(Owner::claim(&self.dir).map_err(|error| StoreError::io("write in", &self.dir, error))?);
        }
        Ok(owner.as_ref().map(|owner| owner.path.clone()).unwrap_or_default())
    }
}

impl Drop for Temps {
    fn drop(&mut self) {
        let owner = self.owner.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(owner) = owner {
            let _ = fs::remove_file(&owner.path);
        }
    }
}

impl Owner {
    /// Makes and holds an owner file of a name not yet taken. Another container may have our pid: the number moves on.
    fn claim(dir: &Path) -> io::Result<Owner> {
        let pid = std::process::id();
        for number in 0u64.. {
            let path = dir.join(format!("{pid}-{number}"));
            let held = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(held) => held,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            match flock(&held, FlockOperation::NonBlockingLockExclusive) {
                // Somebody may have taken it for a leftover, before we held it.
                Ok(()) if held.metadata()?.nlink() == 1 => return Ok(Owner { path, _held: held }),
                Ok(()) | Err(Errno::WOULDBLOCK) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("no name is left for temporary files"))
    }
}

impl TempFile {
    /// Where it lies now.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes more to it, as `Write` does; the error holds a [`StoreError`]. `so_far`: bytes written before.
    pub(super) fn append(&mut self, bytes: &[u8], so_far: u64) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| match error.kind() {
            // `write_all` tries again.
            io::ErrorKind::Interrupted => error,
            _ => {
                let needed = so_far.saturating_add(bytes.len() as u64);
                StoreError::io("write", &self.path, error).needing(needed).into_io()
            }
        })
    }

    /// Writes all of it and puts it in place. `durable`: the bytes reach the disk before the name does.
    pub(super) fn write(mut self, target: &Path, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
        let written = self.file.write_all(bytes).and_then(|()| if durable { self.file.sync_all() } else { Ok(()) });
        let length = bytes.len() as u64;
        written.map_err(|error| StoreError::io("write", target, error).needing(length))?;
        self.persist(target)
    }

    /// Puts it in its place at once, over what was there.
    pub(super) fn persist(mut self, target: &Path) -> Result<(), StoreError> {
        fs::rename(&self.path, target).map_err(|error| StoreError::io("write", target, error))?;
        self.in_place = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn remove_leftovers(dir: &Path) -> io::Result<()> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string());
    }
    let owners: BTreeSet<&str> = names.iter().map(|name| owner_of(name)).collect();
    owners.into_iter().try_for_each(|owner| remove_if_dead(dir, owner, &names))
}

fn owner_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(owner, _)| owner)
}

/// An owner file is made before its temporary files and removed after them: without one, they are left over.
fn remove_if_dead(dir: &Path, owner: &str, names: &BTreeSet<String>) -> io::Result<()> {
    let held = match File::open(dir.join(owner)) {
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Some(file),
            Err(_) => return Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let theirs = names.iter().filter(|name| owner_of(name) == owner && *name != owner);
    theirs.for_each(|name| drop(fs::remove_file(dir.join(name))));
    if held.is_some() {
        let _ = fs::remove_file(dir.join(owner));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_dropped_file_is_gone_and_so_is_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let temps = Temps::open(dir.path().to_owned()).unwrap();
        assert!(names(dir.path()).is_empty(), "no owner before the first file");
        drop(temps.create(WRITABLE).unwrap());
        assert_eq!(names(dir.path()).len(), 1);
        drop(temps);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn what_a_dead_process_left_is_removed_though_its_pid_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        for name in [format!("{pid}-0"), format!("{pid}-0.0"), "77-3.12".to_owned()] {
            fs::write(dir.path().join(name), "left over").unwrap();
        }
        Temps::open(dir.path().to_owned()).unwrap();
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn files_of_the_living_stay() {
        let dir = tempfile::tempdir().unwrap();
        let living = Temps::open(dir.path().to_owned()).unwrap();
        let temp = living.create(WRITABLE).unwrap();
        let other = Temps::open(dir.path().to_owned()).unwrap();
        let theirs = other.create(WRITABLE).unwrap();
        assert!(temp.path().exists() && theirs.path().exists());
        assert_ne!(temp.path(), theirs.path());
    }

    #[test]
    fn a_file_put_in_place_has_its_mode_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let temps = Temps::open(dir.path().to_owned()).unwrap();
        let target = dir.path().join("target");
        temps.create(READ_ONLY).unwrap().persist(&target).unwrap();
        drop(temps);
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o222, 0);
    }
}
