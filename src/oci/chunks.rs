//! Where a layer's chunks end: members' paths and sizes in, runs of pieces out.
//!
//! Borders depend on paths and sizes only, never on content and never on what came before the last border, so that adding,
//! removing or editing one file moves no border but its own. Knows nothing of headers, compression or files of the host.

use std::ops::Range;

use crate::oci::tar_write::padding;

/// What this way of cutting is called in a compression's identity; changes whenever the borders would.
pub const FORMAT: &str = "v1";

/// Expected bytes between two borders: an edit recompresses about this much, and costs 0.2 % in size.
pub const TARGET: u64 = 256 << 10;
/// No chunk has more content: what is in memory at once stays bounded, and large files compress in parallel.
pub const MAX: u64 = 4 << 20;
/// A file of at least this size is a run of chunks of its own.
pub const LARGE: u64 = 1 << 20;

/// What one member takes in the tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent<'p> {
    /// Its path, without a leading slash.
    pub path: &'p [u8],
    /// Length of its header in bytes.
    pub header: u64,
    /// Length of its content in bytes, without padding.
    pub content: u64,
}

impl Extent<'_> {
    fn size(&self) -> u64 {
        self.header + self.content + padding(self.content)
    }

    /// The larger a member, the likelier it ends a chunk: borders come at even distances whatever the sizes are.
    fn ends_chunk(&self) -> bool {
        let hash = blake3::hash(self.path);
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(number) % TARGET < self.size()
    }
}

/// A run of tar bytes that is compressed as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// What stands in it, in order.
    pub pieces: Vec<Piece>,
    /// Length of all pieces in bytes.
    pub length: u64,
}

/// A part of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A member, or a part of a large file.
    Member {
        /// Which of the extents.
        index: usize,
        /// Whether its header stands in front: not for the later parts of a large file.
        header: bool,
        /// Which bytes of its content.
        content: Range<u64>,
        /// Zero bytes behind the content: only where the content ends.
        padding: u64,
    },
    /// The archive's end.
    End {
        /// Its length in bytes.
        length: u64,
    },
}

/// Cuts a tar of these members, ended by `end` bytes, into chunks.
pub fn cut(extents: &[Extent<'_>], end: u64) -> Vec<Chunk> {
    let mut cutter = Cutter::default();
    for (index, extent) in extents.iter().enumerate() {
        if extent.content >= LARGE {
            cutter.large(index, extent);
        } else {
            cutter.small(index, extent);
        }
    }
    cutter.push(Piece::End { length: end }, end);
    cutter.close();
    cutter.chunks
}

#[derive(Default)]
struct Cutter {
    chunks: Vec<Chunk>,
    open: Chunk,
}

impl Cutter {
    fn small(&mut self, index: usize, extent: &Extent<'_>) {
        // A forced border shifts with whatever stands before it, but only as far as the next border by hash.
        if self.open.length + extent.size() > MAX {
            self.close();
        }
        let content = 0..extent.content;
        self.push(Piece::Member { index, header: true, content, padding: padding(extent.content) }, extent.size());
        if extent.ends_chunk() {
            self.close();
        }
    }

    fn large(&mut self, index: usize, extent: &Extent<'_>) {
        self.close();
        for start in (0..extent.content).step_by(MAX as usize) {
            let content = start..extent.content.min(start + MAX);
            let header = if start == 0 { extent.header } else { 0 };
            let padding = if content.end == extent.content { padding(extent.content) } else { 0 };
            let length = header + (content.end - content.start) + padding;
            self.push(Piece::Member { index, header: start == 0, content, padding }, length);
            self.close();
        }
    }

    fn push(&mut self, piece: Piece, length: u64) {
        self.open.pieces.push(piece);
        self.open.length += length;
    }

    fn close(&mut self) {
        if !self.open.pieces.is_empty() {
            self.chunks.push(std::mem::take(&mut self.open));
        }
    }
}
