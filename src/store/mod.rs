//! What is kept on disk: blobs by digest, action records, where chunks stand, file hashes, last builds.
//!
//! [`Store`] opens a cache folder and hands out its parts. Killed at any moment it stays valid: everything is put in place
//! whole or skipped when torn, and no action record precedes its blobs. Several processes may share it.
//! Knows nothing of targets, actions or archives.
//!
//! ```text
//! VERSION  CACHEDIR.TAG  lock  tmp/       who may use it, and what is being written
//! blobs/sha256/ab/<hex>                   blobs.rs, verified.rs
//! actions/<shard>  chunks/<shard>         actions.rs, chunks.rs: journals (journal.rs, shard.rs, record.rs)
//! files/<hash>  last/<hash>               file_hashes.rs, last.rs: one sealed file a workspace
//! ```

use std::path::Path;
use std::sync::Arc;

mod actions;
mod blobs;
mod chunks;
mod error;
mod folder;
mod journal;
mod last;
mod lock;
mod map;
mod record;
mod shard;
mod temp;
mod verified;
mod version;

pub use actions::{ActionCache, Cache, MemoryCache};
pub use blobs::{BlobWriter, Blobs, Presence};
pub use chunks::{ChunkIndex, ChunkPlace};
pub use error::{StoreError, StoreWarning};
pub use last::LastBuilds;
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
        Store { folder, blobs, actions, chunks }
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

    /// The last builds of the workspace with this root folder (absolute).
    pub fn last_builds(&self, workspace: &Path) -> LastBuilds {
        LastBuilds::new(Arc::clone(&self.folder), workspace)
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
