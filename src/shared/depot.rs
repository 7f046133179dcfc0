//! A repository of a registry that holds records, as it is read here: the seam to registries.
//!
//! Who implements it sees to credentials, retries and digests of what is read by digest.

use std::io::Read;

use crate::action::record::Blob;
use crate::reference::{Repository, Tag};

/// Why a repository gave nothing, as a phrase: which request, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DepotError {
    /// What it holds under this name is not what it should be.
    Unusable(String),
    /// It can't be asked: there is no use in asking for more.
    Down(String),
}

/// A repository with an artifact a key.
pub trait Depot: Send + Sync {
    /// Where it is.
    fn repository(&self) -> &Repository;

    /// The manifest that a tag names, at most a registry's limit (4 MiB); `None` where there is none.
    fn manifest(&self, tag: &Tag) -> Result<Option<Vec<u8>>, DepotError>;

    /// Whether a blob is there.
    fn has(&self, blob: &Blob) -> Result<bool, DepotError>;

    /// Opens a blob that is small enough to be held in memory. The end comes only after all bytes were right.
    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>, DepotError>;
}
