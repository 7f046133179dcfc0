//! A base's layers into the store, for whoever needs the files. Those that are there already are left alone.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use crate::base::error::BaseError;
use crate::base::fetch::Reader;
use crate::base::remote::{RemoteBlob, RemoteError};
use crate::store::{Presence, StoreError};

/// So many blobs come at a time.
const AT_ONCE: usize = 4;

impl Reader<'_> {
    /// Which of these blobs the store lacks, each once.
    pub fn missing_blobs(&self, blobs: &[RemoteBlob]) -> Result<Vec<RemoteBlob>, StoreError> {
        let mut missing: Vec<RemoteBlob> = Vec::new();
        for blob in blobs {
            let known = missing.iter().any(|other| other.digest == blob.digest);
            if !known && self.store.blobs().contains(&blob.digest, blob.size)? != Presence::Present {
                missing.push(blob.clone());
            }
        }
        Ok(missing)
    }

    /// Fetches these blobs, several at a time.
    pub fn fetch_blobs(&self, blobs: &[RemoteBlob]) -> Result<(), BaseError> {
        let queue = Mutex::new(blobs.iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<(), BaseError> {
            while let Some(blob) = next() {
                self.fetch_blob(blob)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE.min(blobs.len())).map(|_| scope.spawn(work)).collect();
            let ended =
                workers.into_iter().map(|worker| worker.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
            ended.fold(Ok(()), Result::and)
        })
    }

    fn fetch_blob(&self, blob: &RemoteBlob) -> Result<(), BaseError> {
        let mut source = self.remote.open(blob)?;
        let mut writer = self.store.blobs().writer()?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RemoteError { message: error.to_string(), mistake: false }.into()),
            };
            let written = writer.write_all(&buffer[..count]);
            written.map_err(|error| StoreError::io("write", self.store.path(), error))?;
        }
        // The remote has held the bytes against their digest; the store takes nobody's word.
        let (digest, _) = writer.finish()?;
        if digest == blob.digest {
            return Ok(());
        }
        let message = format!("{} gave {digest} for {}", blob.repository, blob.digest);
        Err(RemoteError { message, mistake: false }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::{self, Memory};
    use crate::platform::Platform;

    #[test]
    fn only_what_is_missing_comes() {
        let mut memory = Memory::default();
        let manifest = memory.image(|_, _| {});
        let (store, _folder) = testing::store();
        let reader = Reader { remote: &memory, store: &store };
        let origin = testing::origin(manifest);
        let image = reader.image(&origin, &Platform::default()).unwrap();
        let layers: Vec<RemoteBlob> =
            image.layers.iter().map(|layer| RemoteBlob::of(&origin.repository, &layer.descriptor)).collect();
        let missing = reader.missing_blobs(&[&layers[..], &layers[..]].concat()).unwrap();
        assert_eq!(missing, layers);
        memory.take_asked();
        reader.fetch_blobs(&missing).unwrap();
        assert_eq!(memory.take_asked(), [format!("blob {}", missing[0].digest)]);
        assert_eq!(reader.missing_blobs(&layers).unwrap(), []);
    }
}
