//! What a layer holds, without content: made of a tree, kept as text, read back.
//!
//! One line an entry: type (`*` behind it: implied), mode, uid, gid, size, path and, of links, target. Bytes that would end a field
//! or are no UTF-8 are written `\xHH`. Knows nothing of the store, and nothing of other layers: see [`super::overlay`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use crate::layer_path::LayerPath;
use crate::oci::tar_write::{self, BadHardLink, Member};
use crate::oci::tree::{EntryKind, Kind, Tree};

/// The first line of a listing's text.
const HEADING: &str = "listing 1";

/// What a layer holds, sorted by the bytes of its paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    entries: Vec<Listed>,
}

/// One entry, without content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub path: LayerPath,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky; of a symlink 0777.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Content length in bytes; zero for all but files.
    pub size: u64,
    /// What a symlink names as written, a hard link without a leading slash; empty for others.
    pub target: Vec<u8>,
    /// A directory that nobody asked for by name.
    pub implied: bool,
}

/// Text that is no listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// Of another version, or something else altogether.
    #[error("it does not begin with `{HEADING}`")]
    Heading,
    /// A line that can't be read.
    #[error("line {0} is malformed")]
    Line(usize),
    /// A line that stands before the one above it, or names the same path.
    #[error("line {0} is out of order")]
    Order(usize),
}

impl Listing {
    /// What the layer of this tree holds, hard links as they are written.
    pub fn of(tree: &Tree) -> Result<Listing, BadHardLink> {
        Ok(Listing { entries: tar_write::members(tree)?.iter().map(listed).collect() })
    }

    /// A listing of these entries, in any order; of two for one path, the later counts.
    pub fn of_entries(entries: impl IntoIterator<Item = Listed>) -> Listing {
        let by_path: BTreeMap<LayerPath, Listed> =
            entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        Listing { entries: by_path.into_values().collect() }
    }

    /// All entries, sorted by the bytes of their paths.
    pub fn entries(&self) -> &[Listed] {
        &self.entries
    }

    /// What stands at a path.
    pub fn get(&self, path: &LayerPath) -> Option<&Listed> {
        self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok().map(|at| &self.entries[at])
    }

    /// Its text: the same for the same listing.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\n");
        for entry in &self.entries {
            entry.write_to(&mut text);
        }
        text
    }

    /// Reads back what [`Listing::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Listing, ListingError> {
        let mut lines = text.split_terminator('\n').enumerate();
        lines.next().filter(|(_, line)| *line == HEADING).ok_or(ListingError::Heading)?;
        let mut entries: Vec<Listed> = Vec::with_capacity(text.len() / 48);
        for (number, line) in lines {
            let entry = Listed::parse(line).ok_or(ListingError::Line(number + 1))?;
            if entries.last().is_some_and(|last| last.path >= entry.path) {
                return Err(ListingError::Order(number + 1));
            }
            entries.push(entry);
        }
        Ok(Listing { entries })
    }
}

fn listed(Member { path, entry }: &Member<'_>) -> Listed {
    let target = match &entry.kind {
        EntryKind::Symlink(target) => target.clone(),
        EntryKind::HardLink(target) => target.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    Listed {
        path: (*path).clone(),
        kind: entry.kind.kind(),
        mode: tar_write::mode(entry),
        uid: entry.uid,
        gid: entry.gid,
        size: tar_write::content_size(entry),
        target,
        implied: entry.implied,
    }
}

impl Listed {
    fn write_to(&self, text: &mut String) {
        let Listed { kind, mode, uid, gid, size, .. } = self;
        let implied = if self.implied { "*" } else { "" };
        // Writing to a string can't fail.
        let _ = write!(text, "{}{implied} {mode:o} {uid} {gid} {size} ", letter(*kind));
        escape(text, self.path.as_bytes());
        if !self.target.is_empty() {
            text.push(' ');
            escape(text, &self.target);
        }
        text.push('\n');
    }

    fn parse(line: &str) -> Option<Listed> {
        let mut fields = line.split(' ');
        let mut field = || fields.next();
        let kind = field()?;
        let implied = kind.ends_with('*');
        let entry = Listed {
            kind: from_letter(kind.strip_suffix('*').unwrap_or(kind))?,
            implied,
            mode: u32::from_str_radix(field()?, 8).ok()?,
            uid: field()?.parse().ok()?,
            gid: field()?.parse().ok()?,
            size: field()?.parse().ok()?,
            path: LayerPath::new(unescape(field()?)?).ok()?,
            target: field().map_or(Some(Cow::default()), unescape)?.into_owned(),
        };
        (fields.next().is_none() && !entry.path.is_root()).then_some(entry)
    }
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Directory => 'd',
        Kind::File => 'f',
        Kind::Symlink => 'l',
        Kind::HardLink => 'h',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
    }
}

fn from_letter(letter: &str) -> Option<Kind> {
    Some(match letter {
        "d" => Kind::Directory,
        "f" => Kind::File,
        "l" => Kind::Symlink,
        "h" => Kind::HardLink,
        "c" => Kind::CharDevice,
        "b" => Kind::BlockDevice,
        "p" => Kind::Fifo,
        _ => return None,
    })
}

/// Bytes as text without spaces: what would end a field, or is no UTF-8, as `\xHH`.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    escape(&mut text, bytes);
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\0'..=' ' | '\\' | '\x7f' => escape_byte(text, character as u8),
                _ => text.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape_byte(text, *byte));
    }
}

fn escape_byte(text: &mut String, byte: u8) {
    // Writing to a string can't fail.
    let _ = write!(text, "\\x{byte:02x}");
}

/// Undoes [`escaped`]; `None` for what it never writes.
pub fn unescape(text: &str) -> Option<Cow<'_, [u8]>> {
    let mut parts = text.split('\\');
    let first = parts.next()?.as_bytes();
    if first.len() == text.len() {
        return Some(Cow::Borrowed(first));
    }
    let mut bytes = first.to_vec();
    for part in parts {
        let part = part.strip_prefix('x')?;
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::tree::{Content, Entry};

    fn path(bytes: impl AsRef<[u8]>) -> LayerPath {
        LayerPath::new(bytes).unwrap()
    }

    fn listed(bytes: &[u8], target: &[u8]) -> Listed {
        let target = target.to_vec();
        let kind = if target.is_empty() { Kind::File } else { Kind::Symlink };
        Listed { path: path(bytes), kind, mode: 0o4755, uid: 1, gid: 2, size: 3, target, implied: false }
    }

    proptest! {
        #[test]
        fn any_names_survive_the_text(names in prop::collection::btree_map("[^/\0]{1,8}", prop::collection::vec(any::<u8>(), 0..8), 0..20),
                                      raw in prop::collection::vec(0x80u8..=0xff, 1..9)) {
            let names = names.iter().filter(|(name, _)| !matches!(name.as_str(), "." | ".."));
            let mut entries: Vec<_> = names.map(|(name, target)| listed(name.as_bytes(), target)).collect();
            entries.push(listed(&raw, b" \\x41\n"));
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            entries.dedup_by(|a, b| a.path == b.path);
            let listing = Listing { entries };
            prop_assert_eq!(Listing::parse(&listing.to_text()), Ok(listing));
        }
    }

    #[test]
    fn a_tree_is_listed_as_its_layer_is_written() {
        let mut tree = Tree::default();
        let entry = |kind| Entry { mode: 0o644, kind, implied: false, ..Entry::implied_directory(0) };
        tree.entries.insert(path("a/link"), entry(EntryKind::HardLink(path("a/z"))));
        tree.entries.insert(path("a/z"), entry(EntryKind::File(Content::Bytes(b"12345".as_slice().into()))));
        tree.entries.insert(path("a/sym"), entry(EntryKind::Symlink(b"to here".to_vec())));
        tree.imply_parents(&path("a/z"), 0).unwrap();
        let text = Listing::of(&tree).unwrap().to_text();
        let expected =
            "listing 1\nd* 755 0 0 0 a\nf 644 0 0 5 a/link\nl 777 0 0 0 a/sym to\\x20here\nh 644 0 0 0 a/z a/link\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn malformed_text_is_refused_with_its_line() {
        for (text, error) in [
            ("", ListingError::Heading),
            ("listing 2\n", ListingError::Heading),
            ("listing 1\nf 644 0 0 0", ListingError::Line(2)),
            ("listing 1\nx 644 0 0 0 a", ListingError::Line(2)),
            ("listing 1\nf 648 0 0 0 a", ListingError::Line(2)),
            ("listing 1\nf 644 0 0 0 ../a", ListingError::Line(2)),
            ("listing 1\nf 644 0 0 0 a\\y41", ListingError::Line(2)),
            ("listing 1\nf 644 0 0 0 a\\xé1", ListingError::Line(2)),
            ("listing 1\nf 644 0 0 0 a b c", ListingError::Line(2)),
            ("listing 1\nf 644 0 0 0 b\nf 644 0 0 0 a", ListingError::Order(3)),
        ] {
            assert_eq!(Listing::parse(text), Err(error), "{text:?}");
        }
    }
}
