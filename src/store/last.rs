//! The last finished build of each target of one workspace: what `explain` compares with.
//!
//! Takes names (a label, with its platform where it has several) and action keys; keeps them in one sealed file a workspace:
//! `length u64 | name | key`, sorted by name. Knows nothing of what a name or a key means.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;

use super::error::StoreError;
use super::folder::Folder;

/// The last builds of one workspace.
#[derive(Debug)]
pub struct LastBuilds {
    folder: Arc<Folder>,
    path: PathBuf,
}

impl LastBuilds {
    pub(super) fn new(folder: Arc<Folder>, workspace: &Path) -> LastBuilds {
        let path = folder.of_workspace("last", workspace);
        LastBuilds { folder, path }
    }

    /// The file that they stand in, which is there once anything was built.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every target that was ever built, with the action key of its last finished build.
    pub fn load(&self) -> Result<HashMap<String, Digest>, StoreError> {
        let bytes = self.folder.read_sealed(&self.path)?;
        let entries = decode(bytes.as_deref().unwrap_or_default());
        Ok(entries.map(|(name, key)| (name.to_owned(), key)).collect())
    }

    /// Notes targets whose build finished; others stay as they are. Writes only where that changes something.
    pub fn record<'a>(&self, built: impl IntoIterator<Item = (&'a str, Digest)>) -> Result<(), StoreError> {
        let before = self.folder.read_sealed(&self.path)?;
        let before = before.as_deref().unwrap_or_default();
        let mut built: Vec<(&str, Digest)> = built.into_iter().collect();
        built.sort_by_key(|(name, _)| *name);
        // Both are sorted, so one pass tells.
        let mut known = decode(before);
        if built.iter().all(|entry| known.any(|known| known == *entry)) {
            return Ok(());
        }
        let entries: BTreeMap<&str, Digest> = decode(before).chain(built).collect();
        self.folder.write_sealed(&self.path, encode(&entries))
    }
}

fn encode(entries: &BTreeMap<&str, Digest>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 96);
    for (name, key) in entries {
        bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(key.as_bytes());
    }
    bytes
}

/// The entries in their order. The checksum was right, so the bytes are what [`encode`] made.
fn decode(bytes: &[u8]) -> impl Iterator<Item = (&str, Digest)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let entry;
        (entry, rest) = decode_one(rest)?;
        Some(entry)
    })
}

fn decode_one(bytes: &[u8]) -> Option<((&str, Digest), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (name, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    Some(((std::str::from_utf8(name).ok()?, Digest::from_bytes(*key)), rest))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::store::lock::Sharing;

    fn open(dir: &Path, workspace: &str) -> LastBuilds {
        LastBuilds::new(Arc::new(Folder::open(dir, Sharing::Shared, true).unwrap()), Path::new(workspace))
    }

    #[test]
    fn later_builds_win_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        open(dir.path(), "/w").record([("//:x", a), ("//:y [linux/arm64]", a)]).unwrap();
        open(dir.path(), "/w").record([("//:x", b)]).unwrap();
        let loaded = open(dir.path(), "/w").load().unwrap();
        assert_eq!(loaded, HashMap::from([("//:x".to_owned(), b), ("//:y [linux/arm64]".to_owned(), a)]));
        assert!(open(dir.path(), "/other").load().unwrap().is_empty());
    }

    #[test]
    fn nothing_is_written_where_nothing_changed() {
        let dir = tempfile::tempdir().unwrap();
        let last = open(dir.path(), "/w");
        last.record([("//:x", Digest::of(b"a"))]).unwrap();
        let inode = fs::metadata(&last.path).unwrap().ino();
        last.record([("//:x", Digest::of(b"a"))]).unwrap();
        assert_eq!(fs::metadata(&last.path).unwrap().ino(), inode);
        last.record([("//:x", Digest::of(b"b"))]).unwrap();
        assert_ne!(fs::metadata(&last.path).unwrap().ino(), inode);
    }

    #[test]
    fn a_damaged_file_is_begun_anew_with_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let last = open(dir.path(), "/w");
        last.record([("//:x", Digest::of(b"a"))]).unwrap();
        fs::write(&last.path, "nonsense").unwrap();
        assert!(last.load().unwrap().is_empty());
        assert_eq!(last.folder.take_warnings().len(), 1);
        last.record([("//:x", Digest::of(b"a"))]).unwrap();
        assert_eq!(last.load().unwrap().len(), 1);
    }
}
