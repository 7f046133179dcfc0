//! The journal: an append-only log of keys and values in shards, where a key's last record wins.
//!
//! Takes 32-byte keys, evenly spread, and values as bytes. Several processes append; a torn or damaged record is skipped.
//! A shard is read when it is first asked for. What others append later is seen when this process appends to the shard.
//! Knows nothing of what keys and values mean.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::error::StoreError;
use super::folder::{Folder, locked};
use super::lock::{Locked, Sharing};
use super::record::{self, Key};
use super::shard::Shard;
use super::temp::WRITABLE;

/// A journal in one folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Arc<Folder>,
    shards: Vec<Mutex<Option<Shard>>>,
    dir: PathBuf,
}

impl Journal {
    /// A journal of `shards` files (1 to 256) in `dir`, none of which is read yet.
    pub(super) fn new(folder: Arc<Folder>, dir: &str, shards: usize) -> Journal {
        let dir = folder.path.join(dir);
        Journal { folder, dir, shards: (0..shards).map(|_| Mutex::default()).collect() }
    }

    /// The key's last value; `None` where there is no record.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let number = self.shard_of(key);
        let mut shard = locked(&self.shards[number]);
        match shard.as_ref() {
            Some(shard) => Ok(shard.get(key)),
            None => Ok(shard.insert(self.load(&self.path(number))?).get(key)),
        }
    }

    /// Appends records; each shard's share in one write. They are seen by all who look from now on.
    pub(super) fn append(&self, records: &[(Key, impl AsRef<[u8]>)]) -> Result<(), StoreError> {
        let mut shares: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (key, value) in records {
            record::encode(shares.entry(self.shard_of(key)).or_default(), key, value.as_ref())?;
        }
        shares.iter().try_for_each(|(number, bytes)| self.append_to(*number, bytes))
    }

    fn shard_of(&self, key: &Key) -> usize {
        usize::from(key[0]) * self.shards.len() / 256
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{number:02x}"))
    }

    fn load(&self, path: &Path) -> Result<Shard, StoreError> {
        let fail = |error| StoreError::io("read", path, error);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shard::default()),
            Err(error) => return Err(fail(error)),
        };
        let mut shard = Shard::read(&file).map_err(fail)?;
        if shard.damaged() > 0 {
            // Perhaps it is being appended to just now: look again once that is done.
            let file = Locked::new(file, Sharing::Shared).map_err(|error| fail(error.into()))?;
            shard = Shard::read(file.file()).map_err(fail)?;
            self.warn(path, &shard);
        }
        Ok(shard)
    }

    fn warn(&self, path: &Path, shard: &Shard) {
        if shard.damaged() > 0 {
            let what = format!("{} damaged bytes were skipped; what they held is made anew", shard.damaged());
            self.folder.warn(path, what);
        }
    }

    fn append_to(&self, number: usize, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(number);
        let fail = |error| StoreError::io("write", &path, error);
        let mut held = locked(&self.shards[number]);
        let exclusive = open_locked(&path).map_err(fail)?;
        let mut file = exclusive.file();
        let mut shard = held.take().unwrap_or_default();
        let known = shard.damaged();
        shard.catch_up(file).map_err(fail)?;
        if shard.damaged() > known {
            self.warn(&path, &shard);
        }
        if shard.wants_rewriting() {
            *held = Some(self.rewrite(&path, &shard, bytes)?);
            return Ok(());
        }
        // A write that ends half-way (a full disk) leaves a torn record: skipped by readers, repaired by the next append.
        file.write_all(bytes).map_err(|error| fail(error).needing((shard.len() + bytes.len()) as u64))?;
        shard.catch_up(file).map_err(fail)?;
        *held = Some(shard);
        Ok(())
    }

    /// Replaces the file by its live records and the new ones. Whoever waits for its lock then finds the name moved on.
    fn rewrite(&self, path: &Path, shard: &Shard, new: &[u8]) -> Result<Shard, StoreError> {
        let mut bytes = shard.live_records();
        bytes.extend_from_slice(new);
        self.folder.temps.create(WRITABLE)?.write(path, &bytes, true)?;
        self.load(path)
    }
}

/// Opens a shard's file for appending and locks it; makes sure that it still bears the name once the lock is ours.
fn open_locked(path: &Path) -> io::Result<Locked> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let locked = Locked::new(file, Sharing::Exclusive)?;
        let (ours, named) = (locked.file().metadata()?, std::fs::metadata(path));
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(locked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Journal {
        Journal::new(Arc::new(Folder::open(dir, Sharing::Shared, true).unwrap()), "actions", 256)
    }

    /// Keys of one shard.
    fn key(number: u64) -> Key {
        let mut key = *blake3::hash(&number.to_le_bytes()).as_bytes();
        key[0] = 5;
        key
    }

    fn warnings(journal: &Journal) -> usize {
        journal.folder.take_warnings().len()
    }

    #[test]
    fn the_last_value_of_a_key_wins_here_and_for_others() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        assert_eq!(journal.get(&key(1)).unwrap(), None);
        journal.append(&[(key(1), "old"), (key(2), "two")]).unwrap();
        journal.append(&[(key(1), "new")]).unwrap();
        for journal in [journal, open(dir.path())] {
            assert_eq!(journal.get(&key(1)).unwrap().as_deref(), Some(&b"new"[..]));
            assert_eq!(journal.get(&key(2)).unwrap().as_deref(), Some(&b"two"[..]));
        }
    }

    #[test]
    fn only_shards_that_are_asked_for_are_touched() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        journal.append(&[([0; 32], "first"), ([255; 32], "last")]).unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(&journal.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["00", "ff"]);
        let other = open(dir.path());
        other.get(&[255; 32]).unwrap();
        assert_eq!(other.shards.iter().filter(|shard| locked(shard).is_some()).count(), 1);
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_warned_of_once_and_repaired_by_the_next_append() {
        let dir = tempfile::tempdir().unwrap();
        let path = open(dir.path()).path(5);
        open(dir.path()).append(&[(key(1), "one")]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut torn = Vec::new();
        record::encode(&mut torn, &key(2), b"two").unwrap();
        for end in 1..torn.len() {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, [&whole[..], &torn[..end]].concat()).unwrap();
            let journal = open(dir.path());
            assert_eq!(journal.get(&key(1)).unwrap().as_deref(), Some(&b"one"[..]));
            assert_eq!(journal.get(&key(2)).unwrap(), None, "torn at {end}");
            assert_eq!(warnings(&journal), 1);
            journal.append(&[(key(3), "three")]).unwrap();
            assert_eq!((journal.get(&key(3)).unwrap().as_deref(), warnings(&journal)), (Some(&b"three"[..]), 0));
            let later = open(dir.path());
            assert!(later.get(&key(1)).unwrap().is_some() && later.get(&key(3)).unwrap().is_some());
            assert_eq!(warnings(&later), 0, "repaired");
        }
    }

    #[test]
    fn a_flipped_byte_costs_one_record_and_one_warning() {
        let dir = tempfile::tempdir().unwrap();
        let records: Vec<(Key, Vec<u8>)> = (0..50).map(|i| (key(i), vec![i as u8; 40])).collect();
        open(dir.path()).append(&records).unwrap();
        let path = open(dir.path()).path(5);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20 * (44 + 40) + 60] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let journal = open(dir.path());
        let lost: Vec<u64> = (0..50).filter(|i| journal.get(&key(*i)).unwrap().is_none()).collect();
        assert_eq!((lost, warnings(&journal)), (vec![20], 1));
    }

    #[test]
    fn two_processes_append_at_once_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for process in 0..4u64 {
                let dir = dir.path();
                scope.spawn(move || {
                    let journal = open(dir);
                    (0..200).for_each(|i| journal.append(&[(key(process * 1000 + i), [process as u8; 100])]).unwrap());
                });
            }
        });
        let journal = open(dir.path());
        let all = (0..4).flat_map(|process| (0..200).map(move |i| process * 1000 + i));
        assert!(all.into_iter().all(|number| journal.get(&key(number)).unwrap().is_some()));
        assert_eq!(warnings(&journal), 0);
    }

    #[test]
    fn a_mostly_dead_shard_is_rewritten_and_others_follow() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, other) = (open(dir.path()), open(dir.path()));
        other.append(&[(key(1), "kept")]).unwrap();
        let mebibyte = vec![7; 1 << 20];
        (0..4).for_each(|_| journal.append(&[(key(2), &mebibyte)]).unwrap());
        let size = std::fs::metadata(journal.path(5)).unwrap().len();
        assert!(size < 3 << 20, "{size} bytes");
        // Written over the old file by its old mapping's owner, it must land in the new one.
        other.append(&[(key(3), "three")]).unwrap();
        for journal in [&journal, &other, &open(dir.path())] {
            assert_eq!(journal.get(&key(1)).unwrap().as_deref(), Some(&b"kept"[..]));
            assert_eq!(journal.get(&key(2)).unwrap().map(|value| value.len()), Some(1 << 20));
        }
        assert!(open(dir.path()).get(&key(3)).unwrap().is_some());
    }

    #[test]
    fn a_full_disk_is_typed_and_loses_nothing_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        // A device in place of the shard: every write to it finds the disk full.
        std::os::unix::fs::symlink("/dev/full", journal.path(5)).unwrap();
        let error = journal.append(&[(key(1), "one")]).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        std::fs::remove_file(journal.path(5)).unwrap();
        journal.append(&[(key(1), "one")]).unwrap();
        assert!(journal.get(&key(1)).unwrap().is_some());
    }
}
