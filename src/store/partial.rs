//! A blob that comes piece by piece, over several requests, at somebody else's pace.
//!
//! Holds no borrow of the store, which must outlive it; dropped before it is given back to the store, it leaves nothing.

use std::io::{self, Write};

use crate::digest::{Digest, Hasher};

use super::temp::TempFile;

/// What came so far, hashed as it came. Its `Write` errors hold a [`StoreError`](super::StoreError).
pub struct PartialBlob {
    temp: TempFile,
    hasher: Hasher,
    size: u64,
}

impl PartialBlob {
    pub(super) fn new(temp: TempFile) -> PartialBlob {
        PartialBlob { temp, hasher: Hasher::new(), size: 0 }
    }

    /// How many bytes came.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of what came so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// The file, its digest and its size.
    pub(super) fn into_parts(self) -> (TempFile, Digest, u64) {
        (self.temp, self.hasher.finish(), self.size)
    }
}

impl Write for PartialBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temp.append(bytes, self.size)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
