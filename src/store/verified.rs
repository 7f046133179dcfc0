//! A blob read with its digest checked on the way.
//!
//! Takes an open file and what it should be; gives the bytes, or an error in place of the last of them. Knows nothing of the store.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::digest::{Digest, Hasher};

use super::error::StoreError;

/// Reads a blob; the read that would end it fails with [`StoreError::Corrupt`] (inside the `io::Error`, kind
/// `InvalidData`; [`StoreError::io`] takes it out) where the bytes are not the digest's. So nobody holds a whole wrong blob.
pub struct VerifiedReader {
    file: File,
    path: PathBuf,
    digest: Digest,
    /// `None` once all bytes were seen.
    hasher: Option<Hasher>,
    /// Bytes still to come.
    left: u64,
    /// The digest was right.
    proven: bool,
}

impl VerifiedReader {
    pub(super) fn new(file: File, path: PathBuf, digest: Digest, size: u64) -> Result<VerifiedReader, StoreError> {
        let found = file.metadata().map_err(|error| StoreError::io("stat", &path, error))?.len();
        let reader = VerifiedReader { file, path, digest, hasher: Some(Hasher::new()), left: size, proven: false };
        if found == size { Ok(reader) } else { Err(reader.corrupt()) }
    }

    fn corrupt(&self) -> StoreError {
        StoreError::Corrupt { digest: self.digest, path: self.path.clone() }
    }

    fn prove(&mut self) -> io::Result<()> {
        if let Some(hasher) = self.hasher.take() {
            self.proven = hasher.finish() == self.digest;
        }
        if self.proven { Ok(()) } else { Err(self.corrupt().into_io()) }
    }
}

impl Read for VerifiedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..wanted])?;
        self.hasher.iter_mut().for_each(|hasher| hasher.update(&buffer[..read]));
        self.left -= read as u64;
        if self.left == 0 {
            self.prove()?;
        } else if read == 0 {
            return Err(self.corrupt().into_io());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8], digest: Digest, size: u64) -> Result<VerifiedReader, StoreError> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        VerifiedReader::new(file, "blob".into(), digest, size)
    }

    #[test]
    fn the_last_bytes_of_a_wrong_blob_are_never_handed_out() {
        let mut reader = reader(b"hallo", Digest::of(b"hello"), 5).unwrap();
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes[..4]).unwrap();
        assert!(reader.read_exact(&mut bytes[4..]).is_err());
        assert!(reader.read(&mut bytes).is_err(), "and reading on doesn't help");
    }

    #[test]
    fn another_size_is_corrupt_at_once() {
        for size in [4, 6] {
            assert!(matches!(reader(b"hello", Digest::of(b"hello"), size), Err(StoreError::Corrupt { .. })));
        }
    }

    #[test]
    fn the_empty_blob_is_read_and_a_wrong_empty_one_is_not() {
        let mut bytes = Vec::new();
        assert_eq!(reader(b"", Digest::of(b""), 0).unwrap().read_to_end(&mut bytes).unwrap(), 0);
        assert!(reader(b"", Digest::of(b"x"), 0).unwrap().read_to_end(&mut bytes).is_err());
    }
}
