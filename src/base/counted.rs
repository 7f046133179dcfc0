//! Another registry whose blobs are counted as they are read, so that somebody can be told how far it is.

use std::io::{self, Read};

use crate::base::remote::{Document, Remote, RemoteBlob, RemoteError};
use crate::digest::Digest;
use crate::reference::Reference;

/// A remote, and who is told of each piece of a blob, in bytes.
pub struct Counted<'a> {
    /// What is asked.
    pub remote: &'a dyn Remote,
    /// Who is told.
    pub told: &'a (dyn Fn(u64) + Sync),
}

impl Remote for Counted<'_> {
    fn document(&self, image: &Reference) -> Result<Document, RemoteError> {
        self.remote.document(image)
    }

    fn tag(&self, image: &Reference) -> Result<Option<Digest>, RemoteError> {
        self.remote.tag(image)
    }

    fn open<'a>(&'a self, blob: &RemoteBlob) -> Result<Box<dyn Read + Send + 'a>, RemoteError> {
        let reader = self.remote.open(blob)?;
        Ok(Box::new(CountedReader { reader, told: self.told }))
    }
}

struct CountedReader<'a> {
    reader: Box<dyn Read + Send + 'a>,
    told: &'a (dyn Fn(u64) + Sync),
}

impl Read for CountedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        (self.told)(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::fetch::Reader;
    use crate::base::testing::{self, Memory};
    use crate::platform::Platform;

    #[test]
    fn all_bytes_of_layers_are_told_of_while_they_are_listed() {
        let mut memory = Memory::default();
        let manifest = memory.image(|_, _| {});
        let (store, _folder) = testing::store();
        let origin = testing::origin(manifest);
        let image = Reader { remote: &memory, store: &store }.image(&origin, &Platform::default()).unwrap();
        let came = AtomicU64::new(0);
        let told = |bytes| _ = came.fetch_add(bytes, Ordering::Relaxed);
        let counted = Counted { remote: &memory, told: &told };
        Reader { remote: &counted, store: &store }.list(&origin, &image).unwrap();
        assert_eq!(came.into_inner(), image.layers[0].descriptor.size);
    }
}
