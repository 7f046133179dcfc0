//! Takes a layer's chunks in their order: diff ID, digests of large files, the blob and its digest.
//!
//! Knows nothing of how chunks are made and where the blob goes.

use std::io::{self, Write};

use crate::digest::{DiffId, Hasher};
use crate::oci::chunk_maker::{Job, Made, Packed, Settled};
use crate::oci::chunk_memory::{Border, ChunkPlace};
use crate::oci::chunks::Piece;
use crate::oci::compress::{Compression, StreamEncoder};
use crate::oci::content;
use crate::oci::layer_bytes::{LayerBytes, LayerError};
use crate::oci::tar_write::Member;
use crate::oci::tree::{Content, EntryKind};

/// Chunks from one remembered border to the next: about a megabyte that is hashed again for want of one.
const BORDER_DISTANCE: usize = 4;

/// Takes chunks in their order: diff ID, digests of large files, the blob.
pub(super) struct Sink<'a> {
    members: &'a [Member<'a>],
    taken: usize,
    settled: usize,
    diff_id: Hasher,
    uncompressed_size: u64,
    large_file: Hasher,
    chunks: Vec<ChunkPlace>,
    borders: Vec<Border>,
    output: Output<'a>,
}

enum Output<'a> {
    Chunks(Hashing<'a>),
    Stream(Box<StreamEncoder<Hashing<'a>>>),
}

impl<'a> Sink<'a> {
    /// A sink for a layer's chunks. All settled ones are passed through: hashing stands where it did behind them.
    pub fn new(
        members: &'a [Member<'a>],
        compression: &Compression,
        settled: Settled,
        out: &'a mut dyn Write,
    ) -> io::Result<Sink<'a>> {
        let border = settled.borders.last();
        let resume = |midstate| Hasher::resume(midstate).ok_or(io::ErrorKind::InvalidData);
        let diff_id = border.map_or(Ok(Hasher::new()), |border| resume(&border.diff_id))?;
        let hasher = border.map_or(Ok(Hasher::new()), |border| resume(&border.digest))?;
        let out = Hashing { out, count: 0, hasher };
        let output = match compression.chunks() {
            true => Output::Chunks(out),
            false => Output::Stream(Box::new(StreamEncoder::new(compression, out)?)),
        };
        Ok(Sink {
            members,
            taken: 0,
            settled: settled.chunks,
            diff_id,
            uncompressed_size: 0,
            large_file: Hasher::new(),
            chunks: Vec::new(),
            borders: settled.borders,
            output,
        })
    }

    /// Takes the next chunk.
    pub fn take(&mut self, made: &Made<'_>) -> Result<(), LayerError> {
        self.taken += 1;
        self.uncompressed_size += made.job.plan.length;
        let settled = self.taken <= self.settled;
        if !settled {
            self.diff_id.update(&made.raw);
            self.check_part(made)?;
        }
        match (&mut self.output, &made.packed) {
            (Output::Chunks(out), Some(packed)) => {
                let Packed { check, reused, ref new_keys, ref member } = *packed;
                let (offset, length, new_keys) = (out.count, member.len() as u64, new_keys.clone());
                self.chunks.push(ChunkPlace { new_keys, offset, length, check, reused });
                if settled { out.pass(member)? } else { out.write_all(member)? }
            }
            (Output::Stream(encoder), _) => encoder.write(&made.raw)?,
            (Output::Chunks(_), None) => {}
        }
        self.note_border(made.job);
        Ok(())
    }

    fn note_border(&mut self, job: &Job<'_>) {
        let is_due = self.taken > self.settled && self.taken.is_multiple_of(BORDER_DISTANCE);
        if let (Output::Chunks(out), Some(run), true) = (&self.output, job.run, is_due)
            && job.ends_a_file(self.members)
        {
            self.borders.push(Border { run, diff_id: self.diff_id.midstate(), digest: out.hasher.midstate() });
        }
    }

    /// A file cut into several chunks is hashed here, where they come in order: each stands alone in its chunk.
    fn check_part(&mut self, made: &Made<'_>) -> Result<(), LayerError> {
        let [Piece::Member { index, content: part, padding, .. }] = &made.job.plan.pieces[..] else { return Ok(()) };
        let Member { path, entry } = &self.members[*index];
        let EntryKind::File(content @ Content::File { size, .. }) = &entry.kind else { return Ok(()) };
        if *part == (0..*size) || !content::wants_hashing(content) {
            return Ok(());
        }
        let end = made.raw.len() - *padding as usize;
        self.large_file.update(&made.raw[end - (part.end - part.start) as usize..end]);
        if part.end == *size {
            let found = std::mem::take(&mut self.large_file).finish();
            content::verify(content, found).map_err(|source| LayerError::content(path, source))?;
        }
        Ok(())
    }

    /// What came of all chunks.
    pub fn finish(self) -> Result<LayerBytes, LayerError> {
        let out = match self.output {
            Output::Chunks(out) => out,
            Output::Stream(encoder) => encoder.finish()?,
        };
        Ok(LayerBytes {
            diff_id: DiffId(self.diff_id.finish()),
            uncompressed_size: self.uncompressed_size,
            digest: out.hasher.finish(),
            size: out.count,
            chunks: self.chunks,
            borders: self.borders,
        })
    }
}

/// Counts and hashes what goes through.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    count: u64,
    hasher: Hasher,
}

impl Hashing<'_> {
    /// Bytes that the hasher has seen.
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.count += bytes.len() as u64;
        Ok(())
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
