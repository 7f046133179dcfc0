//! Writes a layer: a tree and a compression in; tar, diff ID, compressed blob and the places of its chunks out.
//!
//! One pass, with bounded memory. Workers read, verify and compress chunks; the caller's thread takes them in order. The bytes
//! depend neither on the number of threads nor on what the memory of chunks holds. Doesn't know the store: the caller's
//! writer takes the blob (and hashes it), a [`ChunkMemory`] gives chunks back.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;

use crate::digest::{DiffId, Hasher};
use crate::layer_path::LayerPath;
use crate::oci::chunks::{self, Chunk, Extent, Piece};
use crate::oci::compress::{ChunkEncoder, Compression, StreamEncoder};
use crate::oci::content::{self, ContentError, Reader};
use crate::oci::ordered::{self, Weighed};
use crate::oci::tar_write::{self, BadHardLink, Member};
use crate::oci::tree::{Content, EntryKind, Tree};

/// Raw bytes in flight for one thread, and for all threads of one layer; what is compressed of them comes on top.
const WINDOW_PER_THREAD: u64 = 2 * chunks::MAX;
const WINDOW: u64 = 6 * chunks::MAX;
/// Buffers kept for chunks to come, none longer than a small file's chunk mostly is.
const KEPT: usize = 16;

/// What compressed bytes a chunk stands for: blake3 of the compression's identity and the chunk's bytes.
/// Never leaves the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey(pub [u8; 32]);

impl ChunkKey {
    fn of(identity: &str, raw: &[u8]) -> ChunkKey {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(identity.len() as u64).to_le_bytes()).update(identity.as_bytes()).update(raw);
        ChunkKey(hasher.finalize().into())
    }
}

/// Chunks compressed earlier.
pub trait ChunkMemory: Sync {
    /// The member or frame that this key's chunk was compressed to, verified; `None` when it isn't there or isn't whole any more.
    fn find(&self, key: &ChunkKey) -> Option<Vec<u8>>;
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl ChunkMemory for NoMemory {
    fn find(&self, _: &ChunkKey) -> Option<Vec<u8>> {
        None
    }
}

/// Where in the blob a chunk's member stands: for the caller to remember, once the blob has its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// What it was made of.
    pub key: ChunkKey,
    /// Its first byte in the blob.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// blake3 of the member, to verify it with when it is read back.
    pub check: [u8; 32],
    /// Whether the memory had it.
    pub reused: bool,
}

/// What is known of a layer once it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerBytes {
    /// Digest of the tar.
    pub diff_id: DiffId,
    /// Length of the tar in bytes.
    pub uncompressed_size: u64,
    /// Length of the blob in bytes.
    pub size: u64,
    /// The chunks in their order; none when the layer is one stream.
    pub chunks: Vec<ChunkPlace>,
}

/// Why a layer can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A source can't be read, or isn't what it was.
    #[error("{path}: {source}")]
    Content {
        /// Where it would stand in the layer.
        path: LayerPath,
        /// What is wrong with the source.
        source: ContentError,
    },
    /// The tree names a hard link's target that it doesn't hold.
    #[error(transparent)]
    HardLink(#[from] BadHardLink),
    /// The blob can't be written (disk full), or the compressor failed.
    #[error("can't write the layer")]
    Write(#[from] io::Error),
}

/// Writes a tree as a compressed layer to `out`, which sees the blob's bytes in order.
///
/// `workers` do the reading and compressing. May be called for several layers at once, and from one of the workers.
/// On an error, `out` has got a part of the blob.
pub fn write_layer(
    tree: &Tree,
    compression: &Compression,
    memory: &dyn ChunkMemory,
    workers: &ThreadPool,
    out: &mut dyn Write,
) -> Result<LayerBytes, LayerError> {
    let members = tar_write::members(tree)?;
    let plan = plan(&members);
    let maker =
        Maker { members: &members, compression, identity: compression.identity(), memory, buffers: Buffers::default() };
    let window = WINDOW.min(WINDOW_PER_THREAD * workers.current_num_threads() as u64);
    let jobs = plan.iter().map(|chunk| Weighed { job: chunk, weight: chunk.length });
    let mut sink = Sink::new(&members, compression, out)?;
    ordered::run(
        workers,
        window,
        jobs,
        |chunk| maker.make(chunk),
        |made| {
            let made = made?;
            sink.take(&made)?;
            maker.buffers.put(made.raw);
            Ok::<_, LayerError>(())
        },
    )?;
    sink.finish()
}

/// Cuts the members' tar into chunks. One plan for every compression: a stream is read in parallel as well.
fn plan(members: &[Member<'_>]) -> Vec<Chunk> {
    let extent = |member| {
        let Member { path, entry }: &Member<'_> = member;
        let (header, content) = (tar_write::header_len(path, entry), tar_write::content_size(entry));
        Extent { path: path.as_bytes(), header, content }
    };
    let extents: Vec<_> = members.iter().map(extent).collect();
    chunks::cut(&extents, tar_write::END.len() as u64)
}

/// Makes chunks, on the workers.
struct Maker<'a> {
    members: &'a [Member<'a>],
    compression: &'a Compression,
    identity: String,
    memory: &'a dyn ChunkMemory,
    buffers: Buffers,
}

/// A chunk read, and compressed if chunks are.
struct Made<'p> {
    plan: &'p Chunk,
    raw: Vec<u8>,
    packed: Option<Packed>,
}

struct Packed {
    key: ChunkKey,
    member: Vec<u8>,
    check: [u8; 32],
    reused: bool,
}

impl Maker<'_> {
    fn make<'p>(&self, plan: &'p Chunk) -> Result<Made<'p>, LayerError> {
        let mut raw = self.buffers.get(plan.length as usize + 1);
        let mut reader = Reader::default();
        for piece in &plan.pieces {
            self.append(&mut raw, &mut reader, piece)?;
        }
        let packed = if self.compression.chunks() { Some(self.pack(&raw)?) } else { None };
        Ok(Made { plan, raw, packed })
    }

    fn append(&self, raw: &mut Vec<u8>, reader: &mut Reader, piece: &Piece) -> Result<(), LayerError> {
        let zeros = match piece {
            Piece::End { length } => *length,
            Piece::Member { index, header, content: part, padding } => {
                let Member { path, entry } = &self.members[*index];
                if *header {
                    tar_write::append_header(raw, path, entry);
                }
                if let EntryKind::File(content) = &entry.kind {
                    reader.append(raw, content, part).map_err(|source| content_error(path, source))?;
                }
                *padding
            }
        };
        raw.resize(raw.len() + zeros as usize, 0);
        Ok(())
    }

    fn pack(&self, raw: &[u8]) -> io::Result<Packed> {
        let key = ChunkKey::of(&self.identity, raw);
        let found = self.memory.find(&key);
        let reused = found.is_some();
        let member = match found {
            Some(member) => member,
            None => encode(self.compression, raw)?,
        };
        Ok(Packed { key, check: blake3::hash(&member).into(), member, reused })
    }
}

fn content_error(path: &LayerPath, source: ContentError) -> LayerError {
    LayerError::Content { path: path.clone(), source }
}

/// Compresses with this thread's encoder: its tables are large, and costly to make for each chunk.
fn encode(compression: &Compression, raw: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static ENCODER: RefCell<Option<ChunkEncoder>> = const { RefCell::new(None) };
    }
    ENCODER.with_borrow_mut(|slot| {
        let encoder = match slot.take() {
            Some(encoder) if encoder.makes(compression.format()) => encoder,
            _ => ChunkEncoder::new(compression)?,
        };
        slot.insert(encoder).encode(raw)
    })
}

/// Buffers that chunks were in, for the chunks after them.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn get(&self, capacity: usize) -> Vec<u8> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = free.unwrap_or_default();
        buffer.reserve_exact(capacity);
        buffer
    }

    /// Large ones go back to the system: kept, each buffer would grow to the size of the largest chunk.
    fn put(&self, mut buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.capacity() as u64 <= chunks::LARGE && kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

/// Takes chunks in their order: diff ID, digests of large files, the blob.
struct Sink<'a> {
    members: &'a [Member<'a>],
    diff_id: Hasher,
    uncompressed_size: u64,
    large_file: Hasher,
    chunks: Vec<ChunkPlace>,
    output: Output<'a>,
}

enum Output<'a> {
    Chunks(Counting<'a>),
    Stream(StreamEncoder<Counting<'a>>),
}

impl<'a> Sink<'a> {
    fn new(members: &'a [Member<'a>], compression: &Compression, out: &'a mut dyn Write) -> io::Result<Sink<'a>> {
        let out = Counting { out, count: 0 };
        let output = match compression.chunks() {
            true => Output::Chunks(out),
            false => Output::Stream(StreamEncoder::new(compression, out)?),
        };
        let (diff_id, large_file) = (Hasher::new(), Hasher::new());
        Ok(Sink { members, diff_id, uncompressed_size: 0, large_file, chunks: Vec::new(), output })
    }

    fn take(&mut self, made: &Made<'_>) -> Result<(), LayerError> {
        self.diff_id.update(&made.raw);
        self.uncompressed_size += made.raw.len() as u64;
        self.check_part(made)?;
        match (&mut self.output, &made.packed) {
            (Output::Chunks(out), Some(packed)) => {
                let Packed { key, check, reused, ref member } = *packed;
                self.chunks.push(ChunkPlace { key, offset: out.count, length: member.len() as u64, check, reused });
                out.write_all(member)?;
            }
            (Output::Stream(encoder), _) => encoder.write(&made.raw)?,
            (Output::Chunks(_), None) => {}
        }
        Ok(())
    }

    /// A file cut into several chunks is hashed here, where they come in order: each stands alone in its chunk.
    fn check_part(&mut self, made: &Made<'_>) -> Result<(), LayerError> {
        let [Piece::Member { index, content: part, padding, .. }] = &made.plan.pieces[..] else { return Ok(()) };
        let Member { path, entry } = &self.members[*index];
        let EntryKind::File(content @ Content::File { size, .. }) = &entry.kind else { return Ok(()) };
        if *part == (0..*size) {
            return Ok(());
        }
        let end = made.raw.len() - *padding as usize;
        self.large_file.update(&made.raw[end - (part.end - part.start) as usize..end]);
        if part.end == *size {
            let found = std::mem::take(&mut self.large_file).finish();
            content::verify(content, found).map_err(|source| content_error(path, source))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<LayerBytes, LayerError> {
        let out = match self.output {
            Output::Chunks(out) => out,
            Output::Stream(encoder) => encoder.finish()?,
        };
        let (diff_id, uncompressed_size) = (DiffId(self.diff_id.finish()), self.uncompressed_size);
        Ok(LayerBytes { diff_id, uncompressed_size, size: out.count, chunks: self.chunks })
    }
}

/// Counts what goes through.
struct Counting<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::io::Read;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::oci::compress::Format;
    use crate::oci::tree::Entry;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    fn path(text: &str) -> LayerPath {
        LayerPath::new(text).unwrap()
    }

    fn entry(kind: EntryKind) -> Entry {
        Entry { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: BTreeMap::new(), kind, implied: false }
    }

    /// Bytes that compress somewhat, other ones for each seed.
    fn bytes(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"etaoin shrdlu\n\x00\x01"[(state >> 60) as usize]
        };
        (0..length).map(|_| next()).collect()
    }

    /// 300 small files of the host and one of 5 MiB.
    fn host_tree(dir: &Path) -> Tree {
        let mut tree = Tree::default();
        tree.entries.insert(path("app"), entry(EntryKind::Directory));
        for number in 0..300 {
            add_file(&mut tree, dir, &format!("f{number}"), &bytes(number, 7_000));
        }
        add_file(&mut tree, dir, "large", &bytes(999, 5 << 20));
        tree
    }

    fn add_file(tree: &mut Tree, dir: &Path, name: &str, content: &[u8]) {
        let host = dir.join(name);
        std::fs::write(&host, content).unwrap();
        let content = Content::File { path: host, size: content.len() as u64, digest: Digest::of(content) };
        tree.entries.insert(path(&format!("app/{name}")), entry(EntryKind::File(content)));
    }

    /// What the store does: keeps members by key.
    #[derive(Default)]
    struct Remembered(HashMap<ChunkKey, Vec<u8>>);

    impl Remembered {
        fn of(layer: &LayerBytes, blob: &[u8]) -> Remembered {
            let member = |place: &ChunkPlace| {
                let member = &blob[place.offset as usize..(place.offset + place.length) as usize];
                assert_eq!(place.check, *blake3::hash(member).as_bytes());
                (place.key, member.to_vec())
            };
            Remembered(layer.chunks.iter().map(member).collect())
        }
    }

    impl ChunkMemory for Remembered {
        fn find(&self, key: &ChunkKey) -> Option<Vec<u8>> {
            self.0.get(key).cloned()
        }
    }

    fn write(
        tree: &Tree,
        compression: &Compression,
        memory: &dyn ChunkMemory,
        threads: usize,
    ) -> (LayerBytes, Vec<u8>) {
        let mut blob = Vec::new();
        let layer = write_layer(tree, compression, memory, &pool(threads), &mut blob).unwrap();
        assert_eq!(layer.size, blob.len() as u64);
        (layer, blob)
    }

    fn every_compression() -> Vec<Compression> {
        let formats = [Format::Gzip { level: 1 }, Format::Zstd { level: 3 }];
        let all = formats.into_iter().flat_map(|format| [true, false].map(|chunks| Compression::new(format, chunks)));
        all.map(Result::unwrap).chain([Compression::NONE]).collect()
    }

    fn decompress(compression: &Compression, blob: &[u8]) -> Vec<u8> {
        let mut tar = Vec::new();
        match compression.format() {
            Format::None => tar.extend_from_slice(blob),
            Format::Gzip { .. } => {
                flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut tar).map(drop).unwrap();
            }
            Format::Zstd { .. } => zstd::stream::copy_decode(blob, &mut tar).unwrap(),
        }
        tar
    }

    #[test]
    fn bytes_do_not_depend_on_threads_or_memory() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        for compression in every_compression() {
            let (layer, blob) = write(&tree, &compression, &NoMemory, 1);
            let memory = Remembered::of(&layer, &blob);
            let half = Remembered(memory.0.clone().into_iter().filter(|(key, _)| key.0[0] % 2 == 0).collect());
            assert_eq!((&layer, &blob), (&write(&tree, &compression, &NoMemory, 4).0, &blob), "{compression}");
            for memory in [&memory as &dyn ChunkMemory, &half] {
                let (again, same) = write(&tree, &compression, memory, 3);
                assert!(same == blob && again.diff_id == layer.diff_id, "{compression}");
            }
        }
    }

    #[test]
    fn every_compression_holds_the_same_tar() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        let (plain, tar) = write(&tree, &Compression::NONE, &NoMemory, 2);
        assert_eq!(plain.diff_id.0, Digest::of(&tar));
        for compression in every_compression() {
            let (layer, blob) = write(&tree, &compression, &NoMemory, 2);
            assert!(decompress(&compression, &blob) == tar, "{compression}");
            assert_eq!((layer.diff_id, layer.uncompressed_size), (plain.diff_id, tar.len() as u64), "{compression}");
        }
    }

    #[test]
    fn an_edit_of_one_file_compresses_one_chunk_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = host_tree(dir.path());
        let (layer, blob) = write(&tree, &Compression::default(), &NoMemory, 2);
        add_file(&mut tree, dir.path(), "f7", &bytes(1_000_000, 7_000));
        let (edited, _) = write(&tree, &Compression::default(), &Remembered::of(&layer, &blob), 2);
        assert!(edited.chunks.len() > 5, "{}", edited.chunks.len());
        assert_eq!(edited.chunks.iter().filter(|chunk| !chunk.reused).count(), 1);
        assert_ne!(edited.diff_id, layer.diff_id);
    }

    #[test]
    fn a_file_that_changed_is_named_whether_it_is_small_or_cut_into_chunks() {
        let dir = tempfile::tempdir().unwrap();
        for (name, length) in [("f9", 7_000), ("large", 5 << 20)] {
            let tree = host_tree(dir.path());
            let mut other = std::fs::read(dir.path().join(name)).unwrap();
            other[length / 2] ^= 1;
            std::fs::write(dir.path().join(name), other).unwrap();
            let error = write_layer(&tree, &Compression::default(), &NoMemory, &pool(2), &mut io::sink()).unwrap_err();
            let LayerError::Content { path, source: ContentError::Changed { .. } } = error else { panic!("{error}") };
            assert_eq!(path.file_name(), name.as_bytes());
        }
    }

    #[test]
    fn a_missing_source_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        std::fs::remove_file(dir.path().join("f9")).unwrap();
        let error = write_layer(&tree, &Compression::default(), &NoMemory, &pool(2), &mut io::sink()).unwrap_err();
        assert!(matches!(error, LayerError::Content { source: ContentError::Unreadable { .. }, .. }), "{error}");
    }

    #[test]
    fn a_full_disk_is_a_write_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        for compression in every_compression() {
            let error = write_layer(&tree, &compression, &NoMemory, &pool(2), &mut Full(100_000)).unwrap_err();
            assert!(matches!(error, LayerError::Write(_)), "{error}");
        }
    }

    #[test]
    fn several_layers_may_be_written_at_once_on_the_pools_own_threads() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        let expected = write(&tree, &Compression::default(), &NoMemory, 1).0;
        let pool = pool(2);
        pool.scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|_| {
                    let compression = Compression::default();
                    let layer = write_layer(&tree, &compression, &NoMemory, &pool, &mut io::sink()).unwrap();
                    assert_eq!(layer, expected);
                });
            }
        });
    }

    #[test]
    fn an_empty_tree_is_an_empty_archive() {
        let (layer, blob) = write(&Tree::default(), &Compression::NONE, &NoMemory, 1);
        assert_eq!((blob, layer.uncompressed_size), (tar_write::END.to_vec(), 1024));
    }

    #[test]
    fn content_in_memory_and_in_an_archive_give_the_same_layer() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        std::fs::write(&archive, b"xxhelloyy").unwrap();
        let layer = |content| {
            let entries = [(path("a"), entry(EntryKind::File(content)))].into();
            write(&Tree { entries }, &Compression::default(), &NoMemory, 1)
        };
        let range = Content::Range { path: archive, offset: 2, size: 5 };
        assert_eq!(layer(range), layer(Content::Bytes(Arc::from(&b"hello"[..]))));
    }
}
