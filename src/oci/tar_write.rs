//! A tree's entries as tar: which members in which order, and the header bytes of each.
//!
//! Pure: takes values, gives bytes, reads no file. Headers come from our model only, so that nothing of the host enters.
//! POSIX ustar with PAX extended headers where ustar has no room (POSIX.1-2017, pax, "ustar Interchange Format"). Names are
//! bytes: where they fit they stand in ustar whatever they are, which every reader takes unchanged.
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
    let path = split_name(&name).is_none().then_some(&*name);
    let link = link_text(&entry.kind).filter(|link| link.len() > 100);
    if [path, link].into_iter().flatten().any(|text| !text.is_ascii()) {
        // Bytes as they are: bsdtar would compose decomposed characters, and fails on what is no UTF-8. GNU tar says that it
        // doesn't know the record, and takes the bytes all the same.
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Command;
    use std::sync::Arc;

    use super::*;
    use crate::oci::tree::Content;

    fn path(bytes: impl AsRef<[u8]>) -> LayerPath {
        LayerPath::new(bytes).unwrap()
    }

    fn entry(mode: u32, kind: EntryKind) -> Entry {
        Entry { mode, kind, implied: false, ..Entry::implied_directory(1) }
    }

    fn file(text: &str) -> EntryKind {
        EntryKind::File(Content::Bytes(Arc::from(text.as_bytes())))
    }

    fn add(tree: &mut Tree, name: impl AsRef<[u8]>, entry: Entry) {
        let path = path(name);
        tree.imply_parents(&path, 1).unwrap();
        tree.entries.insert(path, entry);
    }

    /// The tar of a tree whose contents are in memory.
    fn tar(tree: &Tree) -> Vec<u8> {
        let mut tar = Vec::new();
        for Member { path, entry } in members(tree).unwrap() {
            tar.extend(header(path, &entry));
            assert_eq!(tar.len() % 512, 0);
            if let EntryKind::File(Content::Bytes(bytes)) = &entry.kind {
                tar.extend_from_slice(bytes);
                tar.resize(tar.len() + padding(bytes.len() as u64) as usize, 0);
            }
        }
        [tar, END.to_vec()].concat()
    }

    /// Names of 101, 256 and 4,000 bytes, both Unicode forms, all types, all special bits.
    fn edge_cases() -> Tree {
        let mut tree = Tree::default();
        let long = |letter, length| (0..length).map(|at| if at % 90 == 89 { '/' } else { letter }).collect::<String>();
        for name in ["a".repeat(100), "b".repeat(101), long('c', 200), long('d', 256), long('e', 4000), long('f', 101)]
        {
            add(&mut tree, name, entry(0o644, file("content")));
        }
        add(&mut tree, "nfc-\u{e9}", entry(0o644, file("composed")));
        add(&mut tree, "nfd-e\u{301}", entry(0o644, file("decomposed")));
        add(&mut tree, "e\u{301}".repeat(80), entry(0o644, file("long and decomposed")));
        add(&mut tree, "special/setuid", entry(0o4755, file("")));
        add(&mut tree, "special/sticky", entry(0o1777, EntryKind::Directory));
        add(
            &mut tree,
            "special/owner",
            Entry { uid: 3_000_000, gid: u64::from(u32::MAX) - 1, ..entry(0o600, file("x")) },
        );
        add(&mut tree, "special/symlink", entry(0o600, EntryKind::Symlink("\u{e9}/".repeat(60).into_bytes())));
        add(&mut tree, "special/a-link", entry(0o644, EntryKind::HardLink(path("special/setuid"))));
        add(&mut tree, "special/z-link", entry(0o644, EntryKind::HardLink(path("special/a-link"))));
        add(&mut tree, "special/fifo", entry(0o644, EntryKind::Fifo));
        add(&mut tree, "special/null", entry(0o666, EntryKind::CharDevice { major: 1, minor: 3 }));
        add(&mut tree, "special/disk", entry(0o660, EntryKind::BlockDevice { major: 8, minor: 1 }));
        let xattrs = [("user.note".to_owned(), b"line\nline\x00\xff".to_vec())].into();
        add(&mut tree, "special/xattr", Entry { xattrs, ..entry(0o644, file("x")) });
        tree
    }

    /// Names that are no text. Apart, because tools show them in ways of their own.
    fn raw_names() -> Tree {
        let mut tree = Tree::default();
        add(&mut tree, b"raw-\xff", entry(0o644, file("short")));
        add(&mut tree, [&[0xfe; 200][..], b"/x"].concat(), entry(0o644, file("long")));
        tree
    }

    #[test]
    fn the_tar_crate_reads_what_is_written() {
        for tree in [edge_cases(), raw_names()] {
            let tar = tar(&tree);
            let mut archive = tar::Archive::new(&tar[..]);
            let mut members = members(&tree).unwrap().into_iter();
            for found in archive.entries().unwrap() {
                let (mut found, Member { path, entry }) = (found.unwrap(), members.next().unwrap());
                assert_eq!(found.path_bytes(), member_name(path, &entry));
                let header = found.header();
                assert_eq!(header.entry_type().as_byte(), type_flag(&entry.kind));
                assert_eq!(header.mode().unwrap(), mode(&entry));
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (entry.uid, entry.gid));
                assert_eq!(header.mtime().unwrap(), 1);
                assert_eq!(found.link_name_bytes().as_deref(), link_text(&entry.kind));
                let mut content = Vec::new();
                found.read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, content_size(&entry));
            }
            assert!(members.next().is_none());
        }
    }

    #[test]
    fn plain_entries_need_no_extended_header() {
        for name in ["a".repeat(100), format!("{}/{}", "p".repeat(155), "n".repeat(100)), "usr/bin/x".to_owned()] {
            let plain = header(&path(&name), &entry(0o755, file("x")));
            assert_eq!(plain.len(), 512, "{name}");
        }
        let directory = format!("{}/{}", "p".repeat(155), "n".repeat(99));
        assert_eq!(header(&path(&directory), &entry(0o755, EntryKind::Directory)).len(), 512);
        assert_eq!(header(&path(format!("{directory}n")), &entry(0o755, EntryKind::Directory)).len(), 1536);
    }

    #[test]
    fn the_length_is_known_without_making_the_header() {
        for tree in [edge_cases(), raw_names()] {
            for (path, entry) in &tree.entries {
                assert_eq!(header_len(path, entry), header(path, entry).len() as u64, "{path}");
            }
        }
    }

    #[test]
    fn sizes_over_8_gib_and_owners_over_21_bits_stand_in_pax() {
        let content = |size| EntryKind::File(Content::Range { path: "/nowhere".into(), offset: 0, size });
        for (size, uid) in [(MAX_11_DIGITS, MAX_7_DIGITS), (MAX_11_DIGITS + 1, MAX_7_DIGITS + 1), (1 << 62, 1 << 40)] {
            let header = header(&path("huge"), &Entry { uid, ..entry(0o644, content(size)) });
            assert_eq!(header.len() > 512, size > MAX_11_DIGITS);
            let mut archive = tar::Archive::new(&header[..]);
            let found = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!((found.size(), found.header().uid().unwrap()), (size, uid));
        }
    }

    #[test]
    fn a_records_length_counts_its_own_digits() {
        for length in [1, 80, 88, 89, 90, 91, 92, 980, 990, 991, 9_990] {
            let mut records = Records::default();
            records.add(b"key", &vec![b'v'; length]);
            let text = String::from_utf8(records.0.clone()).unwrap();
            assert_eq!(text.split(' ').next().unwrap().parse(), Ok(records.0.len()), "{length}");
        }
    }

    #[test]
    fn the_first_name_of_a_file_carries_its_content_and_the_others_its_mode() {
        let tree = edge_cases();
        let members = members(&tree).unwrap();
        let find = |name| &members.iter().find(|member| *member.path == path(name)).unwrap().entry;
        assert!(matches!(find("special/a-link").kind, EntryKind::File(_)));
        for name in ["special/setuid", "special/z-link"] {
            assert_eq!(find(name).kind, EntryKind::HardLink(path("special/a-link")));
            assert_eq!(find(name).mode, 0o4755);
        }
    }

    #[test]
    fn hard_links_to_nothing_to_a_directory_and_in_circles_are_errors() {
        for target in ["missing", "directory", "link"] {
            let mut tree = Tree::default();
            add(&mut tree, "directory", entry(0o755, EntryKind::Directory));
            add(&mut tree, "link", entry(0o644, EntryKind::HardLink(path(target))));
            let error = members(&tree).unwrap_err();
            assert_eq!(error, BadHardLink { path: path("link"), target: path(target) });
        }
    }

    /// Runs a reader of other people on an archive: what it prints. `None`, said aloud, where there is no such program;
    /// in CI all are there.
    fn ask(program: &str, arguments: &[&str], tree: &Tree) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("layer.tar");
        std::fs::write(&archive, tar(tree)).unwrap();
        let output = Command::new(program).args(arguments).arg(&archive).env("LC_ALL", "C.UTF-8").output();
        let Ok(output) = output else {
            assert!(std::env::var_os("CI").is_none(), "{program} is missing");
            println!("SKIPPED: {program} is missing, so it was not asked");
            return None;
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        // GNU tar tells of the record that bsdtar needs.
        let fine = errors.lines().all(|line| line.ends_with("keyword 'hdrcharset'"));
        assert!(output.status.success() && fine, "{program}: {errors}");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    fn names(tree: &Tree) -> Vec<String> {
        let name = |(path, entry)| String::from_utf8_lossy(&member_name(path, entry)).into_owned();
        tree.entries.iter().map(name).collect()
    }

    #[test]
    fn gnu_tar_and_bsdtar_list_the_same_names() {
        let tree = edge_cases();
        for (program, arguments) in [("tar", &["--quoting-style=literal", "-tf"][..]), ("bsdtar", &["-tf"][..])] {
            if let Some(listed) = ask(program, arguments, &tree) {
                for (listed, name) in listed.lines().zip(names(&tree)) {
                    assert_eq!(listed, name, "{program}");
                }
                assert_eq!(listed.lines().count(), tree.entries.len(), "{program}");
            }
            ask(program, &["-tf"], &raw_names());
        }
    }

    #[test]
    fn gnu_tar_sees_modes_owners_and_link_targets() {
        let Some(listed) = ask("tar", &["--numeric-owner", "-tvf"], &edge_cases()) else { return };
        for expected in
            ["drwxrwxrwt 0/0", "-rwsr-xr-x 0/0", "3000000/4294967294", "crw-rw-rw- 0/0", "link to special/a-link"]
        {
            assert!(listed.contains(expected), "{expected} in {listed}");
        }
    }

    #[test]
    fn python_reads_names_types_owners_xattrs_and_content() {
        const SCRIPT: &str = "
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    xattr = m.pax_headers.get('SCHILY.xattr.user.note', '')
    size = len(tarfile.open(sys.argv[1]).extractfile(m).read()) if m.isreg() else 0
    print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.mtime, size, len(xattr))
";
        let tree = edge_cases();
        let Some(listed) = ask("python3", &["-c", SCRIPT], &tree) else { return };
        let line = |Member { path, entry }: &Member<'_>| {
            let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
            let (flag, size) = (char::from(type_flag(&entry.kind)), content_size(entry));
            let xattr = entry.xattrs.values().map(Vec::len).sum::<usize>();
            format!("{name} {flag} 0o{:o} {} {} 1 {size} {xattr}", mode(entry), entry.uid, entry.gid)
        };
        assert_eq!(listed.lines().collect::<Vec<_>>(), members(&tree).unwrap().iter().map(line).collect::<Vec<_>>());
    }
}
