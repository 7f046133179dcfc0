//! The answer of a build that had nothing to do, and all that it depends on: given again without loading the workspace
//! while every file and folder that was looked at has the same stat, and every blob is there.
//!
//! Layout: stamps, counts, blobs, and the answer's text.

use std::collections::BTreeSet;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::stamps::{self, RUN};
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

const BLOB: usize = 40;

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
    let mut bytes = stamps::take(root, paths, began)?;
    let blobs: BTreeSet<(Digest, u64)> = blobs.map(|blob| (blob.digest, blob.size)).collect();
    for count in [blobs.len() as u64, answer.actions] {
        bytes.extend(count.to_le_bytes());
    }
    for (digest, size) in blobs {
        bytes.extend(digest.as_bytes());
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(answer.text.as_bytes());
    Some(bytes)
}

/// The answer of a snapshot; `None` where anything that it depends on is not as it was.
pub fn recall(bytes: &[u8], root: &Utf8Path, store: &Store) -> Option<Answer> {
    let parts = Parts::read(stamps::behind(bytes, root)?)?;
    let is_there = |blob: &[u8; BLOB]| {
        let (digest, size) = blob.split_first_chunk::<32>().expect("a blob is longer than its digest");
        let size = u64::from_le_bytes(size.try_into().expect("eight bytes follow the digest"));
        matches!(store.blobs().contains(&Digest::from_bytes(*digest), size), Ok(Presence::Present))
    };
    let whole = parts.blobs.par_iter().with_min_len(RUN).all(is_there);
    whole.then(|| Answer { actions: parts.actions, text: parts.text.to_owned() })
}

/// What stands behind the stamps.
struct Parts<'a> {
    blobs: &'a [[u8; BLOB]],
    actions: u64,
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Parts<'a>> {
        let (blobs, rest) = bytes.split_first_chunk::<8>()?;
        let (actions, rest) = rest.split_first_chunk::<8>()?;
        let blobs = u64::from_le_bytes(*blobs) as usize;
        let (blobs, text) = rest.split_at_checked(blobs.checked_mul(BLOB)?)?;
        let (actions, text) = (u64::from_le_bytes(*actions), std::str::from_utf8(text).ok()?);
        Some(Parts { blobs: blobs.as_chunks::<BLOB>().0, actions, text })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
