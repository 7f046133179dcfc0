//! How fast a layer of 2,000 files of 10 kB is written: cold, after an edit of one file, and with every chunk remembered.
//!
//! Sources are in the page cache; the blob goes nowhere, so that neither the disk nor its digest is measured.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::io;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layerbuild::digest::Digest;
use layerbuild::layer_path::LayerPath;
use layerbuild::oci::chunk_memory::{Border, ChunkKey, ChunkMemory, NoMemory};
use layerbuild::oci::compress::Compression;
use layerbuild::oci::layer::{LayerBytes, write_layer};
use layerbuild::oci::tree::{Content, Entry, EntryKind, Tree};

const FILES: u32 = 2_000;
const SIZE: usize = 10_000;

/// Text of made-up words: it compresses about as source code does.
fn text(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut text = Vec::with_capacity(SIZE + 16);
    while text.len() < SIZE {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        text.extend_from_slice(format!("word{:x} ", state % 5_000).as_bytes());
    }
    text.truncate(SIZE);
    text
}

fn add(tree: &mut Tree, dir: &Path, number: u32, seed: u32) {
    let (host, bytes) = (dir.join(number.to_string()), text(seed));
    std::fs::write(&host, &bytes).expect("a writable directory");
    let content = Content::File { path: host, size: SIZE as u64, digest: Digest::of(&bytes), stamp: None };
    let entry = Entry {
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        xattrs: BTreeMap::new(),
        kind: EntryKind::File(content),
        implied: false,
    };
    let path = LayerPath::new(format!("opt/app/part-{}/file-{number}", number % 40)).expect("a valid path");
    tree.imply_parents(&path, 0).expect("files below directories");
    tree.entries.insert(path, entry);
}

struct Remembered(HashMap<ChunkKey, Vec<u8>>, Vec<Border>);

impl ChunkMemory for Remembered {
    fn find(&self, key: &ChunkKey, member: &mut Vec<u8>) -> bool {
        self.0.get(key).inspect(|found| member.extend_from_slice(found)).is_some()
    }

    fn borders(&self) -> Vec<Border> {
        self.1.clone()
    }
}

fn remember(layer: &LayerBytes, blob: &[u8]) -> Remembered {
    let member = |offset: u64, length: u64| blob[offset as usize..(offset + length) as usize].to_vec();
    let places = layer.chunks.iter().flat_map(|place| place.new_keys.iter().map(move |key| (key, place)));
    let members = places.map(|(key, place)| (*key, member(place.offset, place.length)));
    Remembered(members.collect(), layer.borders.clone())
}

fn layers(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut tree = Tree::default();
    (0..FILES).for_each(|number| add(&mut tree, dir.path(), number, number));
    let pool = rayon::ThreadPoolBuilder::new().build().expect("a pool");
    let mut group = criterion.benchmark_group("layer of 2,000 files");
    group.throughput(Throughput::Bytes(u64::from(FILES) * SIZE as u64)).sample_size(20);

    for (name, compression) in [
        ("gzip 6", Compression::default()),
        ("zstd 3", Compression::zstd(3).expect("a level")),
        ("plain", Compression::NONE),
    ] {
        group.bench_function(format!("cold, {name}"), |bencher| {
            bencher.iter(|| {
                write_layer(black_box(&tree), &compression, &NoMemory, &pool, &mut io::sink()).expect("written")
            });
        });
    }

    let mut blob = Vec::new();
    let layer = write_layer(&tree, &Compression::default(), &NoMemory, &pool, &mut blob).expect("written");
    let memory = remember(&layer, &blob);
    group.bench_function("every chunk remembered", |bencher| {
        bencher.iter(|| {
            write_layer(black_box(&tree), &Compression::default(), &memory, &pool, &mut io::sink()).expect("written")
        });
    });
    add(&mut tree, dir.path(), FILES / 2, FILES);
    group.bench_function("one file edited", |bencher| {
        bencher.iter(|| {
            write_layer(black_box(&tree), &Compression::default(), &memory, &pool, &mut io::sink()).expect("written")
        });
    });
    group.finish();
}

criterion_group!(benches, layers);
criterion_main!(benches);
