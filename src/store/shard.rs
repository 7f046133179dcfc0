//! One file of a journal in memory: its bytes mapped, its keys indexed.
//!
//! Takes an open file, gives values by key. Knows nothing of the file's name and locks: the journal does.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;

use super::map::Map;
use super::record::{self, HEADER, Key};

/// Below this, dead records aren't worth a rewrite.
const WORTH_REWRITING: usize = 1 << 20;

/// What a shard's file held when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Device and inode: a rewritten file has others.
    file: (u64, u64),
    map: Map,
    values: HashMap<Key, Range<usize>, BuildHasherDefault<KeyHasher>>,
    live: usize,
    damaged: usize,
}

impl Shard {
    /// Reads a file whole.
    pub(super) fn read(file: &File) -> io::Result<Shard> {
        let mut shard = Shard::default();
        shard.catch_up(file)?;
        Ok(shard)
    }

    /// Reads what the file holds beyond what is known; all of it if it is another file.
    pub(super) fn catch_up(&mut self, file: &File) -> io::Result<()> {
        let stat = file.metadata()?;
        let id = (stat.dev(), stat.ino());
        if self.file != id {
            *self = Shard { file: id, ..Shard::default() };
        }
        let known = self.map.len();
        if stat.len() > known as u64 {
            self.map = Map::whole(file)?;
            self.index_from(known);
        }
        Ok(())
    }

    fn index_from(&mut self, known: usize) {
        const TYPICAL: usize = 256;
        self.values.reserve((self.map.len() - known) / TYPICAL);
        let (values, live) = (&mut self.values, &mut self.live);
        self.damaged += record::scan(&self.map, known, |key, value| {
            *live += HEADER + value.len();
            if let Some(old) = values.insert(*key, value) {
                *live -= HEADER + old.len();
            }
        });
    }

    /// A key's last value.
    pub(super) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.values.get(key).map(|place| self.map[place.clone()].to_vec())
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes that belong to no whole record.
    pub(super) fn damaged(&self) -> usize {
        self.damaged
    }

    /// Whether the file is damaged, or large and mostly dead.
    pub(super) fn wants_rewriting(&self) -> bool {
        self.damaged > 0 || (self.len() > WORTH_REWRITING && self.live < self.len() / 2)
    }

    /// The records that count, in the order in which they were written.
    pub(super) fn live_records(&self) -> Vec<u8> {
        let mut places: Vec<&Range<usize>> = self.values.values().collect();
        places.sort_unstable_by_key(|place| place.start);
        let mut bytes = Vec::with_capacity(self.live);
        for place in places {
            bytes.extend_from_slice(&self.map[place.start - HEADER..place.end]);
        }
        bytes
    }
}

/// Keys are hashes already: eight of their bytes serve. The first chose the shard, so it is left out.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        // An array hashes its length first, as 8 bytes; the key's 32 come after and count.
        if let Some((_, [a, b, c, d, e, f, g, h])) = bytes.split_last_chunk::<8>() {
            self.0 = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
