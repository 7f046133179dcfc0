//! Where a piece of text stands: a file and a byte range in it.
//!
//! Knows nothing of TOML; whoever parses hands these out.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

/// A file of [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from a parser's byte range.
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: clamp(range.start), end: clamp(range.end) }
    }

    /// The byte range.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A text that spans point into.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the workspace's root.
    pub path: Utf8PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    /// Where its lines begin, in bytes; found when a place is first asked for.
    lines: OnceLock<Vec<usize>>,
}

/// All texts that spans of one load point into.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Takes in a text; spans name it by the id given back.
    pub fn add(&mut self, path: Utf8PathBuf, text: Arc<str>) -> FileId {
        self.files.push(SourceFile { path, text, lines: OnceLock::new() });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// How many there are; the next has this number as its id.
    pub fn len(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }

    /// Says of all files from the one with this number on that their paths are relative to a folder.
    pub fn put_under(&mut self, folder: &Utf8Path, first: u32) {
        self.files.iter_mut().skip(first as usize).for_each(|file| file.path = folder.join(&file.path));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file of an id that [`Sources::add`] gave.
    pub fn get(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// `path:line:column` of a span's start; line and column count from one, the column in characters.
    pub fn place(&self, span: Span) -> String {
        let file = self.get(span.file);
        let start = (span.start as usize).min(file.text.len());
        let begins = || std::iter::once(0).chain(file.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let lines: &Vec<usize> = file.lines.get_or_init(begins);
        let line = lines.partition_point(|begin| *begin <= start);
        let column = file.text[lines[line - 1]..start].chars().count() + 1;
        format!("{}:{line}:{column}", file.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let text = "ä = 1\n\nxä😀y\n";
        let file = sources.add("p/layers.toml".into(), text.into());
        let place = |at: usize| sources.place(Span::new(file, at..at));
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len(), text.len() + 9]);
        let expected =
            ["1:1", "1:2", "1:3", "1:4", "1:5", "1:6", "2:1", "3:1", "3:2", "3:3", "3:4", "3:5", "4:1", "4:1"];
        let found: Vec<String> = starts.map(place).collect();
        assert_eq!(found, expected.map(|place| format!("p/layers.toml:{place}")));
    }
}
