//! Writes a layer: a tree and a compression in; tar, diff ID, compressed blob, its digest and the places of its chunks out.
//!
//! One pass, with bounded memory. Workers read, verify and compress chunks; the caller's thread takes them in order. The bytes
//! depend neither on the number of threads nor on what the memory of chunks holds. Doesn't know the store: the caller's
//! writer takes the blob, a [`ChunkMemory`] gives chunks back. A chunk that is remembered by its sources' digests is not read
//! again, and the run of chunks that the layer began with last time is not hashed again.

use std::io::Write;

use rayon::ThreadPool;

use crate::oci::chunk_maker::Maker;
use crate::oci::chunk_memory::ChunkMemory;
use crate::oci::chunk_sink::Sink;
use crate::oci::chunks::{self, Chunk, Extent};
use crate::oci::compress::Compression;
pub use crate::oci::layer_bytes::{LayerBytes, LayerError};
use crate::oci::ordered::{self, Weighed};
use crate::oci::tar_write::{self, Member};
use crate::oci::tree::Tree;

/// Raw bytes in flight for one thread, and for all threads of one layer; what is compressed of them comes on top.
const WINDOW_PER_THREAD: u64 = 2 * chunks::MAX;
const WINDOW: u64 = 6 * chunks::MAX;

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
    let maker = Maker::new(&members, compression, memory);
    let (jobs, settled) = maker.jobs(&plan);
    let window = WINDOW.min(WINDOW_PER_THREAD * workers.current_num_threads() as u64);
    let mut sink = Sink::new(&members, compression, settled, out)?;
    ordered::run(
        workers,
        window,
        jobs.iter().map(|job| Weighed { job, weight: job.plan.length }),
        |job| maker.make(job),
        |made| {
            let made = made?;
            sink.take(&made)?;
            maker.take_back(made);
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::io::{self, Read};
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::layer_path::LayerPath;
    use crate::oci::chunk_memory::{Border, ChunkKey, ChunkPlace, NoMemory};
    use crate::oci::compress::Format;
    use crate::oci::content::ContentError;
    use crate::oci::tree::{Content, Entry, EntryKind};

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
        let content =
            Content::File { path: host, size: content.len() as u64, digest: Digest::of(content), stamp: None };
        tree.entries.insert(path(&format!("app/{name}")), entry(EntryKind::File(content)));
    }

    /// What the store does: keeps members by key, and borders.
    #[derive(Default)]
    struct Remembered(HashMap<ChunkKey, Vec<u8>>, Vec<Border>);

    impl Remembered {
        fn of(layer: &LayerBytes, blob: &[u8]) -> Remembered {
            let member = |place| {
                let place: &ChunkPlace = place;
                let member = &blob[place.offset as usize..(place.offset + place.length) as usize];
                assert_eq!(place.check, Some(*blake3::hash(member).as_bytes()));
                place.new_keys.iter().map(|key| (*key, member.to_vec()))
            };
            Remembered(layer.chunks.iter().flat_map(member).collect(), layer.borders.clone())
        }
    }

    impl ChunkMemory for Remembered {
        fn find(&self, key: &ChunkKey, member: &mut Vec<u8>) -> bool {
            self.0.get(key).inspect(|found| member.extend_from_slice(found)).is_some()
        }

        fn borders(&self) -> Vec<Border> {
            self.1.clone()
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
        assert_eq!((layer.size, layer.digest), (blob.len() as u64, Digest::of(&blob)));
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
            let half = memory.0.clone().into_iter().filter(|(key, _)| key.0[0] % 2 == 0).collect();
            let half = Remembered(half, layer.borders.clone());
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
    fn an_edit_gives_the_same_layer_with_and_without_memory_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        let (layer, blob) = write(&tree, &Compression::default(), &NoMemory, 2);
        let memory = Remembered::of(&layer, &blob);
        for name in ["f0", "f120", "f180", "f240", "f299", "f99", "large"] {
            let mut edited = tree.clone();
            let length = if name == "large" { 5 << 20 } else { 6_000 };
            add_file(&mut edited, dir.path(), name, &bytes(7_777, length));
            let (expected, same) = write(&edited, &Compression::default(), &NoMemory, 2);
            let (found, bytes) = write(&edited, &Compression::default(), &memory, 2);
            assert!(bytes == same && found.diff_id == expected.diff_id && found.digest == expected.digest, "{name}");
            assert_eq!(found.uncompressed_size, expected.uncompressed_size, "{name}");
            std::fs::write(dir.path().join(name), content_of(&tree, name)).unwrap();
        }
    }

    /// What `host_tree` put there.
    fn content_of(tree: &Tree, name: &str) -> Vec<u8> {
        let EntryKind::File(content) = &tree.entries[&path(&format!("app/{name}"))].kind else { panic!("{name}") };
        let seed = name.strip_prefix('f').map_or(999, |number| number.parse().unwrap());
        bytes(seed, content.size() as usize)
    }

    #[test]
    fn sources_before_a_border_are_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let tree = host_tree(dir.path());
        let (layer, blob) = write(&tree, &Compression::default(), &NoMemory, 2);
        assert!(!layer.borders.is_empty());
        let memory = Remembered::of(&layer, &blob);
        std::fs::remove_file(dir.path().join("f0")).unwrap();
        let again = write(&tree, &Compression::default(), &memory, 2);
        assert_eq!((again.0.diff_id, &again.0.borders, again.1), (layer.diff_id, &layer.borders, blob));
        let borderless = Remembered(memory.0, Vec::new());
        let error = write_layer(&tree, &Compression::default(), &borderless, &pool(2), &mut io::sink()).unwrap_err();
        assert!(matches!(error, LayerError::Content { source: ContentError::Unreadable { .. }, .. }), "{error}");
    }

    #[test]
    fn no_border_stands_within_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::default();
        add_file(&mut tree, dir.path(), "large", &bytes(1, 20 << 20));
        let (layer, _) = write(&tree, &Compression::gzip(1).unwrap(), &NoMemory, 2);
        assert_eq!((layer.chunks.len(), layer.borders.len()), (6, 0));
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
        let (range, bytes) = (layer(range), layer(Content::Bytes(Arc::from(&b"hello"[..]))));
        assert_eq!((range.1, range.0.diff_id), (bytes.1, bytes.0.diff_id));
    }
}
