//! The store's lock: shared by all who use it, exclusive for whoever removes blobs from it.
//!
//! Takes the cache folder, gives a guard. The kernel frees it when its process ends, however that ends.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::error::StoreError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct StoreLock(#[expect(dead_code, reason = "the lock lasts until the file is closed")] File);

/// Who else may use the store meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Everyone else who shares it.
    Shared,
    /// Nobody.
    Exclusive,
}

/// Locks the store; [`StoreError::Locked`] where another process stands in the way and `wait` is false.
pub(super) fn lock(dir: &Path, sharing: Sharing, wait: bool) -> Result<StoreLock, StoreError> {
    let path = dir.join("lock");
    let fail = |error| StoreError::io("lock", &path, error);
    let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(fail)?;
    let operation = match (sharing, wait) {
        (Sharing::Shared, true) => FlockOperation::LockShared,
        (Sharing::Shared, false) => FlockOperation::NonBlockingLockShared,
        (Sharing::Exclusive, true) => FlockOperation::LockExclusive,
        (Sharing::Exclusive, false) => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(&file, operation) {
        Ok(()) => Ok(StoreLock(file)),
        Err(Errno::WOULDBLOCK) => Err(StoreError::Locked { path: dir.to_owned() }),
        Err(error) => Err(fail(error.into())),
    }
}

/// `flock(2)`, begun again where a signal interrupts it.
pub(super) fn flock(file: &File, operation: FlockOperation) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation))
}

/// A file locked by itself. Unlocked when dropped, explicitly: a mapping keeps a closed file open to the kernel, and so its lock.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Locked {
    /// Locks a file, waiting for whoever holds it.
    pub(super) fn new(file: File, sharing: Sharing) -> Result<Locked, Errno> {
        let operation = match sharing {
            Sharing::Shared => FlockOperation::LockShared,
            Sharing::Exclusive => FlockOperation::LockExclusive,
        };
        flock(&file, operation).map(|()| Locked(file))
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_share_and_the_remover_is_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path(), Sharing::Shared, false).unwrap();
        let second = lock(dir.path(), Sharing::Shared, false).unwrap();
        assert!(matches!(lock(dir.path(), Sharing::Exclusive, false), Err(StoreError::Locked { .. })));
        drop((first, second));
        let alone = lock(dir.path(), Sharing::Exclusive, false).unwrap();
        assert!(matches!(lock(dir.path(), Sharing::Shared, false), Err(StoreError::Locked { .. })));
        drop(alone);
        lock(dir.path(), Sharing::Shared, true).unwrap();
    }
}
