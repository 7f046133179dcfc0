//! The digests of a workspace's files, hashed only where `stat` doesn't vouch for what was hashed before.
//!
//! Takes paths relative to the workspace's root, folders of which may be taken from elsewhere; gives content digest, size, executable bit, link target (git's view).
//! A stat vouches only if it was safely older than the hashing: a file written to within the same tick looks unchanged.
//! A folder on the way that is a link out of the root is refused. Knows nothing of packages and globs.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use crate::digest::{Digest, Hasher};
use crate::file_stat::{FileStat, Stamp};
use crate::source_root::{Elsewhere, SourceRoot};

use super::beneath::Root;
use super::error::StoreError;
use super::file_identity::{FileError, FileIdentity, FileKind};
use super::folder::{Folder, locked};
use super::stat_table::StatTable;

/// How far to believe that an unchanged stat means unchanged content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A stat safely older than the hashing is believed.
    Stat,
    /// Every file is read (`--hash-content`).
    Nothing,
}

/// The file hashes of one workspace. Shared by threads; kept by [`FileHashes::save`] or when dropped.
#[derive(Debug)]
pub struct FileHashes {
    folder: Arc<Folder>,
    path: PathBuf,
    root: Root,
    /// Folders that are taken from elsewhere, each with what stands in its place.
    elsewhere: Vec<(PathBuf, Root)>,
    trust: Trust,
    known: StatTable,
    /// Hashed in this run, by stats that vouch for it.
    fresh: Mutex<HashMap<Stamp, Digest>>,
    /// A moment before the first hashing of this run, by the clock that stamps files; nanoseconds since 1970.
    began: OnceLock<i128>,
}

const DAY: i128 = 86_400 * 1_000_000_000;
const ATTEMPTS: usize = 4;
const BUFFER: u64 = 256 * 1024;
/// Files of one folder that one thread looks at in a row.
const ROW: usize = 256;

/// What a look at a file gives, before any of its content is read.
enum Look {
    Known(FileIdentity),
    Unhashed,
    NotAFile(FileType),
}

impl FileHashes {
    pub(super) fn open(folder: Arc<Folder>, workspace: &Path, trust: Trust) -> Result<FileHashes, StoreError> {
        let path = folder.of_workspace("files", workspace);
        let root = Root::open(workspace).map_err(|error| StoreError::io("open", workspace, error))?;
        let known = StatTable::new(folder.read_sealed(&path)?);
        Ok(FileHashes {
            folder,
            path,
            root,
            elsewhere: Vec::new(),
            trust,
            known,
            fresh: Mutex::default(),
            began: OnceLock::new(),
        })
    }

    /// With the folders that are taken from elsewhere.
    pub fn with_elsewhere(mut self, sources: &SourceRoot) -> Result<FileHashes, StoreError> {
        for Elsewhere { folder, from } in sources.elsewhere() {
            let root =
                Root::open(from.as_std_path()).map_err(|error| StoreError::io("open", from.as_std_path(), error))?;
            self.elsewhere.push((folder.into(), root));
        }
        // The longest path first: of folders within each other the inner one counts.
        self.elsewhere.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.as_os_str().len()));
        Ok(self)
    }

    /// The folder that a path is opened below, and the path from there on.
    fn top_of<'p>(&self, path: &'p Path) -> (&Root, &'p Path) {
        let found = self.elsewhere.iter().find_map(|(folder, root)| Some((root, path.strip_prefix(folder).ok()?)));
        found.unwrap_or((&self.root, path))
    }

    fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let (root, below) = self.top_of(path);
        root.folder(below)
    }

    /// What one file is; `path` is relative to the workspace's root.
    pub fn digest(&self, path: &Path) -> Result<FileIdentity, FileError> {
        let (dir, name) = split(path);
        let look = self.folder(dir).and_then(|dir| self.look(dir.as_fd(), name));
        self.resolve(path, look)
    }

    /// What many files are, in the order of `paths`, by all of rayon's threads. Files of one folder should stand together.
    pub fn digests<P: AsRef<Path> + Sync>(&self, paths: &[P]) -> Vec<Result<FileIdentity, FileError>> {
        let looks: Vec<_> = rows(paths).into_par_iter().flat_map_iter(|row| self.look_at_row(&paths[row])).collect();
        // Hashed only now, so that the large files of one folder are spread over the threads.
        looks.into_par_iter().zip(paths).map(|(look, path)| self.resolve(path.as_ref(), look)).collect()
    }

    /// Keeps what was hashed for the next run. Writes only where that is something new.
    pub fn save(&self) -> Result<(), StoreError> {
        let mut fresh = locked(&self.fresh);
        if fresh.is_empty() {
            return Ok(());
        }
        let today = u32::try_from(self.began() / DAY).unwrap_or(0);
        let bytes = self.known.followed_by(fresh.iter().map(|(key, digest)| (*key, *digest)), today);
        self.folder.write_sealed(&self.path, bytes)?;
        fresh.clear();
        Ok(())
    }

    /// Looks at files of one folder, which is opened once.
    fn look_at_row<P: AsRef<Path>>(&self, paths: &[P]) -> Vec<Result<Look, Errno>> {
        let dir = self.folder(paths.first().map_or(Path::new(""), |path| split(path.as_ref()).0));
        let look = |path: &P| self.look(dir.as_ref().map_err(|error| *error)?.as_fd(), split(path.as_ref()).1);
        paths.iter().map(look).collect()
    }

    fn look(&self, dir: BorrowedFd<'_>, name: &OsStr) -> Result<Look, Errno> {
        let stat = FileStat::new(&rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?);
        match stat.file_type() {
            FileType::RegularFile => {
                let digest = (self.trust == Trust::Stat).then(|| self.recall(&stat)).flatten();
                Ok(digest.map_or(Look::Unhashed, |digest| Look::Known(FileIdentity::file(digest, &stat, true))))
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes();
                Ok(Look::Known(FileIdentity::symlink(target)))
            }
            other => Ok(Look::NotAFile(other)),
        }
    }

    fn recall(&self, stat: &FileStat) -> Option<Digest> {
        self.known.find(&stat.stamp).or_else(|| locked(&self.fresh).get(&stat.stamp).copied())
    }

    fn resolve(&self, path: &Path, look: Result<Look, Errno>) -> Result<FileIdentity, FileError> {
        match look {
            Ok(Look::Known(identity)) => Ok(identity),
            Ok(Look::Unhashed) => self.hash(path),
            Ok(Look::NotAFile(kind)) => Err(FileError::not_a_file(path, kind)),
            Err(error) => Err(FileError::new(path, error)),
        }
    }

    fn hash(&self, path: &Path) -> Result<FileIdentity, FileError> {
        // Taken before anything is read.
        let began = self.began();
        for _ in 0..ATTEMPTS {
            let (root, below) = self.top_of(path);
            let file = root.file(below).map_err(|error| FileError::new(path, error))?;
            let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
            let Some((digest, stat)) = hash_unchanging(&file).map_err(unreadable)? else { continue };
            let vouches = stat.is_settled(&file, began);
            if vouches {
                locked(&self.fresh).insert(stat.stamp, digest);
            }
            return Ok(FileIdentity::file(digest, &stat, vouches && self.trust == Trust::Stat));
        }
        Err(FileError::KeepsChanging(path.to_owned()))
    }

    /// Where the clock can't be read, for want of a temporary file, no stat of this run vouches for anything.
    fn began(&self) -> i128 {
        *self.began.get_or_init(|| self.folder.temps.now().unwrap_or(0))
    }
}

impl Drop for FileHashes {
    /// For the ways out that don't call [`FileHashes::save`]; what can't be written is hashed again next time.
    fn drop(&mut self) {
        let _ = self.save();
    }
}

/// Digest of a file and the stat that it had before and after; `None` where it changed meanwhile.
fn hash_unchanging(mut file: &File) -> io::Result<Option<(Digest, FileStat)>> {
    let before = FileStat::of(file)?;
    // One more than the size: a small file is read in one call, its end in another, and no more is allocated.
    let length = usize::try_from(BUFFER.min(before.size.saturating_add(1))).unwrap_or(1);
    let (mut buffer, mut hasher, mut size) = (vec![0; length], Hasher::new(), 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let after = FileStat::of(file)?;
    Ok((before == after && size == after.size).then(|| (hasher.finish(), after)))
}

impl FileIdentity {
    fn file(digest: Digest, stat: &FileStat, vouches: bool) -> FileIdentity {
        let stamp = vouches.then_some(stat.stamp);
        FileIdentity { digest, size: stat.size, executable: stat.executable(), kind: FileKind::File { stamp } }
    }

    fn symlink(target: Vec<u8>) -> FileIdentity {
        let (digest, size) = (Digest::of(&target), target.len() as u64);
        FileIdentity { digest, size, executable: false, kind: FileKind::Symlink(target) }
    }
}

/// A path's folder and its name there; a path that ends in `..` or `/` is a folder itself. By bytes: `Path` takes paths
/// apart from the front, which would cost as much as a look at the file.
fn split(path: &Path) -> (&Path, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let (dir, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&bytes[..1], &bytes[1..]),
        Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
        None => (&bytes[..0], bytes),
    };
    match name {
        b"" | b".." => (path, OsStr::new(".")),
        _ => (Path::new(OsStr::from_bytes(dir)), OsStr::from_bytes(name)),
    }
}

/// Consecutive paths of one folder, at most [`ROW`] of them.
fn rows<P: AsRef<Path>>(paths: &[P]) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    for folder in paths.chunk_by(|a, b| split(a.as_ref()).0 == split(b.as_ref()).0) {
        for row in folder.chunks(ROW) {
            let begin = rows.last().map_or(0, |row: &Range<usize>| row.end);
            rows.push(begin..begin + row.len());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;
    use crate::store::lock::Sharing;

    struct Fixture {
        root: tempfile::TempDir,
        cache: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Fixture {
            Fixture { root: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() }
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn open(&self, trust: Trust) -> FileHashes {
            let folder = Folder::open(self.cache.path(), Sharing::Shared, true).unwrap();
            FileHashes::open(Arc::new(folder), self.root.path(), trust).unwrap()
        }

        /// A run that hashes an hour from now: every stat is safely older.
        fn open_later(&self) -> FileHashes {
            let hashes = self.open(Trust::Stat);
            hashes.began.set(hashes.folder.temps.now().unwrap() + 3600 * 1_000_000_000).unwrap();
            hashes
        }
    }

    fn is_known(hashes: &FileHashes, path: &str) -> bool {
        let (dir, name) = split(Path::new(path));
        matches!(hashes.look(hashes.root.folder(dir).unwrap().as_fd(), name), Ok(Look::Known(_)))
    }

    fn digest(hashes: &FileHashes, path: &str) -> Digest {
        hashes.digest(Path::new(path)).unwrap().digest
    }

    #[test]
    fn a_file_safely_older_than_its_hashing_is_not_read_again() {
        let fixture = Fixture::new();
        fixture.write("a/b", "hello");
        assert_eq!(digest(&fixture.open_later(), "a/b"), Digest::of(b"hello"));
        assert!(is_known(&fixture.open(Trust::Stat), "a/b"));
        assert!(!is_known(&fixture.open(Trust::Nothing), "a/b"));
    }

    #[test]
    fn a_file_written_just_before_its_hashing_is_read_again() {
        let fixture = Fixture::new();
        fixture.write("a", "hello");
        let hashes = fixture.open(Trust::Stat);
        let written = FileStat::of(File::open(fixture.root.path().join("a")).unwrap()).unwrap().changed;
        hashes.began.set(written + 1_000_000).unwrap();
        assert_eq!(digest(&hashes, "a"), Digest::of(b"hello"));
        drop(hashes);
        let hashes = fixture.open(Trust::Stat);
        assert!(!is_known(&hashes, "a"));
        // Same size, within the same tick perhaps.
        fixture.write("a", "hallo");
        assert_eq!(digest(&hashes, "a"), Digest::of(b"hallo"));
    }

    #[test]
    fn a_changed_file_and_a_changed_mode_are_noticed() {
        let fixture = Fixture::new();
        fixture.write("a", "hello");
        fixture.open_later().digest(Path::new("a")).unwrap();
        fs::set_permissions(fixture.root.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        let hashes = fixture.open(Trust::Stat);
        assert!(!is_known(&hashes, "a"));
        assert!(hashes.digest(Path::new("a")).unwrap().executable);
        fixture.write("a", "hello, world");
        assert_eq!(digest(&hashes, "a"), Digest::of(b"hello, world"));
    }

    #[test]
    fn a_link_is_its_target_and_never_followed() {
        let fixture = Fixture::new();
        symlink("no/where", fixture.root.path().join("link")).unwrap();
        let found = fixture.open(Trust::Stat).digest(Path::new("link")).unwrap();
        assert_eq!(found, FileIdentity::symlink(b"no/where".to_vec()));
    }

    #[test]
    fn what_is_no_file_within_the_workspace_is_an_error_of_its_kind() {
        let fixture = Fixture::new();
        fixture.write("dir/file", "");
        symlink("/etc", fixture.root.path().join("etc")).unwrap();
        symlink("dir", fixture.root.path().join("inside")).unwrap();
        let hashes = fixture.open(Trust::Stat);
        let error = |path: &str| hashes.digest(Path::new(path)).unwrap_err();
        assert!(matches!(error("none"), FileError::Missing(path) if path == Path::new("none")));
        assert!(matches!(error("dir/file/x"), FileError::Missing(_)));
        assert!(matches!(error("dir"), FileError::NotAFile { what: "folder", .. }));
        assert!(matches!(error(""), FileError::NotAFile { .. }));
        for outside in ["etc/hostname", "../x", "/etc/hostname", ".."] {
            assert!(matches!(error(outside), FileError::Outside(_)), "{outside}");
        }
        assert_eq!(digest(&hashes, "inside/file"), Digest::of(b""));
    }

    #[test]
    fn a_file_that_is_not_what_its_stat_says_is_changing() {
        // Its size is given as 0, and then there is content.
        assert!(hash_unchanging(&File::open("/proc/self/status").unwrap()).unwrap().is_none());
    }

    #[test]
    fn many_files_come_back_in_the_order_asked_with_errors_in_their_places() {
        let fixture = Fixture::new();
        let name = |i: usize| if i % 10 == 3 { format!("none{i}/x") } else { format!("d{}/f{i}", i / 300) };
        let paths: Vec<String> = (0..1000).map(name).collect();
        (0..1000).filter(|i| i % 10 != 3).for_each(|i| fixture.write(&paths[i], &format!("{i}")));
        for hashes in [fixture.open_later(), fixture.open(Trust::Stat), fixture.open(Trust::Nothing)] {
            for (i, found) in hashes.digests(&paths).into_iter().enumerate() {
                match found {
                    Ok(found) => assert_eq!(found.digest, Digest::of(format!("{i}").as_bytes())),
                    Err(error) => assert!(i % 10 == 3 && matches!(error, FileError::Missing(_))),
                }
            }
        }
    }

    #[test]
    fn nothing_is_written_where_nothing_is_new() {
        let fixture = Fixture::new();
        fixture.write("a", "hello");
        let hashes = fixture.open_later();
        digest(&hashes, "a");
        hashes.save().unwrap();
        let inode = || fs::metadata(&hashes.path).unwrap().ino();
        let before = inode();
        let again = fixture.open_later();
        digest(&again, "a");
        again.save().unwrap();
        assert_eq!(inode(), before);
    }

    #[test]
    fn a_damaged_table_is_begun_anew_with_a_warning() {
        let fixture = Fixture::new();
        fixture.write("a", "hello");
        digest(&fixture.open_later(), "a");
        let path = fixture.open(Trust::Stat).path.clone();
        let mut bytes = fs::read(&path).unwrap();
        bytes[70] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let hashes = fixture.open_later();
        assert!(!is_known(&hashes, "a"));
        assert_eq!(hashes.folder.take_warnings().len(), 1);
        digest(&hashes, "a");
        drop(hashes);
        assert!(is_known(&fixture.open(Trust::Stat), "a"));
    }
}
