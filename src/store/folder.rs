//! The cache folder as its parts see it: where it is, its temporary files, its warnings, its lock held.
//!
//! Also the sealed file: a flat file replaced whole, with a checksum at its end. Knows nothing of what the parts keep.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::{StoreError, StoreWarning};
use super::lock::{self, Sharing, StoreLock};
use super::map::Map;
use super::temp::{Temps, WRITABLE};
use super::version::{self, Found};

/// An open store's folder. Whatever uses the folder holds this, so that the lock outlives the use.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) temps: Temps,
    warnings: Mutex<Vec<StoreWarning>>,
    _lock: StoreLock,
}

const CHECKSUM: usize = blake3::OUT_LEN;

impl Folder {
    /// Opens the store in a folder, which is made where it is missing.
    pub(super) fn open(path: &Path, sharing: Sharing, wait: bool) -> Result<Folder, StoreError> {
        fs::create_dir_all(path).map_err(|error| StoreError::io("create", path, error))?;
        let path = std::path::absolute(path).map_err(|error| StoreError::io("find", path, error))?;
        version::check(&path)?;
        let lock = lock::lock(&path, sharing, wait)?;
        version::PARTS.iter().try_for_each(|part| make_dir(&path.join(part)))?;
        let temps = Temps::open(path.join("tmp"))?;
        // Once more: while we waited, somebody may have made the store, or a newer one.
        if version::check(&path)? == Found::Nothing {
            version::make(&path, &temps)?;
        }
        Ok(Folder { path, temps, warnings: Mutex::default(), _lock: lock })
    }

    /// The file that `part` keeps for the workspace with this root folder.
    pub(super) fn of_workspace(&self, part: &str, root: &Path) -> PathBuf {
        self.path.join(part).join(workspace_name(root))
    }

    /// Notes that something was damaged and left out.
    pub(super) fn warn(&self, path: &Path, what: String) {
        locked(&self.warnings).push(StoreWarning { path: path.to_owned(), what });
    }

    /// The warnings since the last call.
    pub(super) fn take_warnings(&self) -> Vec<StoreWarning> {
        std::mem::take(&mut *locked(&self.warnings))
    }

    /// Reads a sealed file; `None` where there is none yet, or where it was damaged (then with a warning).
    pub(super) fn read_sealed(&self, path: &Path) -> Result<Option<Sealed>, StoreError> {
        let fail = |error| StoreError::io("read", path, error);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let sealed = Sealed(Map::whole(&file).map_err(fail)?);
        if sealed.is_whole() {
            return Ok(Some(sealed));
        }
        self.warn(path, "was damaged and is begun anew".to_owned());
        Ok(None)
    }

    /// Replaces a sealed file by these bytes; the checksum is added.
    pub(super) fn write_sealed(&self, path: &Path, mut bytes: Vec<u8>) -> Result<(), StoreError> {
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        self.temps.create(WRITABLE)?.write(path, &bytes, false)
    }
}

/// What the parts call the workspace with this root folder.
pub(super) fn workspace_name(root: &Path) -> String {
    blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex()[..32].to_owned()
}

/// The bytes of a sealed file, without the checksum.
#[derive(Debug)]
pub(super) struct Sealed(Map);

impl Sealed {
    fn is_whole(&self) -> bool {
        self.0.len() >= CHECKSUM && blake3::hash(self).as_bytes() == &self.0[self.0.len() - CHECKSUM..]
    }
}

impl Deref for Sealed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[..self.0.len() - CHECKSUM]
    }
}

/// Locks; a panic elsewhere leaves nothing half done in what the store guards.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make_dir(path: &Path) -> Result<(), StoreError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::io("create", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_with_any_byte_changed_or_missing_is_left_out_with_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), Sharing::Shared, true).unwrap();
        let path = folder.path.join("files/x");
        folder.write_sealed(&path, b"some bytes".to_vec()).unwrap();
        let good = fs::read(&path).unwrap();
        assert_eq!(&**folder.read_sealed(&path).unwrap().as_ref().unwrap(), b"some bytes");
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            for bad in [&flipped[..], &good[..at]] {
                fs::remove_file(&path).unwrap();
                fs::write(&path, bad).unwrap();
                assert!(folder.read_sealed(&path).unwrap().is_none(), "byte {at}");
                assert_eq!(folder.take_warnings().len(), 1);
            }
        }
    }

    #[test]
    fn a_refused_folder_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("VERSION"), "layerbuild store 9\n").unwrap();
        assert!(Folder::open(dir.path(), Sharing::Shared, true).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
