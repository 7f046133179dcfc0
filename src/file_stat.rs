//! What `stat` says of a file, and the stamp that vouches for its content.
//!
//! Takes the system's answer, gives plain values. Knows nothing of reading and hashing.

use std::os::fd::AsFd;

use rustix::fs::{FileType, FsWord, Stat};
use rustix::io::Errno;

/// All that must stay the same for a file's content to be the same: `device u64 | inode u64 | size u64 | mtime i128 |
/// ctime i128 | mode u32`, big-endian, so that the order of bytes is the order of numbers.
pub type Stamp = [u8; 60];

/// One look at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Bytes of content.
    pub size: u64,
    mode: u32,
    /// The later of mtime and ctime, nanoseconds since 1970.
    pub changed: i128,
    /// What vouches for the content.
    pub stamp: Stamp,
}

impl FileStat {
    /// The system's answer, as a value.
    #[expect(clippy::unnecessary_cast, reason = "the fields' types differ by architecture")]
    pub fn new(stat: &Stat) -> FileStat {
        let nanoseconds = |seconds: i128, rest: i128| seconds * SECOND + rest;
        let mtime = nanoseconds(stat.st_mtime as i128, stat.st_mtime_nsec as i128);
        let ctime = nanoseconds(stat.st_ctime as i128, stat.st_ctime_nsec as i128);
        let (size, mode) = (stat.st_size as u64, stat.st_mode as u32);
        let mut stamp = [0; 60];
        stamp[..8].copy_from_slice(&(stat.st_dev as u64).to_be_bytes());
        stamp[8..16].copy_from_slice(&(stat.st_ino as u64).to_be_bytes());
        stamp[16..24].copy_from_slice(&size.to_be_bytes());
        stamp[24..40].copy_from_slice(&mtime.to_be_bytes());
        stamp[40..56].copy_from_slice(&ctime.to_be_bytes());
        stamp[56..].copy_from_slice(&mode.to_be_bytes());
        FileStat { size, mode, changed: mtime.max(ctime), stamp }
    }

    /// Of an open file.
    pub fn of(file: impl AsFd) -> Result<FileStat, Errno> {
        rustix::fs::fstat(file).map(|stat| FileStat::new(&stat))
    }

    /// A regular file, a link, or what else there is.
    pub fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Executable by its owner: git's view, which no umask changes.
    pub fn executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Whether a change of the file, an open one, after the moment `now` (by the clock that stamps files, nanoseconds since
    /// 1970) must give it another stamp: its last change is older than its file system's clock ticks.
    pub fn is_settled(&self, file: impl AsFd, now: i128) -> bool {
        // Whole seconds are what a file system keeps that knows no parts of them.
        let is_fine =
            || self.changed % SECOND != 0 && rustix::fs::fstatfs(file).is_ok_and(|fs| FINE.contains(&fs.f_type));
        self.changed < now - COARSE_TICK || (self.changed < now - FINE_TICK && is_fine())
    }
}

const SECOND: i128 = 1_000_000_000;
/// FAT's clock ticks every two seconds, no other's slower.
const COARSE_TICK: i128 = 2 * SECOND;
/// The kernel's own clock ticks at least every 10 ms; twice that, and some.
const FINE_TICK: i128 = SECOND / 40;
/// File systems that stamp with the kernel's own clock: ext4, XFS, btrfs, tmpfs. A network's server has a clock of its own.
const FINE: [FsWord; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_write_a_chmod_and_another_file_give_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let stamp = |path: &std::path::Path| FileStat::of(File::open(path).unwrap()).unwrap().stamp;
        fs::write(&path, "one").unwrap();
        let before = stamp(&path);
        assert_eq!(stamp(&path), before);
        fs::write(&path, "longer").unwrap();
        assert_ne!(stamp(&path), before);
        fs::copy(&path, &other).unwrap();
        assert_ne!(stamp(&path), stamp(&other));
    }

    #[test]
    fn a_change_of_just_now_has_not_settled_and_one_of_two_seconds_ago_has_everywhere() {
        let file = tempfile::tempfile().unwrap();
        let stat = FileStat::of(&file).unwrap();
        assert!(!stat.is_settled(&file, stat.changed));
        assert!(!stat.is_settled(&file, stat.changed + FINE_TICK));
        assert!(stat.is_settled(&file, stat.changed + COARSE_TICK + 1));
        let coarse = FileStat { changed: stat.changed / SECOND * SECOND, ..stat };
        assert!(!coarse.is_settled(&file, coarse.changed + COARSE_TICK), "a clock of whole seconds");
    }
}
