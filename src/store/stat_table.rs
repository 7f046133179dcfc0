//! What is known of files by their `stat`: a sorted table of `stat → digest`, one sealed file a workspace.
//!
//! Found by device and inode rather than by path: a lookup hashes nothing, and files of one folder stand together. Knows
//! nothing of reading and hashing files.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::Digest;
use crate::file_stat::Stamp;

use super::folder::Sealed;

const STAT: usize = size_of::<Stamp>();
/// The key, the digest, and the day (since 1970, u32) on which a build last used it and wrote the table.
const ENTRY: usize = STAT + 32 + 4;
/// Days for which a file that no build looks at is remembered.
const KEPT_DAYS: u32 = 30;
/// Unused entries that are never too many; checking out branches to and fro makes new inodes each time.
const FEW: usize = 100_000;

/// The table as it was when it was read, with a note of what was used since.
#[derive(Debug, Default)]
pub(super) struct StatTable {
    sealed: Option<Sealed>,
    used: Box<[AtomicBool]>,
}

impl StatTable {
    /// A table over a file's bytes; `None` is an empty one.
    pub(super) fn new(sealed: Option<Sealed>) -> StatTable {
        let mut table = StatTable { sealed, used: Box::default() };
        table.used = table.entries().iter().map(|_| AtomicBool::new(false)).collect();
        table
    }

    fn entries(&self) -> &[[u8; ENTRY]] {
        self.sealed.as_deref().unwrap_or_default().as_chunks().0
    }

    /// The digest of a file that looks exactly so.
    pub(super) fn find(&self, key: &Stamp) -> Option<Digest> {
        let entries = self.entries();
        let at = entries.partition_point(|entry| inode(entry) < inode(key));
        let entry = entries.get(at).filter(|entry| entry[..STAT] == key[..])?;
        self.used[at].store(true, Ordering::Relaxed);
        entry[STAT..].first_chunk().map(|digest| Digest::from_bytes(*digest))
    }

    /// The bytes of the table that follows: new entries, used ones, and unused ones unless they are old or too many.
    pub(super) fn followed_by(&self, new: impl Iterator<Item = (Stamp, Digest)>, today: u32) -> Vec<u8> {
        let mut entries: Vec<[u8; ENTRY]> = new.map(|(key, digest)| entry(&key, &digest, today)).collect();
        entries.sort_unstable();
        let known = self.entries().iter().zip(&self.used);
        let (used, unused): (Vec<_>, Vec<_>) = known.partition(|(_, used)| used.load(Ordering::Relaxed));
        entries.extend(used.iter().map(|(entry, _)| with_day(entry, today)));
        if unused.len() <= FEW + 2 * entries.len() {
            let young = |entry: &[u8; ENTRY]| today.saturating_sub(day(entry)) <= KEPT_DAYS;
            entries.extend(unused.iter().map(|(entry, _)| **entry).filter(young));
        }
        // Stable: of one inode's entries the newest comes first, and stays.
        entries.sort_by_key(|entry| inode(entry));
        entries.dedup_by_key(|entry| inode(entry));
        entries.concat()
    }
}

/// Device and inode, which a table has once each and is sorted by.
fn inode(entry: &[u8]) -> u128 {
    entry.first_chunk().map_or(0, |inode| u128::from_be_bytes(*inode))
}

fn entry(key: &Stamp, digest: &Digest, day: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..STAT].copy_from_slice(key);
    entry[STAT..STAT + 32].copy_from_slice(digest.as_bytes());
    with_day(&entry, day)
}

fn with_day(entry: &[u8; ENTRY], day: u32) -> [u8; ENTRY] {
    let mut entry = *entry;
    entry[STAT + 32..].copy_from_slice(&day.to_be_bytes());
    entry
}

fn day(entry: &[u8; ENTRY]) -> u32 {
    entry.last_chunk().map_or(0, |day| u32::from_be_bytes(*day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::folder::Folder;
    use crate::store::lock::Sharing;

    /// A table as it is read back from disk.
    fn table(dir: &std::path::Path, bytes: Vec<u8>) -> StatTable {
        let folder = Folder::open(dir, Sharing::Shared, true).unwrap();
        let path = folder.path.join("files/x");
        folder.write_sealed(&path, bytes).unwrap();
        StatTable::new(folder.read_sealed(&path).unwrap())
    }

    fn key(inode: u64, rest: u8) -> Stamp {
        let mut key = [rest; STAT];
        key[..8].fill(0);
        key[8..16].copy_from_slice(&inode.to_be_bytes());
        key
    }

    fn digest(number: u64) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn every_file_is_found_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let many = (0..1000).rev().map(|i| (key(i * 7, 1), digest(i)));
        let table = table(dir.path(), StatTable::default().followed_by(many, 0));
        assert!((0..1000).all(|i| table.find(&key(i * 7, 1)) == Some(digest(i))));
        assert!((0..1000).all(|i| table.find(&key(i * 7, 2)).is_none() && table.find(&key(i * 7 + 1, 1)).is_none()));
    }

    #[test]
    fn what_is_new_replaces_what_was_known_of_the_same_inode() {
        let dir = tempfile::tempdir().unwrap();
        let first = table(dir.path(), StatTable::default().followed_by([(key(1, 9), digest(1))].into_iter(), 0));
        first.find(&key(1, 9)).unwrap();
        let second = table(dir.path(), first.followed_by([(key(1, 3), digest(2))].into_iter(), 0));
        assert_eq!((second.find(&key(1, 9)), second.find(&key(1, 3))), (None, Some(digest(2))));
    }

    #[test]
    fn unused_files_are_kept_for_thirty_days() {
        let dir = tempfile::tempdir().unwrap();
        let both = [(key(1, 1), digest(1)), (key(2, 1), digest(2))];
        let first = table(dir.path(), StatTable::default().followed_by(both.into_iter(), 100));
        first.find(&key(1, 1)).unwrap();
        let second = table(dir.path(), first.followed_by(std::iter::empty(), 130));
        let third = table(dir.path(), second.followed_by(std::iter::empty(), 131));
        assert_eq!(second.entries().len(), 2);
        assert_eq!((third.find(&key(1, 1)), third.find(&key(2, 1))), (Some(digest(1)), None));
    }
}
