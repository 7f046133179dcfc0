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

use rustix::fs::FlockOperation;

use super::error::StoreError;
use super::folder::{Folder, locked};
use super::lock::flock;
use super::map::Map;
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
            flock(&file, FlockOperation::LockShared).map_err(|error| fail(error.into()))?;
            shard = Shard::read(&file).map_err(fail)?;
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
        let mut file = open_held(&path).map_err(fail)?;
        let mut shard = held.take().unwrap_or_default();
        let known = shard.damaged();
        shard.catch_up(&file).map_err(fail)?;
        if shard.damaged() > known {
            self.warn(&path, &shard);
        }
        if shard.wants_rewriting() {
            *held = Some(self.rewrite(&path, &shard, bytes)?);
            return Ok(());
        }
        // A write that ends half-way (a full disk) leaves a torn record: skipped by readers, repaired by the next append.
        file.write_all(bytes).map_err(|error| fail(error).needing((shard.len() + bytes.len()) as u64))?;
        shard.catch_up(&file).map_err(fail)?;
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
fn open_held(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        let (ours, named) = (file.metadata()?, std::fs::metadata(path));
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}
