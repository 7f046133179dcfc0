//! The chunk index: where the compressed form of a chunk stands in a blob, so that it needn't be compressed again.
//!
//! Takes chunk keys (BLAKE3, 32 bytes), gives the member's bytes, checked. A place is a hint: where the blob is gone or
//! damaged, there is nothing. Knows nothing of archives and codecs.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::digest::Digest;

use super::blobs::Blobs;
use super::error::StoreError;
use super::folder::Folder;
use super::journal::Journal;

/// Where one chunk's compressed form stands in a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// What the chunk is found by: a hash over its content and how it was compressed.
    pub key: [u8; 32],
    /// First byte in the blob.
    pub offset: u64,
    /// Bytes in the blob.
    pub length: u32,
    /// The first 16 bytes of BLAKE3 over those bytes: [`ChunkPlace::check_of`].
    pub check: [u8; 16],
}

impl ChunkPlace {
    /// The check of a member's bytes.
    pub fn check_of(member: &[u8]) -> [u8; 16] {
        let mut check = [0; 16];
        check.copy_from_slice(&blake3::hash(member).as_bytes()[..16]);
        check
    }
}

/// The chunk index of one store.
#[derive(Debug)]
pub struct ChunkIndex {
    blobs: Arc<Blobs>,
    journal: Journal,
}

/// A layer has hundreds of chunks, spread evenly: more shards would be more files to open for each.
const SHARDS: usize = 16;
const VALUE: usize = 32 + 8 + 4 + 16;

impl ChunkIndex {
    pub(super) fn new(folder: Arc<Folder>, blobs: Arc<Blobs>) -> ChunkIndex {
        ChunkIndex { blobs, journal: Journal::new(folder, "chunks", SHARDS) }
    }

    /// Puts the chunk's compressed bytes in the place of what `member` holds; `false` where no blob has them, or has others
    /// by now.
    pub fn find(&self, key: &[u8; 32], member: &mut Vec<u8>) -> bool {
        self.place(key).and_then(|(blob, place)| self.read(&blob, &place, member)).is_some()
    }

    fn read(&self, blob: &Digest, place: &ChunkPlace, member: &mut Vec<u8>) -> Option<()> {
        member.resize(usize::try_from(place.length).ok()?, 0);
        self.blobs.open(blob).ok()?.read_exact_at(member, place.offset).ok()?;
        (ChunkPlace::check_of(member) == place.check).then_some(())
    }

    /// Remembers where a blob, which is in the store, has which chunks. A place known before stays while its blob does.
    pub fn remember(&self, blob: &Digest, places: &[ChunkPlace]) -> Result<(), StoreError> {
        let is_new =
            |place: &&ChunkPlace| self.place(&place.key).is_none_or(|(known, _)| !self.blobs.path(&known).exists());
        let records: Vec<_> = places.iter().filter(is_new).map(|place| (place.key, encode(blob, place))).collect();
        self.journal.append(&records)
    }

    /// What was kept under a name, as it was given; `None` where nothing was.
    pub fn note(&self, name: &[u8; 32]) -> Option<Vec<u8>> {
        self.journal.get(name).ok()?
    }

    /// Keeps something under a name (evenly spread, none of a chunk's keys), in place of what stood there.
    pub fn keep_note(&self, name: &[u8; 32], bytes: &[u8]) -> Result<(), StoreError> {
        self.journal.append(&[(*name, bytes)])
    }

    /// An index that can't be read is as good as an empty one.
    fn place(&self, key: &[u8; 32]) -> Option<(Digest, ChunkPlace)> {
        decode(key, &self.journal.get(key).ok()??)
    }
}

fn encode(blob: &Digest, place: &ChunkPlace) -> Vec<u8> {
    let mut value = Vec::with_capacity(VALUE);
    value.extend_from_slice(blob.as_bytes());
    value.extend_from_slice(&place.offset.to_le_bytes());
    value.extend_from_slice(&place.length.to_le_bytes());
    value.extend_from_slice(&place.check);
    value
}

fn decode(key: &[u8; 32], value: &[u8]) -> Option<(Digest, ChunkPlace)> {
    let (blob, rest) = value.split_first_chunk::<32>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let check = *rest.first_chunk::<16>()?;
    let (offset, length) = (u64::from_le_bytes(*offset), u32::from_le_bytes(*length));
    Some((Digest::from_bytes(*blob), ChunkPlace { key: *key, offset, length, check }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::store::lock::Sharing;

    fn open(dir: &Path) -> ChunkIndex {
        let folder = Arc::new(Folder::open(dir, Sharing::Shared, true).unwrap());
        ChunkIndex::new(Arc::clone(&folder), Arc::new(Blobs::new(folder)))
    }

    fn find(index: &ChunkIndex, key: u8) -> Option<Vec<u8>> {
        let mut member = Vec::new();
        index.find(&[key; 32], &mut member).then_some(member)
    }

    fn place(key: u8, offset: u64, member: &[u8]) -> ChunkPlace {
        let length = u32::try_from(member.len()).unwrap();
        ChunkPlace { key: [key; 32], offset, length, check: ChunkPlace::check_of(member) }
    }

    #[test]
    fn a_chunk_is_found_again_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        let blob = index.blobs.put_bytes(b"headmembertail").unwrap();
        index.remember(&blob, &[place(1, 4, b"member"), place(200, 10, b"tail")]).unwrap();
        let index = open(dir.path());
        assert_eq!(find(&index, 1).as_deref(), Some(&b"member"[..]));
        assert_eq!(find(&index, 200).as_deref(), Some(&b"tail"[..]));
        assert_eq!(find(&index, 3), None);
    }

    #[test]
    fn a_note_is_given_back_as_it_was_kept_last() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        assert_eq!(index.note(&[7; 32]), None);
        index.keep_note(&[7; 32], b"one").unwrap();
        index.keep_note(&[7; 32], b"two").unwrap();
        assert_eq!(open(dir.path()).note(&[7; 32]).as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn nothing_is_found_in_a_blob_that_is_gone_shorter_or_other() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        let blob = index.blobs.put_bytes(b"headmember").unwrap();
        index.remember(&blob, &[place(1, 4, b"member")]).unwrap();
        for content in [&b"headmembeR"[..], b"headm", b""] {
            fs::remove_file(index.blobs.path(&blob)).unwrap();
            fs::write(index.blobs.path(&blob), content).unwrap();
            assert_eq!(find(&index, 1), None);
        }
        fs::remove_file(index.blobs.path(&blob)).unwrap();
        assert_eq!(find(&index, 1), None);
    }

    #[test]
    fn a_known_place_stays_until_its_blob_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        let (first, second) = (index.blobs.put_bytes(b"member").unwrap(), index.blobs.put_bytes(b"xmember").unwrap());
        index.remember(&first, &[place(1, 0, b"member")]).unwrap();
        index.remember(&second, &[place(1, 1, b"member")]).unwrap();
        assert_eq!(index.place(&[1; 32]).unwrap().0, first);
        fs::remove_file(index.blobs.path(&first)).unwrap();
        index.remember(&second, &[place(1, 1, b"member")]).unwrap();
        assert_eq!(find(&index, 1).as_deref(), Some(&b"member"[..]));
    }
}
