//! Uploads on their way: each under a name of ours, with the bytes that came so far.
//!
//! They live as long as the server does: after a restart an upload begins anew. One that nobody touched for a day is dropped
//! when the next one begins. Knows nothing of HTTP.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::storage::Incoming;
use crate::reference::RepositoryPath;

/// An upload that one request at a time works on; `None` once it ended.
pub(super) type Upload = Arc<tokio::sync::Mutex<Option<Box<dyn Incoming>>>>;

/// All uploads.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
    begun: AtomicU64,
    /// Makes names that no earlier server gave.
    names: RandomState,
}

struct Session {
    repository: RepositoryPath,
    upload: Upload,
    touched: Instant,
}

const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Sessions {
    /// Begins an upload into a repository; gives its name.
    pub(super) fn begin(&self, repository: RepositoryPath, incoming: Box<dyn Incoming>) -> String {
        let mut open = self.locked();
        open.retain(|_, session| session.touched.elapsed() < IDLE);
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let name = format!("{number:x}-{:016x}", self.names.hash_one(number));
        let upload = Arc::new(tokio::sync::Mutex::new(Some(incoming)));
        open.insert(name.clone(), Session { repository, upload, touched: Instant::now() });
        name
    }

    /// The upload of this name into this repository; `None` where there is none.
    pub(super) fn find(&self, repository: &RepositoryPath, name: &str) -> Option<Upload> {
        let mut open = self.locked();
        let session = open.get_mut(name).filter(|session| session.repository == *repository)?;
        session.touched = Instant::now();
        Some(session.upload.clone())
    }

    /// Forgets an upload. What works on it still may end its work.
    pub(super) fn end(&self, name: &str) {
        self.locked().remove(name);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
