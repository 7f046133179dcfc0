//! Blobs by digest: `blobs/sha256/ab/<hex>`. Written once under their digest, never changed.
//!
//! Takes bytes, gives digests; takes digests, gives whether and where. A blob is in place when it is whole, and durable only
//! after [`Blobs::sync`]. Knows nothing of what blobs mean and of who needs them.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::digest::{Digest, Hasher};

use super::error::StoreError;
use super::folder::{Folder, locked};
use super::partial::PartialBlob;
use super::temp::{READ_ONLY, TempFile};
use super::verified::VerifiedReader;

/// The blobs of one store.
#[derive(Debug)]
pub struct Blobs {
    folder: Arc<Folder>,
    dir: PathBuf,
    /// The folder of each first byte, opened when first asked for and kept: a look then costs one short system call.
    shards: [OnceLock<OwnedFd>; 256],
    /// Put in place since the last sync.
    unsynced: Mutex<Vec<Digest>>,
    /// Large ones that are on their way to the disk already.
    early: Mutex<Vec<JoinHandle<Result<(), StoreError>>>>,
}

/// What the store has of a blob, by `stat` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A file of the right size.
    Present,
    /// Nothing.
    Missing,
    /// Something else; writing the blob again replaces it.
    WrongSize,
}

/// Up to here each blob is synced for itself; beyond, the whole file system is, once.
const SYNC_EACH: usize = 64;
/// Threads that wait for the disk.
const SYNCED_AT_ONCE: usize = 8;
/// From this size on (bytes), a blob's way to the disk begins as soon as it is whole, while other work is done.
const WORTH_AN_EARLY_START: u64 = 1 << 20;

impl Blobs {
    pub(super) fn new(folder: Arc<Folder>) -> Blobs {
        let dir = folder.path.join("blobs/sha256");
        Blobs {
            folder,
            dir,
            shards: [const { OnceLock::new() }; 256],
            unsynced: Mutex::default(),
            early: Mutex::default(),
        }
    }

    /// A new blob, to be written to.
    pub fn writer(&self) -> Result<BlobWriter<'_>, StoreError> {
        Ok(BlobWriter { file: self.file()?, hasher: Hasher::new() })
    }

    /// A new blob, to be written to by who knows its digest in the end.
    pub fn file(&self) -> Result<BlobFile<'_>, StoreError> {
        Ok(BlobFile { blobs: self, temp: self.folder.temps.create(READ_ONLY)?, size: 0 })
    }

    /// A new blob that is written at somebody else's pace, to be given back to [`Blobs::put`].
    pub fn partial(&self) -> Result<PartialBlob, StoreError> {
        Ok(PartialBlob::new(self.folder.temps.create(READ_ONLY)?))
    }

    /// Puts a blob in its place; gives its digest and size (bytes).
    pub fn put(&self, partial: PartialBlob) -> Result<(Digest, u64), StoreError> {
        let (temp, digest, size) = partial.into_parts();
        self.adopt(temp, &digest, size)?;
        Ok((digest, size))
    }

    /// Stores bytes held in memory.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let mut writer = self.writer()?;
        writer.write_all(bytes).map_err(|error| StoreError::io("write", &self.dir, error))?;
        writer.finish().map(|(digest, _)| digest)
    }

    /// Whether there is a blob of this digest and size (bytes); what the file holds isn't looked at.
    pub fn contains(&self, digest: &Digest, size: u64) -> Result<Presence, StoreError> {
        let fail = |error: Errno| StoreError::io("stat", &self.path(digest), error);
        let Some(shard) = self.shard(digest).map_err(fail)? else { return Ok(Presence::Missing) };
        let name = FileName::of(digest);
        match rustix::fs::statat(shard, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_size.cast_unsigned() == size => {
                Ok(Presence::Present)
            }
            Ok(_) => Ok(Presence::WrongSize),
            Err(Errno::NOENT) => Ok(Presence::Missing),
            Err(error) => Err(fail(error)),
        }
    }

    /// Where the blob stands, if it does.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join(&hex[..2]).join(hex)
    }

    /// Opens a blob for reading; errors with [`StoreError::Missing`] where there is none.
    pub fn open(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { digest: *digest },
            _ => StoreError::io("read", &path, error),
        })
    }

    /// Opens a blob of `size` bytes for reading with its digest checked; a file of another size is corrupt at once.
    pub fn open_verified(&self, digest: &Digest, size: u64) -> Result<VerifiedReader, StoreError> {
        VerifiedReader::new(self.open(digest)?, self.path(digest), *digest, size)
    }

    /// A blob's bytes, their digest checked.
    pub fn read_verified(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let mut reader = self.open_verified(digest, size)?;
        io::Read::read_to_end(&mut reader, &mut bytes)
            .map_err(|error| StoreError::io("read", &self.path(digest), error))?;
        Ok(bytes)
    }

    /// Removes a blob found to be corrupt, with a warning, so that it is made anew. One that is gone already is fine.
    pub fn remove_corrupt(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        self.folder.warn(&path, "was damaged and is removed; it is made anew".to_owned());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Makes every blob put in place before this call durable, name and bytes.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let mut unsynced = std::mem::take(&mut *locked(&self.unsynced));
        unsynced.sort_unstable();
        unsynced.dedup();
        let early = self.finish_early();
        let synced = if unsynced.len() > SYNC_EACH { self.sync_all() } else { self.sync_each(&unsynced) };
        // The system tells of a failure once: whoever heard of it passes it on.
        let synced = early.and(synced);
        if synced.is_err() {
            locked(&self.unsynced).append(&mut unsynced);
        }
        synced
    }

    /// Where enough are on their way already, a blob waits for [`Blobs::sync`].
    fn start_early(&self, path: PathBuf) {
        let mut early = locked(&self.early);
        if early.len() < SYNCED_AT_ONCE {
            early.push(std::thread::spawn(move || sync_if_there(&path)));
        }
    }

    fn finish_early(&self) -> Result<(), StoreError> {
        let threads = std::mem::take(&mut *locked(&self.early));
        // All of them, whichever fails.
        let results: Vec<_> =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect();
        results.into_iter().collect()
    }

    fn sync_all(&self) -> Result<(), StoreError> {
        let fail = |error: io::Error| StoreError::io("sync", &self.dir, error);
        let dir = File::open(&self.dir).map_err(fail)?;
        rustix::fs::syncfs(&dir).map_err(|error| fail(error.into()))
    }

    /// `digests` are sorted, so that each folder is synced once, after its files. Side by side: syncing is waiting.
    fn sync_each(&self, digests: &[Digest]) -> Result<(), StoreError> {
        let shards: Vec<&[Digest]> = digests.chunk_by(|a, b| a.as_bytes()[0] == b.as_bytes()[0]).collect();
        let share = shards.len().div_ceil(SYNCED_AT_ONCE).max(1);
        std::thread::scope(|scope| {
            let sync = |shards: &[&[Digest]]| shards.iter().try_for_each(|shard| self.sync_shard(shard));
            let threads: Vec<_> = shards.chunks(share).map(|shards| scope.spawn(move || sync(shards))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    fn sync_shard(&self, digests: &[Digest]) -> Result<(), StoreError> {
        digests.iter().try_for_each(|digest| sync_if_there(&self.path(digest)))?;
        let path = digests.first().map(|digest| self.path(digest));
        path.as_deref().and_then(Path::parent).map_or(Ok(()), sync_if_there)
    }

    /// The folder of a digest's first byte; `None` while there is none.
    fn shard(&self, digest: &Digest) -> Result<Option<&OwnedFd>, Errno> {
        let slot = &self.shards[usize::from(digest.as_bytes()[0])];
        if let Some(shard) = slot.get() {
            return Ok(Some(shard));
        }
        let path = self.path(digest);
        let dir = path.parent().unwrap_or(&self.dir);
        match rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(opened) => Ok(Some(slot.get_or_init(|| opened))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a whole temporary file in its place, unless the blob is there already.
    fn adopt(&self, temp: TempFile, digest: &Digest, size: u64) -> Result<(), StoreError> {
        if self.contains(digest, size)? != Presence::Present {
            let path = self.path(digest);
            if let Some(dir) = path.parent().filter(|_| self.shard(digest).is_ok_and(|shard| shard.is_none())) {
                fs::create_dir_all(dir).map_err(|error| StoreError::io("create", dir, error))?;
            }
            temp.persist(&path)?;
            if size >= WORTH_AN_EARLY_START {
                self.start_early(path);
            }
        }
        // Also where it was there: another process may have put it there and not synced it yet.
        locked(&self.unsynced).push(*digest);
        Ok(())
    }
}

/// What was removed since it was written needs no sync.
fn sync_if_there(path: &Path) -> Result<(), StoreError> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("sync", path, error)),
        _ => Ok(()),
    }
}

/// A blob's file name, made without allocating.
struct FileName([u8; 65]);

impl FileName {
    fn of(digest: &Digest) -> FileName {
        let mut name = [0; 65];
        for (pair, byte) in name.as_chunks_mut().0.iter_mut().zip(digest.as_bytes()) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
        }
        FileName(name)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Arithmetic rather than a table: all digits of a name are then made at once.
fn hex_digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

/// A blob being written whose digest the writer takes itself; unbuffered, so best given large pieces. Dropped before
/// [`BlobFile::finish`], it leaves nothing.
///
/// Its `Write` errors hold a [`StoreError`], which [`StoreError::io`] takes out again.
pub struct BlobFile<'a> {
    blobs: &'a Blobs,
    temp: TempFile,
    size: u64,
}

impl BlobFile<'_> {
    /// Puts the blob in its place under the digest of all that was written; gives its size (bytes).
    pub fn finish(self, digest: &Digest) -> Result<u64, StoreError> {
        self.blobs.adopt(self.temp, digest, self.size)?;
        Ok(self.size)
    }
}

impl Write for BlobFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temp.append(bytes, self.size)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blob being written, hashed as it goes.
pub struct BlobWriter<'a> {
    file: BlobFile<'a>,
    hasher: Hasher,
}

impl BlobWriter<'_> {
    /// Puts the blob in its place; gives its digest and size (bytes).
    pub fn finish(self) -> Result<(Digest, u64), StoreError> {
        let digest = self.hasher.finish();
        Ok((digest, self.file.finish(&digest)?))
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::lock::Sharing;

    fn blobs(dir: &Path) -> Blobs {
        Blobs::new(Arc::new(Folder::open(dir, Sharing::Shared, true).unwrap()))
    }

    fn overwrite(path: &Path, bytes: &[u8]) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_is_written_in_pieces_is_found_under_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        assert_eq!(blobs.contains(&Digest::of(b"hello"), 5).unwrap(), Presence::Missing);
        let mut writer = blobs.writer().unwrap();
        writer.write_all(b"hel").unwrap();
        writer.write_all(b"lo").unwrap();
        let (digest, size) = writer.finish().unwrap();
        assert_eq!((digest, size), (Digest::of(b"hello"), 5));
        assert_eq!(blobs.contains(&digest, 5).unwrap(), Presence::Present);
        assert_eq!(blobs.contains(&digest, 6).unwrap(), Presence::WrongSize);
        assert_eq!(fs::read(blobs.path(&digest)).unwrap(), b"hello");
        assert_eq!(blobs.read_verified(&digest, 5).unwrap(), b"hello");
    }

    #[test]
    fn a_writer_dropped_half_way_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        let mut writer = blobs.writer().unwrap();
        writer.write_all(b"half").unwrap();
        let temp = writer.file.temp.path().to_owned();
        drop(writer);
        assert!(!temp.exists());
        assert_eq!(fs::read_dir(&blobs.dir).unwrap().count(), 0);
    }

    #[test]
    fn a_blob_that_is_there_is_kept_and_one_of_wrong_size_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        let digest = blobs.put_bytes(b"hello").unwrap();
        let before = fs::metadata(blobs.path(&digest)).unwrap();
        blobs.put_bytes(b"hello").unwrap();
        let inode = |stat: &fs::Metadata| std::os::unix::fs::MetadataExt::ino(stat);
        assert_eq!(inode(&before), inode(&fs::metadata(blobs.path(&digest)).unwrap()));
        overwrite(&blobs.path(&digest), b"hell");
        assert_eq!(blobs.contains(&digest, 5).unwrap(), Presence::WrongSize);
        blobs.put_bytes(b"hello").unwrap();
        assert_eq!(blobs.read_verified(&digest, 5).unwrap(), b"hello");
    }

    #[test]
    fn a_damaged_blob_is_named_removed_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        let digest = blobs.put_bytes(b"hello").unwrap();
        overwrite(&blobs.path(&digest), b"hallo");
        let error = blobs.read_verified(&digest, 5).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { digest: named, .. } if named == digest), "{error:?}");
        blobs.remove_corrupt(&digest).unwrap();
        blobs.remove_corrupt(&digest).unwrap();
        assert!(matches!(blobs.read_verified(&digest, 5), Err(StoreError::Missing { .. })));
        assert_eq!(blobs.folder.take_warnings().len(), 2);
        blobs.put_bytes(b"hello").unwrap();
        assert_eq!(blobs.read_verified(&digest, 5).unwrap(), b"hello");
    }

    #[test]
    fn few_and_many_blobs_are_synced_and_removed_ones_are_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        for count in [3, SYNC_EACH + 1] {
            let digests: Vec<Digest> =
                (0..count).map(|i| blobs.put_bytes(format!("{i}").as_bytes()).unwrap()).collect();
            blobs.remove_corrupt(&digests[0]).unwrap();
            blobs.sync().unwrap();
            assert!(locked(&blobs.unsynced).is_empty());
        }
    }

    #[test]
    fn a_full_disk_while_writing_is_typed_and_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        let mut writer = blobs.writer().unwrap();
        writer.file.temp.file = File::options().write(true).open("/dev/full").unwrap();
        let error = writer.write_all(b"hello").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let error = StoreError::io("build", Path::new("elsewhere"), error);
        assert!(
            matches!(&error, StoreError::DiskFull { path, needed: Some(5), .. } if path.starts_with(dir.path())),
            "{error:?}"
        );
    }
}
