//! Answers of whole commands, to be given again while nothing they depend on has changed: opaque bytes here.
//!
//! One sealed file a workspace and slot; a slot holds the answer given last. Knows nothing of what an answer says.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;

use super::error::StoreError;
use super::folder::{Folder, Sealed};

/// The answers of one workspace.
#[derive(Debug)]
pub struct Snapshots {
    folder: Arc<Folder>,
    base: PathBuf,
}

/// Bytes that were kept, as they lie in the file.
#[derive(Debug)]
pub struct Kept(Sealed);

impl Deref for Kept {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[size_of::<Digest>()..]
    }
}

impl Snapshots {
    pub(super) fn new(folder: Arc<Folder>, workspace: &Path) -> Snapshots {
        let base = folder.of_workspace("snapshots", workspace);
        Snapshots { folder, base }
    }

    /// The bytes kept under a key; `None` where there are none, or the slot holds another key's by now.
    pub fn load(&self, key: &Digest) -> Result<Option<Kept>, StoreError> {
        let sealed = self.folder.read_sealed(&self.path(key))?;
        Ok(sealed.filter(|sealed| sealed.starts_with(key.as_bytes())).map(Kept))
    }

    /// Keeps bytes under a key.
    pub fn save(&self, key: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.folder.write_sealed(&self.path(key), [key.as_bytes(), bytes].concat())
    }

    /// So many slots that the usual few commands of a workspace don't take each other's, and no more.
    fn path(&self, key: &Digest) -> PathBuf {
        let mut path = self.base.clone().into_os_string();
        path.push(format!("-{:x}", key.as_bytes()[0] >> 4));
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lock::Sharing;

    #[test]
    fn a_slot_gives_its_own_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(dir.path(), Sharing::Shared, true).unwrap());
        let snapshots = Snapshots::new(folder, Path::new("/w"));
        let key = |last| Digest::from_bytes([&[7; 31][..], &[last]].concat().try_into().unwrap());
        assert!(snapshots.load(&key(1)).unwrap().is_none());
        snapshots.save(&key(1), b"answer").unwrap();
        assert_eq!(snapshots.load(&key(1)).unwrap().as_deref(), Some(&b"answer"[..]));
        assert!(snapshots.load(&key(2)).unwrap().is_none());
    }
}
