//! A tree's entries as tar: which members in which order, and the header bytes of each.
//!
//! Pure: takes values, gives bytes, reads no file. Headers come from our model only, so that nothing of the host enters.
//! POSIX ustar with PAX extended headers where ustar has no room (POSIX.1-2017, pax, "ustar Interchange Format").
//! Doesn't know compression or where chunks end.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::layer_path::LayerPath;
use crate::oci::tree::{Entry, EntryKind, Tree};

/// What these bytes are called in an action key; changes whenever the same tree would give other bytes.
pub const FORMAT: &str = "tar-v1";

/// Headers and contents stand in blocks of this many bytes.
pub const BLOCK: u64 = 512;

/// The end of an archive: two zero blocks. Not padded to tape's 10 KiB records: no reader asks for it.
pub const END: [u8; 1024] = [0; 1024];

/// Largest value of the 11 octal digits of `size` and `mtime`.
const MAX_11_DIGITS: u64 = 0o777_7777_7777;
/// Largest value of the 7 octal digits of `uid`, `gid` and the device numbers.
const MAX_7_DIGITS: u64 = 0o777_7777;

/// One member of the archive: a tree's entry, with hard links put into an order that can be extracted.
#[derive(Debug, Clone)]
pub struct Member<'t> {
    /// Where it stands.
    pub path: &'t LayerPath,
    /// What stands there.
    pub entry: Cow<'t, Entry>,
}

/// A hard link that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hard link `{path}` leads to `{target}`, which is not a file of this layer")]
pub struct BadHardLink {
    /// The link.
    pub path: LayerPath,
    /// What it names.
    pub target: LayerPath,
}

/// The tree's members in the order of their bytes.
///
/// All names of one file are equal to the file system, but an archive has the content with the name that it meets first:
/// whichever name sorts first carries the content here, and the others link to it with the file's own mode and owner.
pub fn members(tree: &Tree) -> Result<Vec<Member<'_>>, BadHardLink> {
    let mut relinked = relink(tree)?;
    let member = |(path, entry)| Member { path, entry: relinked.remove(path).map_or(Cow::Borrowed(entry), Cow::Owned) };
    Ok(tree.entries.iter().map(member).collect())
}

/// The entries of all files with several names, rewritten so that the first name holds the content.
fn relink(tree: &Tree) -> Result<BTreeMap<&LayerPath, Entry>, BadHardLink> {
    let mut names: BTreeMap<&LayerPath, Vec<&LayerPath>> = BTreeMap::new();
    for (path, entry) in &tree.entries {
        if let EntryKind::HardLink(target) = &entry.kind {
            names.entry(link_target(tree, path, target)?).or_default().push(path);
        }
    }
    let mut relinked = BTreeMap::new();
    for (target, mut paths) in names {
        paths.push(target);
        paths.sort_unstable();
        let file = &tree.entries[target];
        let link = Entry { kind: EntryKind::HardLink(paths[0].clone()), xattrs: BTreeMap::new(), ..file.clone() };
        relinked.extend(paths[1..].iter().map(|path| (*path, link.clone())));
        relinked.insert(paths[0], file.clone());
    }
    Ok(relinked)
}

/// Follows a chain of hard links to the entry with the content; a circle is an error too.
fn link_target<'t>(tree: &'t Tree, path: &LayerPath, first: &LayerPath) -> Result<&'t LayerPath, BadHardLink> {
    let bad = || BadHardLink { path: path.clone(), target: first.clone() };
    let mut target = first;
    for _ in 0..=tree.entries.len() {
        let (found, entry) = tree.entries.get_key_value(target).ok_or_else(bad)?;
        match &entry.kind {
            EntryKind::HardLink(next) => target = next,
            EntryKind::Directory => break,
            _ => return Ok(found),
        }
    }
    Err(bad())
}

/// Content bytes that follow the header: of a regular file its size, of anything else none.
pub fn content_size(entry: &Entry) -> u64 {
    match &entry.kind {
        EntryKind::File(content) => content.size(),
        _ => 0,
    }
}

/// Zero bytes that fill up the last block of a content of this size.
pub fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK
}

/// The header of one member, with its PAX extended header in front if it needs one.
///
/// Mode is cut to its 12 bits and is 0777 for symlinks. An xattr's name must not contain `=` (PAX has no way to write it).
pub fn header(path: &LayerPath, entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK as usize);
    append_header(&mut bytes, path, entry);
    bytes
}

/// Length of [`header`] in bytes.
pub fn header_len(path: &LayerPath, entry: &Entry) -> u64 {
    match pax_records(path, entry).0.len() as u64 {
        0 => BLOCK,
        records => BLOCK + records + padding(records) + BLOCK,
    }
}

/// Writes [`header`] behind what `out` holds.
pub fn append_header(out: &mut Vec<u8>, path: &LayerPath, entry: &Entry) {
    let records = pax_records(path, entry).0;
    if !records.is_empty() {
        let mut block = Block::new(b'x', &pax_name(path), b"");
        block.numbers(0o644, 0, 0, records.len() as u64, entry.mtime);
        out.extend_from_slice(&block.finish());
        out.extend_from_slice(&records);
        out.resize(out.len() + padding(records.len() as u64) as usize, 0);
    }
    out.extend_from_slice(&ustar(path, entry));
}

fn ustar(path: &LayerPath, entry: &Entry) -> [u8; BLOCK as usize] {
    let name = member_name(path, entry);
    let (prefix, name) = split_name(&name).unwrap_or((b"", &name));
    let mut block = Block::new(type_flag(&entry.kind), name, prefix);
    block.numbers(u64::from(mode(entry)), entry.uid, entry.gid, content_size(entry), entry.mtime);
    match &entry.kind {
        EntryKind::Symlink(target) => block.text(157, 100, target),
        EntryKind::HardLink(target) => block.text(157, 100, target.as_bytes()),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            block.octal(329, 8, fit(u64::from(*major), MAX_7_DIGITS));
            block.octal(337, 8, fit(u64::from(*minor), MAX_7_DIGITS));
        }
        _ => {}
    }
    block.finish()
}

fn type_flag(kind: &EntryKind) -> u8 {
    match kind {
        EntryKind::File(_) => b'0',
        EntryKind::HardLink(_) => b'1',
        EntryKind::Symlink(_) => b'2',
        EntryKind::CharDevice { .. } => b'3',
        EntryKind::BlockDevice { .. } => b'4',
        EntryKind::Directory => b'5',
        EntryKind::Fifo => b'6',
    }
}

/// The mode as it is written: a symlink's own means nothing, and hosts differ in what they report.
pub fn mode(entry: &Entry) -> u32 {
    match entry.kind {
        EntryKind::Symlink(_) => 0o777,
        _ => entry.mode & 0o7777,
    }
}

/// The name as archives have it: no leading slash, directories end in one.
fn member_name<'p>(path: &'p LayerPath, entry: &Entry) -> Cow<'p, [u8]> {
    match entry.kind {
        EntryKind::Directory => Cow::Owned([path.as_bytes(), b"/"].concat()),
        _ => Cow::Borrowed(path.as_bytes()),
    }
}

/// Prefix and name as ustar holds them, cut at the first slash that leaves a name of at most 100 bytes.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    let from = name.len() - 101;
    let cut = from + name[from..name.len() - 1].iter().position(|byte| *byte == b'/')?;
    (1..=155).contains(&cut).then(|| (&name[..cut], &name[cut + 1..]))
}

/// PAX records: `length key=value\n`, the length counting itself.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + digits(length) {
            length = rest + digits(length);
        }
        self.0.extend_from_slice(length.to_string().as_bytes());
        for part in [b" ", key, b"=", value, b"\n"] {
            self.0.extend_from_slice(part);
        }
    }

    fn add_above(&mut self, key: &str, value: u64, max: u64) {
        if value > max {
            self.add(key.as_bytes(), value.to_string().as_bytes());
        }
    }
}

fn digits(number: usize) -> usize {
    number.max(1).ilog10() as usize + 1
}

/// What ustar can't say of this entry; empty for most.
fn pax_records(path: &LayerPath, entry: &Entry) -> Records {
    let mut records = Records::default();
    let name = member_name(path, entry);
    let path = (split_name(&name).is_none() || foreign(&name)).then_some(&*name);
    let link = link_text(&entry.kind).filter(|link| link.len() > 100 || foreign(link));
    if [path, link].into_iter().flatten().any(|text| std::str::from_utf8(text).is_err()) {
        records.add(b"hdrcharset", b"BINARY");
    }
    for (key, text) in [("path", path), ("linkpath", link)] {
        if let Some(text) = text {
            records.add(key.as_bytes(), text);
        }
    }
    number_records(&mut records, entry);
    for (name, value) in &entry.xattrs {
        records.add(&[b"SCHILY.xattr.", name.as_bytes()].concat(), value);
    }
    records
}

fn number_records(records: &mut Records, entry: &Entry) {
    records.add_above("size", content_size(entry), MAX_11_DIGITS);
    records.add_above("uid", entry.uid, MAX_7_DIGITS);
    records.add_above("gid", entry.gid, MAX_7_DIGITS);
    records.add_above("mtime", entry.mtime, MAX_11_DIGITS);
    if let EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } = &entry.kind {
        records.add_above("SCHILY.devmajor", u64::from(*major), MAX_7_DIGITS);
        records.add_above("SCHILY.devminor", u64::from(*minor), MAX_7_DIGITS);
    }
}

fn link_text(kind: &EntryKind) -> Option<&[u8]> {
    match kind {
        EntryKind::Symlink(target) => Some(target),
        EntryKind::HardLink(target) => Some(target.as_bytes()),
        _ => None,
    }
}

/// Text in UTF-8 beyond ASCII belongs into PAX, which says that it is UTF-8. Bytes that are no UTF-8 can't be said
/// better than as they are, and all readers take them so from ustar.
fn foreign(text: &[u8]) -> bool {
    !text.is_ascii() && std::str::from_utf8(text).is_ok()
}

/// The extended header's own name, which no reader keeps: the member's last component, as ASCII.
fn pax_name(path: &LayerPath) -> Vec<u8> {
    let ascii = |byte: &u8| if byte.is_ascii_graphic() { *byte } else { b'_' };
    b"PaxHeaders/".iter().copied().chain(path.file_name().iter().map(ascii)).take(100).collect()
}

/// A value that ustar has no room for stands in PAX; its field is zero.
fn fit(value: u64, max: u64) -> u64 {
    if value > max { 0 } else { value }
}

/// A ustar header block while it is filled.
struct Block([u8; BLOCK as usize]);

impl Block {
    fn new(type_flag: u8, name: &[u8], prefix: &[u8]) -> Block {
        let mut block = Block([0; BLOCK as usize]);
        block.text(0, 100, name);
        block.0[156] = type_flag;
        block.text(257, 8, b"ustar\x0000");
        block.octal(329, 8, 0);
        block.octal(337, 8, 0);
        block.text(345, 155, prefix);
        block
    }

    fn numbers(&mut self, mode: u64, uid: u64, gid: u64, size: u64, mtime: u64) {
        self.octal(100, 8, mode);
        self.octal(108, 8, fit(uid, MAX_7_DIGITS));
        self.octal(116, 8, fit(gid, MAX_7_DIGITS));
        self.octal(124, 12, fit(size, MAX_11_DIGITS));
        self.octal(136, 12, fit(mtime, MAX_11_DIGITS));
    }

    /// As much of the text as there is room for: the whole text is in PAX then.
    fn text(&mut self, at: usize, width: usize, text: &[u8]) {
        let length = text.len().min(width);
        self.0[at..at + length].copy_from_slice(&text[..length]);
    }

    /// Octal digits with leading zeros and a NUL.
    fn octal(&mut self, at: usize, width: usize, mut value: u64) {
        for digit in self.0[at..at + width - 1].iter_mut().rev() {
            *digit = b'0' + (value & 7) as u8;
            value >>= 3;
        }
        self.0[at + width - 1] = 0;
    }

    /// The checksum counts its own field as spaces, and ends in NUL and a space.
    fn finish(mut self) -> [u8; BLOCK as usize] {
        self.0[148..156].fill(b' ');
        let sum = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.octal(148, 7, sum);
        self.0
    }
}
