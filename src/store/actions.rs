//! The action cache: an action's key → its record, opaque bytes here.
//!
//! [`Cache`] is the seam behind which other caches may stand; [`ActionCache`] is the store's own, [`MemoryCache`] serves
//! tests. A record reaches the disk only after the blobs put in place before it. Knows nothing of what records say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use crate::digest::Digest;

use super::blobs::Blobs;
use super::error::StoreError;
use super::folder::{Folder, locked};
use super::journal::Journal;

/// Finished actions' records by action key.
pub trait Cache: Sync {
    /// The record of an action; `None` where it never finished or its record was lost.
    fn get(&self, key: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a record, over one that was there. What it refers to is in the store already.
    fn put(&self, key: &Digest, record: &[u8]) -> Result<(), StoreError>;
}

/// The action cache of one store. A record is seen by this process at once and by others after a flush: by itself every
/// 1,024 records and once a second while records come, at [`ActionCache::flush`], and when dropped. One that isn't flushed when the process
/// is killed is lost; its action then runs again.
#[derive(Debug)]
pub struct ActionCache {
    blobs: Arc<Blobs>,
    journal: Journal,
    pending: Mutex<Pending>,
    /// Held by whoever flushes: a record must not overtake a sync that its blobs are part of.
    flushing: Mutex<()>,
}

#[derive(Debug)]
struct Pending {
    records: HashMap<Digest, Arc<[u8]>>,
    flushed: Instant,
}

/// Records that are flushed together.
const BATCH: usize = 1024;
/// Time after which the next record is flushed with all before it.
const INTERVAL: Duration = Duration::from_secs(1);

impl ActionCache {
    pub(super) fn new(folder: Arc<Folder>, blobs: Arc<Blobs>) -> ActionCache {
        let pending = Pending { records: HashMap::new(), flushed: Instant::now() };
        let journal = Journal::new(folder, "actions", 256);
        ActionCache { blobs, journal, pending: Mutex::new(pending), flushing: Mutex::default() }
    }

    /// Makes all blobs durable and then writes the records put so far.
    pub fn flush(&self) -> Result<(), StoreError> {
        let _flushing = locked(&self.flushing);
        self.flush_held()
    }

    fn flush_held(&self) -> Result<(), StoreError> {
        let records: Vec<([u8; 32], Arc<[u8]>)> = {
            let mut pending = locked(&self.pending);
            pending.flushed = Instant::now();
            pending.records.iter().map(|(key, record)| (*key.as_bytes(), Arc::clone(record))).collect()
        };
        // The records first, then the blobs: whatever these records refer to was in place before they were put.
        self.blobs.sync()?;
        self.journal.append(&records)?;
        let mut pending = locked(&self.pending);
        for (key, record) in &records {
            let key = Digest::from_bytes(*key);
            // Unless it was put again meanwhile.
            if pending.records.get(&key).is_some_and(|now| Arc::ptr_eq(now, record)) {
                pending.records.remove(&key);
            }
        }
        Ok(())
    }

    /// Flushes, unless another thread is about it: then its next flush takes these records along.
    fn flush_unless_flushing(&self) -> Result<(), StoreError> {
        let _flushing = match self.flushing.try_lock() {
            Ok(flushing) => flushing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        self.flush_held()
    }
}

impl Cache for ActionCache {
    fn get(&self, key: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(record) = locked(&self.pending).records.get(key) {
            return Ok(Some(record.to_vec()));
        }
        self.journal.get(key.as_bytes())
    }

    fn put(&self, key: &Digest, record: &[u8]) -> Result<(), StoreError> {
        let due = {
            let mut pending = locked(&self.pending);
            pending.records.insert(*key, record.into());
            pending.records.len() >= BATCH || pending.flushed.elapsed() >= INTERVAL
        };
        if due { self.flush_unless_flushing() } else { Ok(()) }
    }
}

impl Drop for ActionCache {
    /// For the ways out that don't call [`ActionCache::flush`]; an error is lost here, and so are the records.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// A cache that ends with its process.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<HashMap<Digest, Vec<u8>>>);

impl Cache for MemoryCache {
    fn get(&self, key: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(locked(&self.0).get(key).cloned())
    }

    fn put(&self, key: &Digest, record: &[u8]) -> Result<(), StoreError> {
        locked(&self.0).insert(*key, record.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::lock::Sharing;

    fn cache(dir: &Path) -> ActionCache {
        let folder = Arc::new(Folder::open(dir, Sharing::Shared, true).unwrap());
        ActionCache::new(Arc::clone(&folder), Arc::new(Blobs::new(folder)))
    }

    fn key(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    /// What every cache must do.
    fn keeps_its_contract(cache: &dyn Cache) {
        assert_eq!(cache.get(&key(1)).unwrap(), None);
        cache.put(&key(1), b"one").unwrap();
        cache.put(&key(2), b"").unwrap();
        assert_eq!(cache.get(&key(1)).unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(cache.get(&key(2)).unwrap().as_deref(), Some(&b""[..]));
        cache.put(&key(1), b"another").unwrap();
        assert_eq!(cache.get(&key(1)).unwrap().as_deref(), Some(&b"another"[..]));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    (0..100).for_each(|i| cache.put(&key(1000 + thread * 100 + i), &[7; 64]).unwrap());
                });
            }
        });
        assert!((0..400).all(|i| cache.get(&key(1000 + i)).unwrap().is_some()));
    }

    #[test]
    fn the_memory_cache_keeps_the_contract() {
        keeps_its_contract(&MemoryCache::default());
    }

    #[test]
    fn the_local_cache_keeps_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        keeps_its_contract(&cache(dir.path()));
    }

    #[test]
    fn a_record_is_on_disk_only_after_a_flush_and_its_blobs_are_synced_then() {
        let dir = tempfile::tempdir().unwrap();
        let mine = cache(dir.path());
        mine.blobs.put_bytes(b"output").unwrap();
        mine.put(&key(1), b"record").unwrap();
        assert_eq!(cache(dir.path()).get(&key(1)).unwrap(), None);
        mine.flush().unwrap();
        assert_eq!(cache(dir.path()).get(&key(1)).unwrap().as_deref(), Some(&b"record"[..]));
        assert_eq!(mine.get(&key(1)).unwrap().as_deref(), Some(&b"record"[..]));
    }

    #[test]
    fn a_full_batch_and_a_drop_flush_by_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let mine = cache(dir.path());
        (0..BATCH).for_each(|i| mine.put(&key(i), b"x").unwrap());
        assert!(cache(dir.path()).get(&key(0)).unwrap().is_some());
        mine.put(&key(BATCH), b"last").unwrap();
        drop(mine);
        assert!(cache(dir.path()).get(&key(BATCH)).unwrap().is_some());
    }

    #[test]
    fn no_record_is_written_when_its_blobs_could_not_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        let mine = cache(dir.path());
        let blob = mine.blobs.put_bytes(b"output").unwrap();
        // A path that can't be opened stands in for a disk that fails.
        let path = mine.blobs.path(&blob);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        mine.put(&key(1), b"record").unwrap();
        assert!(mine.flush().is_err());
        assert_eq!(cache(dir.path()).get(&key(1)).unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        mine.flush().unwrap();
        assert!(cache(dir.path()).get(&key(1)).unwrap().is_some(), "kept for the next flush");
    }
}
