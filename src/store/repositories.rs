//! What the embedded registry holds: which manifests, tags and blobs each repository has.
//!
//! The bytes are among the store's blobs; here are small files that name them, each replaced whole. Below
//! `repositories/<path>`: `_manifests/<hex>` (JSON of [`Held`]), `_tags/<tag>` (a digest), `_blobs/<hex>` (a size). No part of a
//! repository's path begins with `_`. Writing to them is `publishing.rs`. Does not know how a manifest is read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

use super::blobs::{Blobs, Presence};
use super::error::StoreError;
use super::folder::Folder;
use super::temp::WRITABLE;

/// The repositories of one store.
#[derive(Debug)]
pub struct Repositories {
    pub(super) folder: Arc<Folder>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) dir: PathBuf,
}

/// A manifest of a repository, and what it names: whoever removes blobs needs nothing else to know which are in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// As it was pushed.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// Config and layers; those that are fetched from elsewhere by their nature are left out.
    pub blobs: BTreeSet<Digest>,
    /// The manifests of an index.
    pub manifests: BTreeSet<Digest>,
    /// The manifest that this one says something about; it need not exist.
    pub subject: Option<Digest>,
}

impl Repositories {
    pub(super) fn new(folder: Arc<Folder>, blobs: Arc<Blobs>) -> Repositories {
        let dir = folder.path.join("repositories");
        Repositories { folder, blobs, dir }
    }

    /// Every repository that holds a manifest, sorted.
    pub fn names(&self) -> Result<Vec<RepositoryPath>, StoreError> {
        let mut names = Vec::new();
        let mut open = vec![String::new()];
        while let Some(path) = open.pop() {
            let found = names_in(&self.dir.join(&path))?;
            let below = |name: &String| if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            open.extend(found.iter().filter(|name| !name.starts_with('_')).map(below));
            if let Ok(path) = path.parse::<RepositoryPath>()
                && !self.digests(&path, MANIFESTS)?.is_empty()
            {
                names.push(path);
            }
        }
        names.sort();
        Ok(names)
    }

    /// A repository's tags, in no order.
    pub fn tags(&self, repository: &RepositoryPath) -> Result<Vec<Tag>, StoreError> {
        let names = names_in(&self.part(repository, TAGS))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What a tag points to; `None` where there is no such tag.
    pub fn tagged(&self, repository: &RepositoryPath, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        self.read(&self.tag_file(repository, tag), |text| Digest::from_str(text.trim_end()).ok())
    }

    /// A repository's manifests, sorted by digest.
    pub fn manifests(&self, repository: &RepositoryPath) -> Result<Vec<(Digest, Held)>, StoreError> {
        let digests = self.digests(repository, MANIFESTS)?.into_iter();
        let held = digests.map(|digest| Ok(self.held(repository, &digest)?.map(|held| (digest, held))));
        held.filter_map(Result::transpose).collect()
    }

    /// One manifest of a repository; `None` where it holds none of this digest.
    pub fn held(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<Held>, StoreError> {
        self.read(&self.digest_file(repository, MANIFESTS, digest), |text| serde_json::from_str(text).ok())
    }

    /// Size in bytes of a blob of a repository; `None` where the repository, or the store itself, has no such blob.
    pub fn blob(&self, repository: &RepositoryPath, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let size = self.read(&self.digest_file(repository, BLOBS, digest), |text| text.trim_end().parse().ok())?;
        match size {
            Some(size) if self.blobs.contains(digest, size)? == Presence::Present => Ok(Some(size)),
            _ => Ok(None),
        }
    }

    /// Makes a blob of the store, of `size` bytes, one of a repository's.
    pub fn link(&self, repository: &RepositoryPath, digest: &Digest, size: u64) -> Result<(), StoreError> {
        let file = self.digest_file(repository, BLOBS, digest);
        make_parent(&file)?;
        self.folder.temps.create(WRITABLE)?.write(&file, format!("{size}\n").as_bytes(), false)
    }

    pub(super) fn part(&self, repository: &RepositoryPath, part: &str) -> PathBuf {
        self.dir.join(repository.as_str()).join(part)
    }

    pub(super) fn tag_file(&self, repository: &RepositoryPath, tag: &Tag) -> PathBuf {
        self.part(repository, TAGS).join(tag.as_str())
    }

    pub(super) fn digest_file(&self, repository: &RepositoryPath, part: &str, digest: &Digest) -> PathBuf {
        self.part(repository, part).join(digest.hex())
    }

    fn digests(&self, repository: &RepositoryPath, part: &str) -> Result<Vec<Digest>, StoreError> {
        let names = names_in(&self.part(repository, part))?;
        let mut digests: Vec<Digest> = names.iter().filter_map(|name| Digest::from_hex(name)).collect();
        digests.sort();
        Ok(digests)
    }

    /// A small file's meaning; `None` where there is no file, or where it was damaged (then with a warning).
    fn read<T>(&self, path: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(StoreError::io("read", path, error)),
        };
        let meaning = parse(&text);
        if meaning.is_none() {
            self.folder.warn(path, "was damaged and counts as absent: push the image again".to_owned());
        }
        Ok(meaning)
    }
}

/// Parts of a repository.
pub(super) const MANIFESTS: &str = "_manifests";
const TAGS: &str = "_tags";
const BLOBS: &str = "_blobs";

/// What a folder holds; nothing where there is none.
fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let fail = |error| StoreError::io("list", folder, error);
    match fs::read_dir(folder) {
        Ok(entries) => {
            entries.map(|entry| Ok(entry.map_err(fail)?.file_name().to_string_lossy().into_owned())).collect()
        }
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(fail(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes the folder that a file goes into.
pub(super) fn make_parent(file: &Path) -> Result<(), StoreError> {
    let parent = file.parent().unwrap_or(file);
    fs::create_dir_all(parent).map_err(|error| StoreError::io("create", parent, error))
}

/// Makes a name that was put in a folder, or taken from it, durable.
pub(super) fn sync_parent(file: &Path) -> Result<(), StoreError> {
    let parent = file.parent().unwrap_or(file);
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::io("sync", parent, error))
}
