//! Makes chunks, on the workers: found by their keys, or read and compressed.
//!
//! Takes members and the plan of their chunks; gives each chunk's tar and its member. Decides what need not be read. Knows
//! nothing of order and of where chunks go.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::oci::chunk_memory::{Border, ChunkKey, ChunkMemory};
use crate::oci::chunks::{self, Chunk, Piece};
use crate::oci::compress::{ChunkEncoder, Compression};
use crate::oci::content::Reader;
use crate::oci::layer_bytes::LayerError;
use crate::oci::tar_write::{self, Member};
use crate::oci::tree::EntryKind;

/// Buffers kept for chunks to come, none longer than a small file's chunk mostly is.
const KEPT: usize = 16;

/// A chunk to make.
pub(super) struct Job<'p> {
    pub plan: &'p Chunk,
    /// Its key by its sources.
    key: Option<ChunkKey>,
    /// Of all chunks up to this one, where each has such a key.
    pub run: Option<ChunkKey>,
    /// Stands before the border that hashing goes on from: only its member is needed.
    settled: bool,
}

impl Job<'_> {
    /// Whether hashing may go on behind it: not within a file, whose digest is taken over all of its parts.
    pub fn ends_a_file(&self, members: &[Member<'_>]) -> bool {
        match self.plan.pieces.last() {
            Some(Piece::Member { index, content, .. }) => {
                content.end == tar_write::content_size(&members[*index].entry)
            }
            _ => true,
        }
    }
}

/// The run of chunks at a layer's beginning that is as it was before.
#[derive(Default)]
pub(super) struct Settled {
    pub chunks: usize,
    /// The borders within it, the last of which ends it.
    pub borders: Vec<Border>,
}

/// Makes chunks, on the workers.
pub(super) struct Maker<'a> {
    members: &'a [Member<'a>],
    compression: &'a Compression,
    identity: String,
    memory: &'a dyn ChunkMemory,
    buffers: Buffers,
}

/// A chunk read, or found, and compressed if chunks are.
pub(super) struct Made<'p> {
    pub job: &'p Job<'p>,
    /// The tar; nothing where the job is settled and its member was found.
    pub raw: Vec<u8>,
    pub packed: Option<Packed>,
}

pub(super) struct Packed {
    pub member: Vec<u8>,
    pub new_keys: Vec<ChunkKey>,
    pub check: Option<[u8; 32]>,
    pub reused: bool,
}

impl Packed {
    fn new(member: Vec<u8>, new_keys: Vec<ChunkKey>, reused: bool) -> Packed {
        let check = (!new_keys.is_empty()).then(|| blake3::hash(&member).into());
        Packed { member, new_keys, check, reused }
    }
}

impl<'a> Maker<'a> {
    /// Makes chunks of these members.
    pub fn new(members: &'a [Member<'a>], compression: &'a Compression, memory: &'a dyn ChunkMemory) -> Maker<'a> {
        Maker { members, compression, identity: compression.identity(), memory, buffers: Buffers::default() }
    }

    /// What there is to make, and how much of it is as it was.
    pub fn jobs<'p>(&self, plan: &'p [Chunk]) -> (Vec<Job<'p>>, Settled) {
        let mut run = self.compression.chunks().then(ChunkKey::empty_run);
        let job = |plan| {
            let key =
                if self.compression.chunks() { ChunkKey::of_sources(&self.identity, self.members, plan) } else { None };
            run = run.zip(key).map(|(run, key)| run.followed_by(key));
            Job { plan, key, run, settled: false }
        };
        let mut jobs: Vec<Job<'p>> = plan.iter().map(job).collect();
        let settled = self.settled(&jobs);
        jobs[..settled.chunks].iter_mut().for_each(|job| job.settled = true);
        (jobs, settled)
    }

    fn settled(&self, jobs: &[Job<'_>]) -> Settled {
        let mut settled = Settled::default();
        let known: HashMap<ChunkKey, Border> =
            self.memory.borders().into_iter().map(|border| (border.run, border)).collect();
        for (number, job) in jobs.iter().enumerate() {
            if let Some(border) = job.run.and_then(|run| known.get(&run)) {
                settled.borders.push(*border);
                settled.chunks = number + 1;
            }
        }
        settled
    }

    /// Makes one.
    pub fn make<'p>(&self, job: &'p Job<'p>) -> Result<Made<'p>, LayerError> {
        let known = job.key.and_then(|key| self.find(&key)).map(|member| Packed::new(member, Vec::new(), true));
        if known.is_some() && job.settled {
            return Ok(Made { job, raw: Vec::new(), packed: known });
        }
        let mut raw = self.buffers.get(job.plan.length as usize + 1);
        let mut reader = Reader::default();
        for piece in &job.plan.pieces {
            self.append(&mut raw, &mut reader, piece)?;
        }
        let packed = match known {
            None if self.compression.chunks() => Some(self.pack(job, &raw)?),
            known => known,
        };
        Ok(Made { job, raw, packed })
    }

    /// Takes a chunk's buffers back when it has been used.
    pub fn take_back(&self, made: Made<'_>) {
        self.buffers.put(made.raw);
        self.buffers.put(made.packed.map(|packed| packed.member).unwrap_or_default());
    }

    fn find(&self, key: &ChunkKey) -> Option<Vec<u8>> {
        let mut member = self.buffers.get(0);
        self.memory.find(key, &mut member).then_some(member)
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
                    reader.append(raw, content, part).map_err(|source| LayerError::content(path, source))?;
                }
                *padding
            }
        };
        raw.resize(raw.len() + zeros as usize, 0);
        Ok(())
    }

    fn pack(&self, job: &Job<'_>, raw: &[u8]) -> io::Result<Packed> {
        let mut new_keys: Vec<ChunkKey> = job.key.into_iter().collect();
        if self.may_be_known_by_bytes(job) {
            let key = ChunkKey::of_bytes(&self.identity, raw);
            if let Some(member) = self.find(&key) {
                return Ok(Packed::new(member, new_keys, true));
            }
            new_keys.push(key);
        }
        Ok(Packed::new(encode(self.compression, raw)?, new_keys, false))
    }

    /// Of a large file, most parts are as they were when its digest is another.
    fn may_be_known_by_bytes(&self, job: &Job<'_>) -> bool {
        let is_part = |piece: &Piece| match piece {
            Piece::Member { index, content, .. } => {
                *content != (0..tar_write::content_size(&self.members[*index].entry))
            }
            Piece::End { .. } => false,
        };
        job.key.is_none() || job.plan.pieces.iter().any(is_part)
    }
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
        if buffer.capacity() == 0 {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.capacity() as u64 <= chunks::LARGE && kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }
}
