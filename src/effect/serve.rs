//! The store as the embedded registry's storage: its blobs are served and its repositories say which are whose.
//!
//! A blob that the store holds for another reason, such as an image that was built and not pushed, is nobody's here. Nothing is
//! copied on the way out. Knows neither HTTP nor targets.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::Digest;
use crate::reason::reason;
use crate::reference::{RepositoryPath, Tag};
use crate::registry::serve::{Deleted, Incoming, Publication, Storage, StorageError, StoredManifest};
use crate::store::{Deletion, Held, PartialBlob, Store, StoreError};

/// A store that is served.
pub struct ServedStore {
    store: Arc<Store>,
    /// Blobs that were read whole and found right since this process began: only of such are parts given.
    proven: Mutex<HashSet<Digest>>,
}

impl ServedStore {
    /// Serves a store.
    pub fn new(store: Arc<Store>) -> ServedStore {
        ServedStore { store, proven: Mutex::default() }
    }

    /// Reads a blob to its end once, so that a part of it can be given.
    fn prove(&self, digest: &Digest, size: u64) -> Result<(), StoreError> {
        if self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(digest) {
            return Ok(());
        }
        let mut reader = Healing {
            store: self.store.clone(),
            digest: *digest,
            reader: self.store.blobs().open_verified(digest, size)?,
        };
        io::copy(&mut reader, &mut io::sink())
            .map_err(|error| StoreError::io("read", &self.store.blobs().path(digest), error))?;
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest);
        Ok(())
    }

    /// A manifest's bytes; `None` where the store no longer has them, or has others: they are then removed, to be pushed anew.
    fn read(&self, digest: &Digest, held: Held) -> Result<Option<StoredManifest>, StoreError> {
        match self.store.blobs().read_verified(digest, held.size) {
            Ok(bytes) => Ok(Some(StoredManifest { media_type: held.media_type, bytes })),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(StoreError::Corrupt { .. }) => self.store.blobs().remove_corrupt(digest).map(|()| None),
            Err(error) => Err(error),
        }
    }
}

impl From<StoreError> for StorageError {
    fn from(error: StoreError) -> StorageError {
        StorageError(error.to_string())
    }
}

impl Storage for ServedStore {
    fn repositories(&self) -> Result<Vec<RepositoryPath>, StorageError> {
        Ok(self.store.repositories().names()?)
    }

    fn tags(&self, repository: &RepositoryPath) -> Result<Vec<Tag>, StorageError> {
        Ok(self.store.repositories().tags(repository)?)
    }

    fn tagged(&self, repository: &RepositoryPath, tag: &Tag) -> Result<Option<Digest>, StorageError> {
        Ok(self.store.repositories().tagged(repository, tag)?)
    }

    fn manifest(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<StoredManifest>, StorageError> {
        let repositories = self.store.repositories();
        match repositories.held(repository, digest)? {
            // Where blobs were lost, whoever pushes must learn that there is something to send.
            Some(held) if repositories.missing(repository, &held)?.is_empty() => Ok(self.read(digest, held)?),
            _ => Ok(None),
        }
    }

    fn referrers(&self, repository: &RepositoryPath, subject: &Digest) -> Result<Vec<StoredManifest>, StorageError> {
        let all = self.store.repositories().manifests(repository)?.into_iter();
        let ours = all.filter(|(_, held)| held.subject == Some(*subject));
        Ok(ours.filter_map(|(digest, held)| self.read(&digest, held).transpose()).collect::<Result<_, _>>()?)
    }

    fn publish(
        &self,
        repository: &RepositoryPath,
        publication: &Publication,
        tag: Option<&Tag>,
    ) -> Result<BTreeSet<Digest>, StorageError> {
        let manifest = &publication.manifest;
        let held = Held {
            media_type: manifest.media_type.clone(),
            size: manifest.bytes.len() as u64,
            blobs: publication.blobs.clone(),
            manifests: publication.manifests.clone(),
            subject: publication.subject,
        };
        Ok(self.store.repositories().publish(repository, &manifest.bytes, &held, tag)?)
    }

    fn delete_tag(&self, repository: &RepositoryPath, tag: &Tag) -> Result<bool, StorageError> {
        Ok(self.store.repositories().delete_tag(repository, tag)?)
    }

    fn delete_manifest(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Deleted, StorageError> {
        Ok(match self.store.repositories().delete_manifest(repository, digest)? {
            Deletion::Done => Deleted::Done,
            Deletion::Unknown => Deleted::Unknown,
            Deletion::NeededBy(index) => Deleted::NeededBy(index),
        })
    }

    fn blob(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<u64>, StorageError> {
        Ok(self.store.repositories().blob(repository, digest)?)
    }

    fn open(&self, digest: &Digest, size: u64, part: Range<u64>) -> Result<Box<dyn Read + Send>, StorageError> {
        if part == (0..size) {
            let reader = self.store.blobs().open_verified(digest, size)?;
            return Ok(Box::new(Healing { store: self.store.clone(), digest: *digest, reader }));
        }
        self.prove(digest, size)?;
        let mut file = self.store.blobs().open(digest)?;
        file.seek(SeekFrom::Start(part.start)).map_err(|error| StorageError(reason(&error)))?;
        Ok(Box::new(file.take(part.end - part.start)))
    }

    fn mount(&self, digest: &Digest, from: &RepositoryPath, to: &RepositoryPath) -> Result<bool, StorageError> {
        let repositories = self.store.repositories();
        let Some(size) = repositories.blob(from, digest)? else { return Ok(false) };
        repositories.link(to, digest, size)?;
        Ok(true)
    }

    fn begin(&self) -> Result<Box<dyn Incoming>, StorageError> {
        Ok(Box::new(Upload { partial: self.store.blobs().partial()?, store: self.store.clone() }))
    }
}

/// Removes a blob that turns out damaged while it is read: it is then missing, and a push brings it again.
struct Healing<R> {
    store: Arc<Store>,
    digest: Digest,
    reader: R,
}

impl<R: Read> Read for Healing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).inspect_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData {
                // The error that is told is that of the damage.
                let _ = self.store.blobs().remove_corrupt(&self.digest);
            }
        })
    }
}

/// A blob that is coming, in a temporary file of the store.
struct Upload {
    // Before the store: the file is removed while the store still holds its folder.
    partial: PartialBlob,
    store: Arc<Store>,
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.partial.flush()
    }
}

impl Incoming for Upload {
    fn size(&self) -> u64 {
        self.partial.size()
    }

    fn keep(self: Box<Self>, repository: &RepositoryPath, digest: &Digest) -> Result<Result<(), Digest>, StorageError> {
        let found = self.partial.digest();
        if found != *digest {
            return Ok(Err(found));
        }
        let (digest, size) = self.store.blobs().put(self.partial)?;
        self.store.repositories().link(repository, &digest, size)?;
        Ok(Ok(()))
    }
}
