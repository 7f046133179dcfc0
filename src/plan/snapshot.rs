//! The answer of a build that had nothing to do, and all that it depends on: given again without loading the workspace
//! while every file and folder that was looked at has the same stat, and every blob is there.
//!
//! A stat counts only where it is safely older than the command that trusted it (as for file hashes): otherwise no
//! snapshot is taken. Layout: counts, then stamps, path lengths, paths, blobs, and the answer's text.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags};

use crate::action::record::Blob;
use crate::digest::Digest;
use crate::store::{Presence, Store};

/// What a build that had nothing to do would say again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How many actions were looked up.
    pub actions: u64,
    /// What stdout got.
    pub text: String,
}

/// A file system's time stamps are trusted to be ordered across this.
const MARGIN: Duration = Duration::from_secs(2);

const STAMP: usize = 40;
const BLOB: usize = 40;
/// Paths that one thread checks at a time.
const RUN: usize = 2048;

type Stamp = [u8; STAMP];

/// What a path's stat says, as bytes; zeros where nothing is there. `newest`: the later of its two times.
fn stamp(root: impl std::os::fd::AsFd, path: &str) -> (Stamp, i128) {
    let Ok(stat) = rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW) else {
        return ([0; STAMP], i128::MIN);
    };
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

/// The bytes of a snapshot; `None` where something changed so lately that its stat can't be trusted.
///
/// `paths`: absolute; `began`: when the command did, before it looked at anything.
pub fn take(
    root: &Utf8Path,
    paths: &BTreeSet<Utf8PathBuf>,
    blobs: impl Iterator<Item = Blob>,
    answer: &Answer,
    began: SystemTime,
) -> Option<Vec<u8>> {
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
    let blobs: BTreeSet<(Digest, u64)> = blobs.map(|blob| (blob.digest, blob.size)).collect();
    let mut bytes = Vec::new();
    for count in [paths.len() as u64, blobs.len() as u64, answer.actions] {
        bytes.extend(count.to_le_bytes());
    }
    bytes.extend(stamps?.as_flattened());
    paths.iter().for_each(|path| bytes.extend((path.len() as u32).to_le_bytes()));
    paths.iter().for_each(|path| bytes.extend(path.as_bytes()));
    for (digest, size) in blobs {
        bytes.extend(digest.as_bytes());
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(answer.text.as_bytes());
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

/// The answer of a snapshot; `None` where anything that it depends on is not as it was.
pub fn recall(bytes: &[u8], root: &Utf8Path, store: &Store) -> Option<Answer> {
    let parts = Parts::read(bytes)?;
    let folder = open(root)?;
    let unchanged = |run: &Run<'_>| run.paths().all(|(path, then)| stamp(&folder, path).0 == *then);
    let is_there = |blob: &[u8; BLOB]| {
        let (digest, size) = blob.split_first_chunk::<32>().expect("a blob is longer than its digest");
        let size = u64::from_le_bytes(size.try_into().expect("eight bytes follow the digest"));
        matches!(store.blobs().contains(&Digest::from_bytes(*digest), size), Ok(Presence::Present))
    };
    let whole = parts.runs()?.par_iter().all(unchanged) && parts.blobs.par_iter().with_min_len(RUN).all(is_there);
    whole.then(|| Answer { actions: parts.actions, text: parts.text.to_owned() })
}

/// A snapshot's parts, where they stand.
struct Parts<'a> {
    stamps: &'a [Stamp],
    lengths: &'a [[u8; 4]],
    paths: &'a str,
    blobs: &'a [[u8; BLOB]],
    actions: u64,
    text: &'a str,
}

/// Neighbouring paths, for one thread.
struct Run<'a> {
    stamps: &'a [Stamp],
    lengths: &'a [[u8; 4]],
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Parts<'a>> {
        let (counts, rest) = bytes.split_first_chunk::<24>()?;
        let count = |index: usize| Some(u64::from_le_bytes(*counts[index * 8..].first_chunk()?));
        let (paths, blobs, actions) = (count(0)? as usize, count(1)? as usize, count(2)?);
        let (stamps, rest) = rest.split_at_checked(paths.checked_mul(STAMP)?)?;
        let (lengths, rest) = rest.split_at_checked(paths.checked_mul(4)?)?;
        let (lengths, _) = lengths.as_chunks::<4>();
        let text = lengths.iter().map(|length| u32::from_le_bytes(*length) as usize).sum();
        let (paths, rest) = rest.split_at_checked(text)?;
        let (blobs, text) = rest.split_at_checked(blobs.checked_mul(BLOB)?)?;
        Some(Parts {
            stamps: stamps.as_chunks::<STAMP>().0,
            lengths,
            paths: std::str::from_utf8(paths).ok()?,
            blobs: blobs.as_chunks::<BLOB>().0,
            actions,
            text: std::str::from_utf8(text).ok()?,
        })
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
            // A length that cuts a character gives a path that is nowhere: the snapshot is then not used.
            let (path, after) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).unwrap_or((rest, ""));
            rest = after;
            (path, stamp)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenMode;

    struct Scene {
        _folder: tempfile::TempDir,
        root: Utf8PathBuf,
        store: Store,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().join("w")).unwrap();
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a"), "1").unwrap();
        let store = Store::open(&folder.path().join("s"), OpenMode { wait: true }).unwrap();
        Scene { _folder: folder, root, store }
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    impl Scene {
        fn take(&self, began: SystemTime) -> Option<Vec<u8>> {
            let paths = ["", "a", "b"].map(|name| self.root.join(name)).into_iter().collect();
            let digest = self.store.blobs().put_bytes(b"blob").unwrap();
            let answer = Answer { actions: 1, text: "//:a sha256:…\n".into() };
            take(&self.root, &paths, [Blob { digest, size: 4 }].into_iter(), &answer, began)
        }
    }

    #[test]
    fn the_answer_is_given_again_while_nothing_changed() {
        let scene = scene();
        let bytes = scene.take(later()).unwrap();
        let answer = recall(&bytes, &scene.root, &scene.store).unwrap();
        assert_eq!((answer.actions, answer.text.as_str()), (1, "//:a sha256:…\n"));
    }

    #[test]
    fn an_edit_a_new_file_and_a_lost_blob_are_noticed() {
        let edit = scene();
        let bytes = edit.take(later()).unwrap();
        std::fs::write(edit.root.join("a"), "2").unwrap();
        assert_eq!(recall(&bytes, &edit.root, &edit.store), None);

        let new = scene();
        let bytes = new.take(later()).unwrap();
        std::fs::write(new.root.join("b"), "").unwrap();
        assert_eq!(recall(&bytes, &new.root, &new.store), None);

        let lost = scene();
        let bytes = lost.take(later()).unwrap();
        lost.store.blobs().remove_corrupt(&Digest::of(b"blob")).unwrap();
        assert_eq!(recall(&bytes, &lost.root, &lost.store), None);
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_trusted() {
        assert_eq!(scene().take(SystemTime::now()), None);
    }

    #[test]
    fn cut_bytes_are_no_answer() {
        let scene = scene();
        let bytes = scene.take(later()).unwrap();
        let text = "//:a sha256:…\n".len();
        for length in 0..bytes.len() - text {
            assert_eq!(recall(&bytes[..length], &scene.root, &scene.store), None, "{length}");
        }
    }
}
