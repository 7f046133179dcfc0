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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    type Files = BTreeMap<String, u64>;

    fn chunks(files: &Files) -> Vec<Chunk> {
        let extent = |(path, content): (&String, &u64)| (path.clone(), *content);
        let files: Vec<_> = files.iter().map(extent).collect();
        let extents: Vec<_> = files.iter().map(|(path, content)| extent_of(path, *content)).collect();
        cut(&extents, 1024)
    }

    fn extent_of(path: &str, content: u64) -> Extent<'_> {
        Extent { path: path.as_bytes(), header: 512, content }
    }

    /// What each chunk holds, as what it would be remembered by if contents never changed.
    fn contents(files: &Files) -> Vec<String> {
        let files_in_order: Vec<_> = files.iter().collect();
        let name = |piece: &Piece| match piece {
            Piece::End { .. } => "end".to_owned(),
            Piece::Member { index, content, .. } => format!("{:?} {content:?}", files_in_order[*index]),
        };
        chunks(files).iter().map(|chunk| chunk.pieces.iter().map(name).collect::<Vec<_>>().join(",")).collect()
    }

    fn anew(before: &Files, after: &Files) -> usize {
        let before: HashSet<_> = contents(before).into_iter().collect();
        contents(after).iter().filter(|chunk| !before.contains(*chunk)).count()
    }

    /// Some hundred small files, so that there are many chunks and no forced border.
    fn small_files() -> impl Strategy<Value = Files> {
        prop::collection::btree_map("[a-z]{1,3}/[a-z]{4}", 0u64..40_000, 1..400)
    }

    /// Every size that a border can come from, the forced one included.
    fn any_files() -> impl Strategy<Value = Files> {
        let size = prop_oneof![0u64..2_000, 300_000u64..LARGE, LARGE - 1..=LARGE, LARGE..3 * MAX];
        prop::collection::btree_map("[a-z]{1,3}/[a-z]{4}", size, 0..60)
    }

    proptest! {
        #[test]
        fn all_bytes_stand_in_chunks_once_and_in_order(files in any_files()) {
            let mut pieces = chunks(&files).into_iter().flat_map(|chunk| chunk.pieces);
            for (index, (path, size)) in files.iter().enumerate() {
                let mut at = 0;
                loop {
                    let piece = pieces.next().unwrap();
                    let Piece::Member { index: found, header, content, padding: zeros } = piece else { panic!("{path}") };
                    prop_assert_eq!((found, header, content.start), (index, at == 0, at));
                    at = content.end;
                    prop_assert_eq!(zeros, if at == *size { padding(*size) } else { 0 });
                    if at == *size {
                        break;
                    }
                }
            }
            prop_assert_eq!(pieces.next(), Some(Piece::End { length: 1024 }));
            prop_assert_eq!(pieces.next(), None);
        }

        #[test]
        fn lengths_add_up_and_none_is_too_long(files in any_files()) {
            let chunks = chunks(&files);
            let tar: u64 = files.iter().map(|(path, size)| extent_of(path, *size).size()).sum();
            prop_assert_eq!(chunks.iter().map(|chunk| chunk.length).sum::<u64>(), tar + 1024);
            prop_assert!(chunks.iter().all(|chunk| chunk.length <= MAX + 2 * 512 + 1024));
        }

        #[test]
        fn an_edit_that_keeps_the_size_moves_no_border(files in any_files()) {
            // Borders see no content at all: the same paths and sizes give the same plan.
            prop_assert_eq!(chunks(&files), chunks(&files.clone()));
        }

        #[test]
        fn adding_removing_or_resizing_one_file_changes_the_chunks_around_it_only(
            files in small_files(), which in any::<prop::sample::Index>(), size in 0u64..40_000,
        ) {
            let path = files.keys().nth(which.index(files.len())).unwrap().clone();
            let mut without = files.clone();
            without.remove(&path);
            let mut resized = files.clone();
            resized.insert(path, size);
            for (before, after) in [(&files, &without), (&without, &files), (&files, &resized)] {
                // Two: a border of its own may go or come with the file.
                prop_assert!(anew(before, after) <= 2);
            }
        }

        #[test]
        fn a_large_files_cuts_do_not_depend_on_what_stands_before_it(before in 0u64..40_000, size in LARGE..20 * MAX) {
            let files = Files::from([("a".to_owned(), before), ("b".to_owned(), size)]);
            let lone = Files::from([("b".to_owned(), size)]);
            prop_assert!(anew(&lone, &files) <= 1);
        }
    }

    #[test]
    fn chunks_of_many_small_files_are_about_as_long_as_meant() {
        let files: Files = (0..4_000).map(|number| (format!("app/file-{number}"), 10_000)).collect();
        let count = chunks(&files).len() as u64;
        let expected = 4_000 * (512 + 10_240) / TARGET;
        assert!((expected / 2..expected * 2).contains(&count), "{count}, expected {expected}");
    }

    /// The borders are part of layers' bytes: whoever moves them gives [`FORMAT`] another name.
    #[test]
    fn borders_stay_where_they_are() {
        let files: Files = (0..200).map(|number| (format!("app/file-{number}"), 10_000)).collect();
        let counts: Vec<_> = chunks(&files).iter().map(|chunk| chunk.pieces.len()).collect();
        assert_eq!(counts, [8, 13, 14, 21, 45, 3, 3, 53, 4, 3, 34]);
    }
}
