//! What is kept on disk: blobs by digest, action records, where chunks stand, file hashes, last builds.
//!
//! [`Store`] opens a cache folder and hands out its parts. Killed at any moment it stays valid: everything is put in place
//! whole or skipped when torn, and no action record precedes its blobs. Several processes may share it.
//! Knows nothing of targets, actions or archives.
//!
//! ```text
//! VERSION  CACHEDIR.TAG  lock  tmp/       who may use it, and what is being written
//! blobs/sha256/ab/<hex>                   blobs.rs, partial.rs, verified.rs
//! actions/<shard>  chunks/<shard>         actions.rs, chunks.rs: journals (journal.rs, shard.rs, record.rs)
//! files/<hash>  last/<hash>  snapshots/…    file_hashes.rs, last.rs, snapshots.rs: sealed files of a workspace
//! logs/<hash>/<id>.jsonl                  logs.rs: what happened in commands, a line an event
//! repositories/<path>/…                   repositories.rs, publishing.rs: what the embedded registry holds
//! roots/  steps/  caches/                 roots.rs: layers as directories, folders of running steps, caches by name
//! ```

use std::path::Path;
use std::sync::Arc;

mod actions;
mod beneath;
mod blobs;
mod chunks;
mod error;
mod file_hashes;
mod file_identity;
mod folder;
mod journal;
mod last;
mod lock;
mod logs;
mod map;
mod partial;
mod publishing;
mod record;
mod repositories;
mod roots;
mod shard;
mod snapshots;
mod stat_table;
mod temp;
mod verified;
mod version;

pub use actions::{ActionCache, Cache, MemoryCache};
pub use blobs::{BlobFile, BlobWriter, Blobs, Presence};
pub use chunks::{ChunkIndex, ChunkPlace};
pub use error::{StoreError, StoreWarning};
pub use file_hashes::{FileHashes, Trust};
pub use file_identity::{FileError, FileIdentity, FileKind};
pub use last::LastBuilds;
pub use logs::{LogEntry, LogFile, LogKind, Logs};
pub use partial::PartialBlob;
pub use publishing::Deletion;
pub use repositories::{Held, Repositories};
pub use roots::{Roots, StepFolder};
pub use snapshots::{Kept, Snapshots};
pub use verified::VerifiedReader;

use folder::Folder;
use lock::Sharing;

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenMode {
    /// Wait for whoever holds the store alone; else [`StoreError::Locked`]. Waiting is silent: to tell the user, try
    /// without first.
    pub wait: bool,
}

/// An open store. Shared by threads as `&Store`.
#[derive(Debug)]
pub struct Store {
    folder: Arc<Folder>,
    blobs: Arc<Blobs>,
    actions: ActionCache,
    chunks: ChunkIndex,
    repositories: Repositories,
    roots: Roots,
}

impl Store {
    /// Opens the store in a folder, to be shared with others; makes it where there is none.
    pub fn open(dir: &Path, mode: OpenMode) -> Result<Store, StoreError> {
        Folder::open(dir, Sharing::Shared, mode.wait).map(Store::over)
    }

    /// Opens the store for this process alone: to remove from it.
    pub fn open_alone(dir: &Path, mode: OpenMode) -> Result<Store, StoreError> {
        Folder::open(dir, Sharing::Exclusive, mode.wait).map(Store::over)
    }

    fn over(folder: Folder) -> Store {
        let folder = Arc::new(folder);
        let blobs = Arc::new(Blobs::new(Arc::clone(&folder)));
        let actions = ActionCache::new(Arc::clone(&folder), Arc::clone(&blobs));
        let chunks = ChunkIndex::new(Arc::clone(&folder), Arc::clone(&blobs));
        let repositories = Repositories::new(Arc::clone(&folder), Arc::clone(&blobs));
        let roots = Roots::new(Arc::clone(&folder));
        Store { folder, blobs, actions, chunks, repositories, roots }
    }

    /// The cache folder, absolute.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    /// Blobs by digest.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Records of finished actions.
    pub fn actions(&self) -> &ActionCache {
        &self.actions
    }

    /// Where compressed chunks stand.
    pub fn chunks(&self) -> &ChunkIndex {
        &self.chunks
    }

    /// What the embedded registry holds.
    pub fn repositories(&self) -> &Repositories {
        &self.repositories
    }

    /// Layers laid out as directories.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The file hashes of the workspace with this root folder (absolute).
    pub fn file_hashes(&self, workspace: &Path, trust: Trust) -> Result<FileHashes, StoreError> {
        FileHashes::open(Arc::clone(&self.folder), workspace, trust)
    }

    /// The last builds of the workspace with this root folder (absolute).
    pub fn last_builds(&self, workspace: &Path) -> LastBuilds {
        LastBuilds::new(Arc::clone(&self.folder), workspace)
    }

    /// Answers given for the workspace with this root folder (absolute).
    pub fn snapshots(&self, workspace: &Path) -> Snapshots {
        Snapshots::new(Arc::clone(&self.folder), workspace)
    }

    /// What was found damaged since the last call.
    pub fn take_warnings(&self) -> Vec<StoreWarning> {
        self.folder.take_warnings()
    }

    /// Ends the use of the store: everything put is durable, or the error says why not. Dropping does the same in silence.
    pub fn finish(self) -> Result<(), StoreError> {
        self.actions.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::digest::Digest;

    const WAIT: OpenMode = OpenMode { wait: true };

    #[test]
    fn what_one_process_finishes_the_next_one_finds() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (Store::open(dir.path(), WAIT).unwrap(), Digest::of(b"action"));
        let blob = store.blobs().put_bytes(b"output").unwrap();
        store.actions().put(&key, b"record").unwrap();
        store.finish().unwrap();
        let store = Store::open(dir.path(), WAIT).unwrap();
        assert_eq!(store.actions().get(&key).unwrap().as_deref(), Some(&b"record"[..]));
        assert_eq!(store.blobs().contains(&blob, 6).unwrap(), Presence::Present);
        assert!(store.take_warnings().is_empty());
    }

    #[test]
    fn a_process_killed_while_writing_leaves_a_store_that_cleans_itself() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().join("tmp");
        drop(Store::open(dir.path(), WAIT).unwrap());
        for name in ["4194304-0", "4194304-0.0", "4194304-0.1"] {
            std::fs::write(tmp.join(name), "half a blob").unwrap();
        }
        let store = Store::open(dir.path(), WAIT).unwrap();
        assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
        let mut writer = store.blobs().writer().unwrap();
        writer.write_all(b"being written").unwrap();
        drop(Store::open(dir.path(), WAIT).unwrap());
        writer.finish().unwrap();
    }

    #[test]
    fn whoever_removes_is_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), WAIT).unwrap();
        let hashes = store.file_hashes(dir.path(), Trust::Stat).unwrap();
        drop(store);
        let alone = || Store::open_alone(dir.path(), OpenMode { wait: false });
        assert!(matches!(alone(), Err(StoreError::Locked { .. })), "a part in use is a store in use");
        drop(hashes);
        let _alone = alone().unwrap();
        assert!(matches!(Store::open(dir.path(), OpenMode { wait: false }), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn many_threads_of_two_processes_build_the_same_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let stores = [Store::open(dir.path(), WAIT).unwrap(), Store::open(dir.path(), WAIT).unwrap()];
        std::thread::scope(|scope| {
            for store in stores.iter().chain(&stores) {
                scope.spawn(move || {
                    for i in 0..200u32 {
                        let blob = store.blobs().put_bytes(&i.to_le_bytes()).unwrap();
                        store.actions().put(&blob, blob.as_bytes()).unwrap();
                    }
                    store.actions().flush().unwrap();
                });
            }
        });
        let fresh = Store::open(dir.path(), WAIT).unwrap();
        for i in 0..200u32 {
            let blob = Digest::of(&i.to_le_bytes());
            assert_eq!(fresh.actions().get(&blob).unwrap().as_deref(), Some(&blob.as_bytes()[..]));
            assert_eq!(fresh.blobs().read_verified(&blob, 4).unwrap(), i.to_le_bytes());
        }
        assert!(fresh.take_warnings().is_empty());
    }
}
