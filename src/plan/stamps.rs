//! What stats say of all paths that an answer rests on, as bytes: while every file and folder that was looked at has the
//! same stat, the answer can be given again.
//!
//! A stat counts only where it is safely older than the command that trusted it (as for file hashes): otherwise nothing is
//! kept. Layout: a count, stamps, path lengths, paths. What stands behind is its owner's matter.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// A file system's time stamps are trusted to be ordered across this.
const MARGIN: Duration = Duration::from_secs(2);

const STAMP: usize = 40;
/// Paths that one thread checks at a time.
pub(super) const RUN: usize = 2048;

type Stamp = [u8; STAMP];

/// What a path's stat says, as bytes, and of a link what it leads to as well; zeros where nothing is there. `newest`: the
/// latest of the times.
fn stamp(root: impl std::os::fd::AsFd, path: &str) -> (Stamp, i128) {
    let Ok(stat) = rustix::fs::statat(&root, path, AtFlags::SYMLINK_NOFOLLOW) else {
        return ([0; STAMP], i128::MIN);
    };
    let (own, newest) = plain(&stat);
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return (own, newest);
    }
    let beyond = rustix::fs::statat(&root, path, AtFlags::empty());
    let (beyond, later) = beyond.map_or(([0; STAMP], i128::MIN), |stat| plain(&stat));
    let mut both = [0; STAMP];
    both[..32].copy_from_slice(blake3::hash([own, beyond].as_flattened()).as_bytes());
    (both, newest.max(later))
}

fn plain(stat: &rustix::fs::Stat) -> (Stamp, i128) {
    let time = |seconds: i64, nanos: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let (modified, changed) = (time(stat.st_mtime, stat.st_mtime_nsec), time(stat.st_ctime, stat.st_ctime_nsec));
    let mut stamp = [0; STAMP];
    let fields = [stat.st_ino, stat.st_size as u64, modified as u64, changed as u64, u64::from(stat.st_mode)];
    for (bytes, field) in stamp.chunks_exact_mut(8).zip(fields) {
        bytes.copy_from_slice(&field.to_le_bytes());
    }
    (stamp, modified.max(changed))
}

fn open(root: &Utf8Path) -> Option<std::os::fd::OwnedFd> {
    rustix::fs::open(root.as_std_path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The stamps of absolute paths; `None` where something changed so lately that its stat can't be trusted.
///
/// `began`: when the command did, before it looked at anything.
pub fn take(root: &Utf8Path, paths: &BTreeSet<Utf8PathBuf>, began: SystemTime) -> Option<Vec<u8>> {
    let limit = began.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(MARGIN)?.as_nanos() as i128;
    let folder = open(root)?;
    let paths: Vec<&str> = paths.iter().map(|path| relative(root, path)).collect();
    let stamps: Option<Vec<Stamp>> = paths
        .par_iter()
        .map(|path| {
            let (stamp, newest) = stamp(&folder, path);
            (newest < limit).then_some(stamp)
        })
        .collect();
    let mut bytes = (paths.len() as u64).to_le_bytes().to_vec();
    bytes.extend(stamps?.as_flattened());
    paths.iter().for_each(|path| bytes.extend((path.len() as u32).to_le_bytes()));
    paths.iter().for_each(|path| bytes.extend(path.as_bytes()));
    Some(bytes)
}

/// The root itself is `.`; a path outside stays absolute.
fn relative<'a>(root: &Utf8Path, path: &'a Utf8Path) -> &'a str {
    match path.strip_prefix(root) {
        Ok(path) if path.as_str().is_empty() => ".",
        Ok(path) => path.as_str(),
        Err(_) => path.as_str(),
    }
}

/// What stands behind the stamps, where all of them still hold.
pub fn behind<'b>(bytes: &'b [u8], root: &Utf8Path) -> Option<&'b [u8]> {
    let parts = Parts::read(bytes)?;
    let folder = open(root)?;
    let unchanged = |run: &Run<'_>| run.paths().all(|(path, then)| stamp(&folder, path).0 == *then);
    parts.runs()?.par_iter().all(unchanged).then_some(parts.rest)
}

/// The parts, where they stand.
struct Parts<'a> {
    stamps: &'a [Stamp],
    lengths: &'a [[u8; 4]],
    paths: &'a str,
    rest: &'a [u8],
}

/// Neighbouring paths, for one thread.
struct Run<'a> {
    stamps: &'a [Stamp],
    lengths: &'a [[u8; 4]],
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Parts<'a>> {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let count = u64::from_le_bytes(*count) as usize;
        let (stamps, rest) = rest.split_at_checked(count.checked_mul(STAMP)?)?;
        let (lengths, rest) = rest.split_at_checked(count.checked_mul(4)?)?;
        let (lengths, _) = lengths.as_chunks::<4>();
        let text = lengths.iter().map(|length| u32::from_le_bytes(*length) as usize).sum();
        let (paths, rest) = rest.split_at_checked(text)?;
        Some(Parts { stamps: stamps.as_chunks::<STAMP>().0, lengths, paths: std::str::from_utf8(paths).ok()?, rest })
    }

    fn runs(&self) -> Option<Vec<Run<'a>>> {
        let mut rest = self.paths;
        let pieces = self.stamps.chunks(RUN).zip(self.lengths.chunks(RUN));
        pieces
            .map(|(stamps, lengths)| {
                let length = lengths.iter().map(|length| u32::from_le_bytes(*length) as usize).sum();
                let (text, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(Run { stamps, lengths, text })
            })
            .collect()
    }
}

impl<'a> Run<'a> {
    fn paths(&self) -> impl Iterator<Item = (&'a str, &'a Stamp)> {
        let mut rest = self.text;
        self.lengths.iter().zip(self.stamps).map(move |(length, stamp)| {
            // A length that cuts a character gives a path that is nowhere: what was kept is then not used.
            let (path, after) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).unwrap_or((rest, ""));
            rest = after;
            (path, stamp)
        })
    }
}
