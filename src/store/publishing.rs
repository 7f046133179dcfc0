//! Putting manifests and tags into the embedded registry's repositories, and taking them away.
//!
//! One at a time, over all processes that share the store: what was checked still holds when the tag moves. Order is blobs,
//! manifest, tag, each durable before the next, so that no tag ever points at something incomplete. Does not know how a
//! manifest is read: what it names is given.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

use super::error::StoreError;
use super::lock::{Locked, Sharing};
use super::repositories::{Held, MANIFESTS, Repositories, make_parent, sync_parent};
use super::temp::WRITABLE;

/// What became of a wish to delete a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, and so are the tags that pointed to it.
    Done,
    /// There was none.
    Unknown,
    /// This index of the repository names it.
    NeededBy(Digest),
}

impl Repositories {
    /// Puts a manifest into a repository, and points a tag at it. `held` says what it names; where the repository lacks any
    /// of that, nothing is done and the lacking digests are given.
    pub fn publish(
        &self,
        repository: &RepositoryPath,
        bytes: &[u8],
        held: &Held,
        tag: Option<&Tag>,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        self.blobs.sync()?;
        let _alone = self.alone()?;
        let missing = self.missing(repository, held)?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let digest = self.blobs.put_bytes(bytes)?;
        self.blobs.sync()?;
        let text = serde_json::to_vec(held).map_err(|error| StoreError::io("write", &self.dir, error))?;
        self.place(&self.digest_file(repository, MANIFESTS, &digest), &text)?;
        tag.map_or(Ok(()), |tag| self.place(&self.tag_file(repository, tag), format!("{digest}\n").as_bytes()))?;
        Ok(missing)
    }

    /// Takes a tag away; whether there was one. What it pointed to stays.
    pub fn delete_tag(&self, repository: &RepositoryPath, tag: &Tag) -> Result<bool, StoreError> {
        let _alone = self.alone()?;
        remove(&self.tag_file(repository, tag))
    }

    /// Takes a manifest away, and before it every tag that points to it.
    pub fn delete_manifest(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Deletion, StoreError> {
        let _alone = self.alone()?;
        if self.held(repository, digest)?.is_none() {
            return Ok(Deletion::Unknown);
        }
        let needing = |(_, held): &(Digest, Held)| held.manifests.contains(digest);
        if let Some((index, _)) = self.manifests(repository)?.into_iter().find(needing) {
            return Ok(Deletion::NeededBy(index));
        }
        for tag in self.tags(repository)? {
            if self.tagged(repository, &tag)? == Some(*digest) {
                remove(&self.tag_file(repository, &tag))?;
            }
        }
        remove(&self.digest_file(repository, MANIFESTS, digest))?;
        Ok(Deletion::Done)
    }

    /// What a manifest names and its repository lacks; of an index also a manifest that itself lacks something. Empty unless
    /// the store lost blobs, as when damaged ones were removed.
    pub fn missing(&self, repository: &RepositoryPath, held: &Held) -> Result<BTreeSet<Digest>, StoreError> {
        let mut missing = BTreeSet::new();
        for digest in &held.blobs {
            if self.blob(repository, digest)?.is_none() {
                missing.insert(*digest);
            }
        }
        for digest in &held.manifests {
            let complete = match self.held(repository, digest)? {
                Some(held) => self.missing(repository, &held)?.is_empty(),
                None => false,
            };
            if !complete {
                missing.insert(*digest);
            }
        }
        Ok(missing)
    }

    fn alone(&self) -> Result<Locked, StoreError> {
        let path = self.dir.join("_lock");
        let fail = |error| StoreError::io("lock", &path, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        Locked::new(file, Sharing::Exclusive).map_err(|error| fail(error.into()))
    }

    /// Replaces a small file, durably.
    fn place(&self, file: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        make_parent(file)?;
        self.folder.temps.create(WRITABLE)?.write(file, bytes, true)?;
        sync_parent(file)
    }
}

/// Removes a file, durably; whether there was one.
fn remove(file: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(file) {
        Ok(()) => sync_parent(file).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("remove", file, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenMode, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenMode { wait: true }).unwrap();
        (dir, store)
    }

    fn path(text: &str) -> RepositoryPath {
        text.parse().unwrap()
    }

    fn names(blobs: &[Digest], manifests: &[Digest]) -> Held {
        let (blobs, manifests) = (blobs.iter().copied().collect(), manifests.iter().copied().collect());
        Held { media_type: "m".into(), size: 1, blobs, manifests, subject: None }
    }

    #[test]
    fn a_manifest_is_published_only_over_blobs_that_its_repository_has() {
        let (_dir, store) = store();
        let (repositories, here, tag) = (store.repositories(), path("a/b"), "1".parse().unwrap());
        let blob = store.blobs().put_bytes(b"blob").unwrap();
        let held = names(&[blob], &[]);
        let publish = || repositories.publish(&here, b"m", &held, Some(&tag)).unwrap();
        assert_eq!(publish(), BTreeSet::from([blob]), "in the store, but not in the repository");
        repositories.link(&path("a"), &blob, 4).unwrap();
        assert_eq!(publish(), BTreeSet::from([blob]), "in another repository");
        assert_eq!((repositories.tagged(&here, &tag).unwrap(), repositories.names().unwrap()), (None, vec![]));
        repositories.link(&here, &blob, 4).unwrap();
        assert_eq!(publish(), BTreeSet::new());
        assert_eq!(repositories.tagged(&here, &tag).unwrap(), Some(Digest::of(b"m")));
        assert_eq!(repositories.held(&here, &Digest::of(b"m")).unwrap(), Some(held.clone()));
        assert_eq!(repositories.names().unwrap(), [here]);
    }

    #[test]
    fn a_blob_that_the_store_lost_is_missing_until_it_is_there_again() {
        let (_dir, store) = store();
        let (repositories, here) = (store.repositories(), path("a"));
        let blob = store.blobs().put_bytes(b"blob").unwrap();
        repositories.link(&here, &blob, 4).unwrap();
        store.blobs().remove_corrupt(&blob).unwrap();
        assert_eq!(repositories.blob(&here, &blob).unwrap(), None);
        assert_eq!(repositories.publish(&here, b"m", &names(&[blob], &[]), None).unwrap(), BTreeSet::from([blob]));
        store.blobs().put_bytes(b"blob").unwrap();
        assert_eq!(repositories.blob(&here, &blob).unwrap(), Some(4));
    }

    #[test]
    fn a_deleted_manifest_takes_its_tags_with_it_and_one_that_an_index_names_stays() {
        let (_dir, store) = store();
        let (repositories, here) = (store.repositories(), path("a"));
        let tags: Vec<Tag> = ["1", "latest"].iter().map(|tag| tag.parse().unwrap()).collect();
        let (image, index) = (Digest::of(b"image"), Digest::of(b"index"));
        for tag in &tags {
            repositories.publish(&here, b"image", &names(&[], &[]), Some(tag)).unwrap();
        }
        repositories.publish(&here, b"index", &names(&[], &[image]), None).unwrap();
        assert_eq!(repositories.delete_manifest(&here, &image).unwrap(), Deletion::NeededBy(index));
        assert_eq!(repositories.tags(&here).unwrap().len(), 2);
        assert_eq!(repositories.delete_manifest(&here, &index).unwrap(), Deletion::Done);
        assert_eq!(repositories.delete_manifest(&here, &image).unwrap(), Deletion::Done);
        assert_eq!(repositories.delete_manifest(&here, &image).unwrap(), Deletion::Unknown);
        assert!(repositories.tags(&here).unwrap().is_empty() && repositories.names().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_tag_counts_as_absent_with_a_warning_and_can_be_put_again() {
        let (_dir, store) = store();
        let (repositories, here, tag) = (store.repositories(), path("a"), "1".parse().unwrap());
        let publish = || repositories.publish(&here, b"m", &names(&[], &[]), Some(&tag)).unwrap();
        publish();
        fs::write(repositories.tag_file(&here, &tag), "sha256:torn").unwrap();
        assert_eq!(repositories.tagged(&here, &tag).unwrap(), None);
        assert_eq!(store.take_warnings().len(), 1);
        publish();
        assert_eq!(repositories.tagged(&here, &tag).unwrap(), Some(Digest::of(b"m")));
    }
}
