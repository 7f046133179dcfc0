//! An archive as a [`Tree`]: names normalised and judged, contents left where they are in the plain tar.
//!
//! Extracts nothing. Whatever could reach outside, or mean two things, is an error that names the member. Knows nothing of rules.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::layer_path::{LayerPath, LayerPathError};
use crate::oci::tar_members::{FormatError, Members, RawMember};
use crate::oci::tree::{Content, Entry, EntryKind, Kind, NotADirectory, Tree};
use crate::oci::unpack::{self, UnpackError};

/// How an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TarOptions {
    /// Modification time of every entry, in seconds since 1970: the archive's own are dropped.
    pub mtime: u64,
}

/// Why an archive is no layer.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Its compression can't be undone.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It can't be opened.
    #[error("can't read `{path}`")]
    Read {
        /// The archive.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no tar, or not a whole one.
    #[error("`{path}`: {source}")]
    Format {
        /// The archive, also when it was compressed.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A member can't stand in a layer.
    #[error("`{path}`: member `{member}` {problem}")]
    Member {
        /// The archive.
        path: PathBuf,
        /// The member's name as the archive has it; bytes that are no UTF-8 as U+FFFD.
        member: String,
        /// Why.
        problem: MemberError,
    },
}

/// Why a member can't stand in a layer. Reads on after its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Its name begins with `/`.
    #[error("has an absolute name")]
    Absolute,
    /// Its name holds `..` or a NUL byte.
    #[error("{}", .0.problem())]
    Name(#[from] LayerPathError),
    /// Its name is empty, or it would put something else in the root directory's place.
    #[error("has no name")]
    NoName,
    /// It stands below something that is no directory: extracted, it would land elsewhere.
    #[error("lies below `{}`, which is a {} and no directory", .0.path, .0.kind)]
    Below(#[from] NotADirectory),
    /// An earlier member of its name is something else.
    #[error("is a {later}, but an earlier member of the same name is a {earlier}")]
    TypeChange {
        /// What stood there.
        earlier: Kind,
        /// What would take its place.
        later: Kind,
    },
    /// A hard link to an absolute name, or out of the archive.
    #[error("is a hard link to `{0}`, which leads out of the archive")]
    LinkEscapes(String),
    /// A hard link to what is not there, or only later, or is a directory.
    #[error("is a hard link to `{0}`, which is no earlier file of the archive")]
    LinkMissing(String),
    /// A symlink to nothing.
    #[error("is a symlink without a target")]
    EmptyLink,
    /// A type of member that no file system has.
    #[error("is of unknown type `{0}`")]
    UnknownType(char),
}

/// Reads an archive: plain, gzip, zstd or xz.
///
/// Contents point into the archive itself if it is plain, else into `spool`, where the plain tar is written: it has to stay as long
/// as the tree is used. `spool` is not touched for a plain archive.
pub fn read_archive(archive: &Path, spool: &Path, options: &TarOptions) -> Result<Tree, TarError> {
    let plain = match unpack::packing(archive)? {
        None => archive,
        Some(packing) => {
            unpack::unpack(archive, packing, spool)?;
            spool
        }
    };
    let unreadable = |source| TarError::Read { path: plain.to_owned(), source };
    let file = File::open(plain).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut builder = Builder { tree: Tree::default(), linked: BTreeSet::new(), plain, mtime: options.mtime };
    for member in Members::new(&file, length) {
        let member = member.map_err(|source| TarError::Format { path: archive.to_owned(), source })?;
        let shown = String::from_utf8_lossy(&member.name).into_owned();
        builder.add(member).map_err(|problem| TarError::Member { path: archive.to_owned(), member: shown, problem })?;
    }
    Ok(builder.tree)
}

struct Builder<'a> {
    tree: Tree,
    /// Entries that hard links name.
    linked: BTreeSet<LayerPath>,
    plain: &'a Path,
    mtime: u64,
}

impl Builder<'_> {
    fn add(&mut self, member: RawMember) -> Result<(), MemberError> {
        let path = member_path(&member.name)?;
        let kind = self.kind(&member)?;
        if path.is_root() {
            // The root's own mode and owner are no layer's to set.
            return if kind == EntryKind::Directory { Ok(()) } else { Err(MemberError::NoName) };
        }
        if kind == EntryKind::HardLink(path.clone()) {
            // GNU tar writes this when it is given one name twice.
            return Ok(());
        }
        self.tree.imply_parents(&path, self.mtime)?;
        self.make_way(&path, &kind)?;
        let RawMember { mode, uid, gid, xattrs, .. } = member;
        let entry = Entry { mode: mode & 0o7777, uid, gid, mtime: self.mtime, xattrs, kind, implied: false };
        self.tree.entries.insert(path, entry);
        Ok(())
    }

    fn kind(&mut self, member: &RawMember) -> Result<EntryKind, MemberError> {
        let (major, minor) = member.device;
        Ok(match member.type_flag {
            // Before ustar, a directory was a file whose name ends in a slash.
            b'0' | 0 if member.name.ends_with(b"/") => EntryKind::Directory,
            b'0' | 0 | b'7' => EntryKind::File(Content::Range {
                path: self.plain.to_owned(),
                offset: member.offset,
                size: member.size,
            }),
            b'1' => EntryKind::HardLink(self.link_target(&member.link)?),
            b'2' if member.link.is_empty() => return Err(MemberError::EmptyLink),
            b'2' => EntryKind::Symlink(member.link.clone()),
            b'3' => EntryKind::CharDevice { major, minor },
            b'4' => EntryKind::BlockDevice { major, minor },
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            other => return Err(MemberError::UnknownType(char::from(other))),
        })
    }

    /// The entry with the content that a hard link names, never another hard link.
    fn link_target(&mut self, link: &[u8]) -> Result<LayerPath, MemberError> {
        let shown = || String::from_utf8_lossy(link).into_owned();
        let target = member_path(link).map_err(|_| MemberError::LinkEscapes(shown()))?;
        match self.tree.entries.get(&target).map(|entry| &entry.kind) {
            None | Some(EntryKind::Directory) => Err(MemberError::LinkMissing(shown())),
            Some(EntryKind::HardLink(first)) => Ok(first.clone()),
            Some(_) => Ok(target),
        }
    }

    /// A later member takes an earlier one's place, as it would when extracted, if both are of one type.
    fn make_way(&mut self, path: &LayerPath, kind: &EntryKind) -> Result<(), MemberError> {
        if let Some(old) = self.tree.entries.get(path) {
            let (earlier, later) = (self.file_kind(&old.kind), self.file_kind(kind));
            if earlier != later {
                return Err(MemberError::TypeChange { earlier, later });
            }
            self.pass_on_content(path);
        }
        if let EntryKind::HardLink(target) = kind {
            self.linked.insert(target.clone());
        }
        Ok(())
    }

    /// What stands at the end of a hard link.
    fn file_kind(&self, kind: &EntryKind) -> Kind {
        match kind {
            EntryKind::HardLink(target) => self.tree.entries.get(target).map_or(Kind::File, |entry| entry.kind.kind()),
            kind => kind.kind(),
        }
    }

    /// A file that is replaced lives on under its other names.
    fn pass_on_content(&mut self, path: &LayerPath) {
        if !self.linked.remove(path) {
            return;
        }
        let Some(old) = self.tree.entries.get(path).cloned() else { return };
        let mut heir: Option<LayerPath> = None;
        for (name, entry) in &mut self.tree.entries {
            if entry.kind == EntryKind::HardLink(path.clone()) {
                match &heir {
                    Some(heir) => entry.kind = EntryKind::HardLink(heir.clone()),
                    None => (*entry, heir) = (old.clone(), Some(name.clone())),
                }
            }
        }
        self.linked.extend(heir);
    }
}

fn member_path(name: &[u8]) -> Result<LayerPath, MemberError> {
    match name.first() {
        None => Err(MemberError::NoName),
        Some(b'/') => Err(MemberError::Absolute),
        Some(_) => Ok(LayerPath::new(name)?),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;
    use crate::digest::Digest;
    use crate::oci::chunk_memory::NoMemory;
    use crate::oci::compress::Compression;
    use crate::oci::layer::write_layer;
    use crate::oci::tar_write;

    /// An archive under construction, with headers as they come.
    #[derive(Default)]
    struct Archive(Vec<u8>);

    impl Archive {
        fn member(mut self, flag: u8, name: impl AsRef<[u8]>, link: &str, content: &[u8]) -> Archive {
            let mut header = tar::Header::new_ustar();
            let bytes = header.as_mut_bytes();
            bytes[..name.as_ref().len()].copy_from_slice(name.as_ref());
            bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(tar::EntryType::new(flag));
            header.set_mode(0o100_4755);
            header.set_uid(7);
            header.set_gid(8);
            header.set_mtime(123_456);
            header.set_size(content.len() as u64);
            header.set_cksum();
            self.0.extend_from_slice(header.as_bytes());
            self.0.extend_from_slice(content);
            self.0.resize(self.0.len().next_multiple_of(512), 0);
            self
        }

        fn file(self, name: &str, content: &str) -> Archive {
            self.member(b'0', name, "", content.as_bytes())
        }

        fn link(self, flag: u8, name: &str, target: &str) -> Archive {
            self.member(flag, name, target, b"")
        }

        fn directory(self, name: &str) -> Archive {
            self.member(b'5', name, "", b"")
        }

        fn end(self) -> Vec<u8> {
            [self.0, tar_write::END.to_vec()].concat()
        }
    }

    struct Read {
        tree: Tree,
        _dir: tempfile::TempDir,
    }

    fn read(bytes: &[u8]) -> Result<Read, TarError> {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        std::fs::write(&archive, bytes).unwrap();
        let tree = read_archive(&archive, &dir.path().join("spool"), &TarOptions { mtime: 5 })?;
        Ok(Read { tree, _dir: dir })
    }

    impl Read {
        fn entry(&self, name: &str) -> &Entry {
            &self.tree.entries[&path(name)]
        }

        fn content(&self, name: &str) -> Vec<u8> {
            let EntryKind::File(content) = &self.entry(name).kind else { panic!("{name} is no file") };
            let mut bytes = Vec::new();
            crate::oci::content::Reader::default().append(&mut bytes, content, &(0..content.size())).unwrap();
            bytes
        }
    }

    fn path(name: &str) -> LayerPath {
        LayerPath::new(name).unwrap()
    }

    fn problem(archive: Archive) -> MemberError {
        match read(&archive.end()).map(|read| read.tree) {
            Err(TarError::Member { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn metadata_is_kept_and_the_time_is_the_callers() {
        let read = read(&Archive::default().file("./etc//a", "hello").directory("./").end()).unwrap();
        let entry = read.entry("etc/a");
        assert_eq!((entry.mode, entry.uid, entry.gid, entry.mtime, entry.implied), (0o4755, 7, 8, 5, false));
        assert_eq!(read.content("etc/a"), b"hello");
        assert_eq!(*read.entry("etc"), Entry::implied_directory(5));
        assert_eq!(read.tree.entries.len(), 2, "the root is no entry");
    }

    #[test]
    fn a_directory_named_after_its_content_is_no_longer_implied() {
        let read = read(&Archive::default().file("etc/a", "").directory("etc/").end()).unwrap();
        assert_eq!((read.entry("etc").mode, read.entry("etc").implied), (0o4755, false));
    }

    #[test]
    fn every_type_is_kept_whiteouts_as_they_are() {
        let archive = Archive::default()
            .file("f", "x")
            .link(b'2', "s", "../outside/is fine")
            .link(b'1', "h", "./f")
            .link(b'1', "h2", "h")
            .member(b'6', "p", "", b"")
            .member(b'3', "c", "", b"")
            .member(b'4', "b", "", b"")
            .file(".wh.gone", "")
            .member(0, "old-dir/", "", b"");
        let read = read(&archive.end()).unwrap();
        let expected = [
            (".wh.gone", Kind::File),
            ("b", Kind::BlockDevice),
            ("c", Kind::CharDevice),
            ("f", Kind::File),
            ("h", Kind::HardLink),
            ("h2", Kind::HardLink),
            ("old-dir", Kind::Directory),
            ("p", Kind::Fifo),
            ("s", Kind::Symlink),
        ];
        let kinds = read.tree.entries.iter().map(|(path, entry)| (path.clone(), entry.kind.kind()));
        assert_eq!(kinds.collect::<Vec<_>>(), expected.map(|(name, kind)| (path(name), kind)));
        assert_eq!(read.entry("h2").kind, EntryKind::HardLink(path("f")), "links name the file itself");
    }

    #[test]
    fn names_that_lead_out_are_errors() {
        assert_eq!(problem(Archive::default().file("/etc/passwd", "")), MemberError::Absolute);
        for name in ["../a", "a/../../b", "a/.."] {
            assert!(matches!(problem(Archive::default().file(name, "")), MemberError::Name(_)), "{name}");
        }
        assert_eq!(problem(Archive::default().file("", "")), MemberError::NoName);
        assert_eq!(problem(Archive::default().link(b'2', "./", "/etc")), MemberError::NoName);
    }

    #[test]
    fn hard_links_that_lead_out_or_nowhere_are_errors() {
        for target in ["/f", "../f", ""] {
            let archive = Archive::default().file("f", "").link(b'1', "h", target);
            assert_eq!(problem(archive), MemberError::LinkEscapes(target.to_owned()));
        }
        for target in ["missing", "d", "later"] {
            let archive = Archive::default().directory("d").link(b'1', "h", target).file("later", "");
            assert_eq!(problem(archive), MemberError::LinkMissing(target.to_owned()));
        }
    }

    #[test]
    fn a_path_through_a_symlink_or_file_is_an_error() {
        for (below, kind) in [
            (Archive::default().link(b'2', "a", "/etc").file("a/b", ""), Kind::Symlink),
            (Archive::default().file("a", "").file("a/b/c", ""), Kind::File),
            (Archive::default().file("f", "").link(b'1', "a", "f").directory("a/b"), Kind::HardLink),
        ] {
            assert_eq!(problem(below), MemberError::Below(NotADirectory { path: path("a"), kind }));
        }
    }

    #[test]
    fn a_name_with_two_types_is_an_error() {
        for (archive, earlier, later) in [
            (Archive::default().file("a", "").directory("a"), Kind::File, Kind::Directory),
            (Archive::default().file("a/b", "").link(b'2', "a", "x"), Kind::Directory, Kind::Symlink),
            (Archive::default().link(b'2', "a", "x").file("a", ""), Kind::Symlink, Kind::File),
        ] {
            assert_eq!(problem(archive), MemberError::TypeChange { earlier, later });
        }
    }

    #[test]
    fn a_later_member_of_the_same_type_wins() {
        let read = read(&Archive::default().file("a", "old").file("a", "new").end()).unwrap();
        assert_eq!(read.content("a"), b"new");
    }

    #[test]
    fn a_replaced_file_lives_on_under_its_other_names() {
        let archive = Archive::default().file("a", "old").link(b'1', "b", "a").link(b'1', "c", "a").file("a", "new");
        let read = read(&archive.end()).unwrap();
        assert_eq!((read.content("a"), read.content("b")), (b"new".to_vec(), b"old".to_vec()));
        assert_eq!(read.entry("c").kind, EntryKind::HardLink(path("b")));
    }

    #[test]
    fn a_file_given_twice_to_gnu_tar_is_one_file() {
        let read = read(&Archive::default().file("a", "x").link(b'1', "a", "a").end()).unwrap();
        assert_eq!(read.content("a"), b"x");
    }

    #[test]
    fn unknown_types_and_sparse_files_are_errors() {
        assert_eq!(problem(Archive::default().member(b'Z', "a", "", b"")), MemberError::UnknownType('Z'));
        assert_eq!(problem(Archive::default().link(b'2', "a", "")), MemberError::EmptyLink);
        let record = b"26 GNU.sparse.realsize=10\n";
        for sparse in [
            Archive::default().member(b'S', "a", "", b""),
            Archive::default().member(b'x', "x", "", record).file("a", "x"),
        ] {
            let error = read(&sparse.end()).err().unwrap();
            assert!(matches!(error, TarError::Format { source: FormatError::Unsupported { .. }, .. }), "{error}");
        }
    }

    #[test]
    fn an_archive_cut_anywhere_is_an_error() {
        let whole = Archive::default().file("a", "x").file("b", &"y".repeat(600)).end();
        assert!(read(&whole).is_ok());
        let end = whole.len() - 1024;
        for length in [100, 512, 1000, 1024, 1600, end - 512, end, end + 100] {
            let error = read(&whole[..length]).err().unwrap();
            let cut = matches!(error, TarError::Format { source: FormatError::Truncated { .. }, .. });
            assert_eq!(cut, length >= 512, "{length}: {error}");
        }
    }

    #[test]
    fn a_damaged_header_and_what_is_no_archive_are_told_apart() {
        let mut damaged = Archive::default().file("a", "").file("b", "").end();
        damaged[512] ^= 1;
        for (bytes, words) in [(damaged, "corrupt header at byte 512"), (b"hello ".repeat(200), "not a tar archive")] {
            let error = read(&bytes).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn pax_records_with_line_ends_in_a_value_do_not_hide_the_others() {
        let mut record = b"40 SCHILY.xattr.security.capability=\n\n\x00\n".to_vec();
        record.extend_from_slice(b"9 size=3\n16 path=long/me\n");
        let read = read(&Archive::default().member(b'x', "x", "", &record).member(b'0', "short", "", b"123").end());
        let read = read.unwrap();
        assert_eq!(read.content("long/me"), b"123");
        let xattrs: BTreeMap<_, _> = [("security.capability".to_owned(), b"\n\n\x00".to_vec())].into();
        assert_eq!(read.entry("long/me").xattrs, xattrs);
    }

    #[test]
    fn malformed_pax_records_are_errors() {
        for record in [&b"5 a=1\n"[..], b"x a=1\n", b"99 a=1\n", b"6 abc\n", b"10 size=x\n\n", b"9 size=x\n"] {
            let archive = Archive::default().member(b'x', "x", "", record).file("a", "");
            let error = read(&archive.end()).err().unwrap();
            assert!(matches!(error, TarError::Format { source: FormatError::Corrupt { .. }, .. }), "{error}");
        }
    }

    #[test]
    fn gits_global_comment_is_let_be_but_no_global_name() {
        let comment = Archive::default().member(b'g', "x", "", b"16 comment=12345\n");
        assert!(read(&comment.file("a", "").end()).is_err(), "a wrong length");
        let comment = Archive::default().member(b'g', "x", "", b"17 comment=12345\n");
        assert!(read(&comment.file("a", "").end()).is_ok());
        let name = Archive::default().member(b'g', "x", "", b"11 path=abc\n");
        assert!(read(&name.file("a", "").end()).is_err());
    }

    #[test]
    fn gnu_long_names_are_read() {
        let (name, link) = ("n".repeat(150), "l".repeat(150));
        let long = |text: &str| format!("{text}\0").into_bytes();
        let archive = Archive::default()
            .member(b'L', "././@LongLink", "", &long(&name))
            .member(b'K', "././@LongLink", "", &long(&link))
            .link(b'2', "nnn", "lll");
        let read = read(&archive.end()).unwrap();
        assert_eq!(read.entry(&name).kind, EntryKind::Symlink(link.into_bytes()));
    }

    #[test]
    fn a_layer_read_back_is_the_same_layer_whatever_its_compression() {
        let archive = Archive::default()
            .file("etc/nfd-e\u{301}", "decomposed")
            .file("etc/empty", "")
            .member(b'0', b"etc/\xff\xfe", "", b"no text")
            .link(b'1', "etc/a-first", "etc/empty")
            .file("large", &"content ".repeat(100_000));
        let first = read(&archive.end()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let write = |tree: &Tree, compression: &Compression| {
            let mut blob = Vec::new();
            (write_layer(tree, compression, &NoMemory, &pool, &mut blob).unwrap().diff_id, blob)
        };
        for compression in [Compression::NONE, Compression::default(), Compression::zstd(3).unwrap()] {
            let (diff_id, blob) = write(&first.tree, &compression);
            let again = read(&blob).unwrap();
            assert_eq!(write(&again.tree, &compression), (diff_id, blob), "{compression}");
            assert_eq!(again.content("large").len(), 800_000);
        }
    }

    #[test]
    fn a_plain_archive_is_pointed_into_and_no_spool_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, spool) = (dir.path().join("archive"), dir.path().join("spool"));
        let plain = Archive::default().file("a", "hello").end();
        std::fs::write(&archive, &plain).unwrap();
        read_archive(&archive, &spool, &TarOptions { mtime: 0 }).unwrap();
        assert!(!spool.exists());
        let mut gzip = flate2::write::GzEncoder::new(File::create(&archive).unwrap(), Default::default());
        gzip.write_all(&plain).unwrap();
        gzip.finish().unwrap();
        read_archive(&archive, &spool, &TarOptions { mtime: 0 }).unwrap();
        assert_eq!(Digest::of(&std::fs::read(spool).unwrap()), Digest::of(&plain));
    }
}
