//! Where blobs come from: the trait that exports and checks read through, and two simple sources.
//!
//! The store is another source, joined to this trait above both. Whoever reads verifies: [`verified`] does it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::digest::{Digest, Hasher};

/// Gives blobs by digest. It need not verify what it gives.
pub trait BlobSource {
    /// Opens a blob at its first byte; `NotFound` where it is missing. `size` is what its descriptor says, in bytes.
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + '_>>;

    /// The file that holds just this blob, from which a copy can be cloned; `None` where there is none.
    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        let _ = digest;
        None
    }
}

/// Blobs in memory, such as configs and manifests that were made just now.
#[derive(Debug, Clone, Default)]
pub struct MemoryBlobs(BTreeMap<Digest, Vec<u8>>);

impl MemoryBlobs {
    /// Adds a blob, and gives its digest.
    pub fn add(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.0.insert(digest, bytes);
        digest
    }
}

impl BlobSource for MemoryBlobs {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        match self.0.get(digest) {
            Some(bytes) => Ok(Box::new(bytes.as_slice())),
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("no blob {digest} in memory"))),
        }
    }
}

/// Blobs of an OCI layout's folder: `blobs/sha256/<hex>` below it.
#[derive(Debug, Clone)]
pub struct LayoutBlobs(pub PathBuf);

impl BlobSource for LayoutBlobs {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(self.0.join("blobs/sha256").join(digest.hex()))?))
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.0.join("blobs/sha256").join(digest.hex()))
    }
}

/// Reads on, and fails at the end where the bytes were not those of the digest and size.
pub fn verified<R: Read>(reader: R, digest: Digest, size: u64) -> Verified<R> {
    Verified { reader, hasher: Some(Hasher::new()), seen: 0, digest, size }
}

/// See [`verified`].
pub struct Verified<R> {
    reader: R,
    /// Taken when the end was reached.
    hasher: Option<Hasher>,
    seen: u64,
    digest: Digest,
    size: u64,
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.seen += count as u64;
        if count > 0 {
            self.hasher.iter_mut().for_each(|hasher| hasher.update(&buffer[..count]));
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
        {
            check(self.digest, self.size, hasher.finish(), self.seen)?;
        }
        Ok(count)
    }
}

fn check(digest: Digest, size: u64, computed: Digest, seen: u64) -> io::Result<()> {
    if (digest, size) == (computed, seen) {
        return Ok(());
    }
    let why = format!("blob {digest} is corrupt: {size} bytes are expected, {seen} bytes of {computed} were read");
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// A small blob, such as a manifest, whole and verified.
pub fn read_small(source: &dyn BlobSource, digest: Digest, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limited = source.open(&digest, size)?.take(size.saturating_add(1)); // a source must not fill our memory
    verified(limited, digest, size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_and_another_size_are_told() {
        let mut blobs = MemoryBlobs::default();
        let digest = blobs.add(b"blob".to_vec());
        assert_eq!(read_small(&blobs, digest, 4).unwrap(), b"blob");
        for size in [3, 5] {
            assert_eq!(read_small(&blobs, digest, size).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let read = |bytes: &'static [u8]| io::read_to_string(verified(bytes, digest, 4));
        assert_eq!((read(b"blob").unwrap().as_str(), read(b"BLOB").is_err()), ("blob", true));
        assert_eq!(read_small(&blobs, Digest::of(b""), 0).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
