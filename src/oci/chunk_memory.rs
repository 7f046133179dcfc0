//! What is remembered of a layer's chunks: the keys that their members are found by, and where hashing stood between them.
//!
//! A chunk whose content is known by digest has a key that nothing need be read for. Keys never leave the machine. Says what
//! is remembered, not where: a [`ChunkMemory`] keeps it.

use std::ops::Range;

use crate::digest::{Hasher, Midstate};
use crate::oci::chunks::{Chunk, Piece};
use crate::oci::tar_write::{self, Member};
use crate::oci::tree::{Content, EntryKind};

/// What compressed bytes a chunk stands for. blake3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey(pub [u8; 32]);

/// Chunks compressed earlier.
pub trait ChunkMemory: Sync {
    /// Puts the member or frame that this key's chunk was compressed to, verified, into `member`, which is empty; `false` when
    /// it isn't there or isn't whole any more.
    fn find(&self, key: &ChunkKey, member: &mut Vec<u8>) -> bool;

    /// Borders of the layer as it was before, in any order; none where nothing is known of it.
    fn borders(&self) -> Vec<Border> {
        Vec::new()
    }
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl ChunkMemory for NoMemory {
    fn find(&self, _: &ChunkKey, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// Where in the blob a chunk's member stands: for the caller to remember, once the blob has its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Under which keys the memory doesn't know it yet.
    pub new_keys: Vec<ChunkKey>,
    /// Its first byte in the blob.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// blake3 of the member, to verify it with when it is read back; `None` where there are no new keys.
    pub check: Option<[u8; 32]>,
    /// Whether the memory had it, under whatever key.
    pub reused: bool,
}

/// A place between two chunks, and where hashing stands there: what comes before need not be hashed while it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// Of all chunks before it, in their order.
    pub run: ChunkKey,
    /// Of their tar.
    pub diff_id: Midstate,
    /// Of their members.
    pub digest: Midstate,
}

impl ChunkKey {
    /// By what a chunk's bytes are; `identity` is the compression's.
    pub fn of_bytes(identity: &str, raw: &[u8]) -> ChunkKey {
        let mut hasher = blake3::Hasher::new();
        text(&mut hasher, identity.as_bytes());
        ChunkKey(hasher.update(raw).finalize().into())
    }

    /// By what a chunk is made of: headers, and digests in the place of contents. `None` where one is known by its place in
    /// an archive only.
    pub fn of_sources(identity: &str, members: &[Member<'_>], chunk: &Chunk) -> Option<ChunkKey> {
        let mut hasher = blake3::Hasher::new_derive_key("layerbuild chunk by its sources, v1");
        text(&mut hasher, identity.as_bytes());
        let mut scratch = Vec::new();
        for piece in &chunk.pieces {
            match piece {
                Piece::End { length } => number(&mut hasher, *length),
                Piece::Member { index, header, content, padding } => {
                    let Member { path, entry } = &members[*index];
                    scratch.clear();
                    if *header {
                        tar_write::append_header(&mut scratch, path, entry);
                    }
                    text(&mut hasher, &scratch);
                    part(&mut hasher, &entry.kind, content)?;
                    number(&mut hasher, *padding);
                }
            }
        }
        Some(ChunkKey(hasher.finalize().into()))
    }

    /// Of no chunk at all: what runs begin with.
    pub fn empty_run() -> ChunkKey {
        ChunkKey(*blake3::hash(b"layerbuild run of chunks, v1").as_bytes())
    }

    /// Of this run and the chunk after it.
    pub fn followed_by(self, next: ChunkKey) -> ChunkKey {
        ChunkKey(*blake3::hash([self.0, next.0].as_flattened()).as_bytes())
    }
}

/// Lengths come first everywhere, so that no two chunks give the same bytes.
fn part(hasher: &mut blake3::Hasher, kind: &EntryKind, range: &Range<u64>) -> Option<()> {
    number(hasher, range.start);
    number(hasher, range.end);
    match kind {
        EntryKind::File(Content::File { digest, .. }) => text(hasher, digest.as_bytes()),
        EntryKind::File(Content::Bytes(bytes)) => text(hasher, bytes),
        EntryKind::File(Content::Range { .. }) => return None,
        _ => {}
    }
    Some(())
}

fn text(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    number(hasher, bytes.len() as u64);
    hasher.update(bytes);
}

fn number(hasher: &mut blake3::Hasher, number: u64) {
    hasher.update(&number.to_le_bytes());
}

impl Border {
    const LENGTH: usize = 32 + 2 * Midstate::LENGTH;

    /// Borders as bytes.
    pub fn to_bytes(borders: &[Border]) -> Vec<u8> {
        borders.iter().flat_map(|border| [&border.run.0[..], &border.diff_id.0, &border.digest.0].concat()).collect()
    }

    /// What [`Border::to_bytes`] made; bytes of another length are no borders.
    pub fn from_bytes(bytes: &[u8]) -> Vec<Border> {
        let (borders, rest) = bytes.as_chunks::<{ Border::LENGTH }>();
        if rest.is_empty() { borders.iter().filter_map(Border::read).collect() } else { Vec::new() }
    }

    fn read(bytes: &[u8; Border::LENGTH]) -> Option<Border> {
        let (run, rest) = bytes.split_first_chunk()?;
        let (diff_id, rest) = rest.split_first_chunk()?;
        let digest = rest.first_chunk()?;
        Hasher::resume(&Midstate(*diff_id)).and(Hasher::resume(&Midstate(*digest)))?;
        Some(Border { run: ChunkKey(*run), diff_id: Midstate(*diff_id), digest: Midstate(*digest) })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::layer_path::LayerPath;
    use crate::oci::tree::Entry;

    /// The key of a chunk of one file `a`.
    fn key(content: Content, mode: u32, range: Range<u64>) -> Option<ChunkKey> {
        let kind = EntryKind::File(content);
        let entry = Entry { mode, uid: 0, gid: 0, mtime: 0, xattrs: Default::default(), kind, implied: false };
        let path = LayerPath::new("a").unwrap();
        let member = Member { path: &path, entry: Cow::Owned(entry) };
        let piece = Piece::Member { index: 0, header: true, content: range, padding: 0 };
        ChunkKey::of_sources("gzip", &[member], &Chunk { pieces: vec![piece], length: 1024 })
    }

    fn file(bytes: &[u8]) -> Content {
        Content::File { path: "elsewhere".into(), size: 4, digest: Digest::of(bytes), stamp: None }
    }

    #[test]
    fn content_mode_and_part_are_in_the_key_and_the_place_on_the_host_is_not() {
        let first = key(file(b"abcd"), 0o644, 0..4).unwrap();
        let moved = Content::File { path: "other".into(), size: 4, digest: Digest::of(b"abcd"), stamp: Some([1; 60]) };
        assert_eq!(key(moved, 0o644, 0..4), Some(first));
        for other in [key(file(b"abce"), 0o644, 0..4), key(file(b"abcd"), 0o755, 0..4), key(file(b"abcd"), 0o644, 0..3)]
        {
            assert_ne!(other.unwrap(), first);
        }
        let literal = |bytes: &[u8]| key(Content::Bytes(Arc::from(bytes)), 0o644, 0..4).unwrap();
        assert_ne!(literal(b"abcd"), literal(b"abce"));
    }

    #[test]
    fn content_known_by_its_place_only_has_no_key_before_it_is_read() {
        assert_eq!(key(Content::Range { path: "a.tar".into(), offset: 0, size: 4 }, 0o644, 0..4), None);
    }

    #[test]
    fn runs_differ_by_their_chunks_and_by_their_order() {
        let run =
            |keys: &[u8]| keys.iter().fold(ChunkKey::empty_run(), |run, key| run.followed_by(ChunkKey([*key; 32])));
        let runs = [run(&[]), run(&[1]), run(&[1, 2]), run(&[2, 1]), run(&[1, 1])];
        for (number, run) in runs.iter().enumerate() {
            assert!(!runs[..number].contains(run), "{number}");
        }
    }

    #[test]
    fn borders_come_back_from_their_bytes_and_from_no_others() {
        let mut hasher = Hasher::new();
        let mut border = |number: u8| {
            hasher.update(&[number]);
            let midstate = hasher.midstate();
            Border { run: ChunkKey([number; 32]), diff_id: midstate, digest: Hasher::new().midstate() }
        };
        let borders = [border(1), border(2)];
        let mut bytes = Border::to_bytes(&borders);
        assert_eq!(Border::from_bytes(&bytes), borders);
        bytes.pop();
        assert_eq!(Border::from_bytes(&bytes), []);
    }
}
