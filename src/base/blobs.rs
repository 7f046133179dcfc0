//! A base's layers into the store, for whoever needs the files. Those that are there already are left alone.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use crate::base::error::BaseError;
use crate::base::fetch::{Origin, Reader};
use crate::base::remote::RemoteError;
use crate::oci::descriptor::Descriptor;
use crate::oci::image::Image;
use crate::store::{Presence, StoreError};

/// So many blobs come at a time.
const AT_ONCE: usize = 4;

impl Reader<'_> {
    /// Which layers of an image the store lacks, each once, lowest first.
    pub fn missing_blobs(&self, image: &Image) -> Result<Vec<Descriptor>, StoreError> {
        let mut missing: Vec<Descriptor> = Vec::new();
        for blob in image.layers.iter().map(|layer| &layer.descriptor) {
            let known = missing.iter().any(|other| other.digest == blob.digest);
            if !known && self.store.blobs().contains(&blob.digest, blob.size)? != Presence::Present {
                missing.push(blob.clone());
            }
        }
        Ok(missing)
    }

    /// Fetches these blobs of an image's repository, several at a time; `told` gets the bytes of each piece that came.
    pub fn fetch_blobs(
        &self,
        origin: &Origin,
        blobs: &[Descriptor],
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<(), BaseError> {
        let queue = Mutex::new(blobs.iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<(), BaseError> {
            while let Some(blob) = next() {
                self.fetch_blob(origin, blob, told)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE.min(blobs.len())).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
            ended.fold(Ok(()), Result::and)
        })
    }

    fn fetch_blob(&self, origin: &Origin, blob: &Descriptor, told: &(dyn Fn(u64) + Sync)) -> Result<(), BaseError> {
        let mut source = self.remote.open(&origin.repository, blob)?;
        let mut writer = self.store.blobs().writer()?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RemoteError { message: error.to_string(), hint: None }.into()),
            };
            let written = writer.write_all(&buffer[..count]);
            written.map_err(|error| StoreError::io("write", self.store.path(), error))?;
            told(count as u64);
        }
        // The remote has held the bytes against their digest; a store that kept others under it would not be one.
        let (digest, _) = writer.finish()?;
        if digest == blob.digest {
            return Ok(());
        }
        let message = format!("{} gave {digest} for {}", origin.repository, blob.digest);
        Err(RemoteError { message, hint: None }.into())
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
        let missing = reader.missing_blobs(&image).unwrap();
        assert_eq!(missing.len(), 1);
        memory.take_asked();
        let came = std::sync::atomic::AtomicU64::new(0);
        let told = |bytes| _ = came.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        reader.fetch_blobs(&origin, &missing, &told).unwrap();
        assert_eq!(memory.take_asked(), [format!("blob {}", missing[0].digest)]);
        assert_eq!(came.into_inner(), missing[0].size);
        assert_eq!(reader.missing_blobs(&image).unwrap(), []);
    }
}
