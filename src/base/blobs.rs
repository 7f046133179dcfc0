//! A base's layers into the store, for whoever needs the files. Those that are there already are left alone.

use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

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
        let mut sink = Sink { writer: self.store.blobs().writer()?, told, failed: None };
        let sent = self.remote.blob(&origin.repository, blob, &mut sink);
        if let Some(error) = sink.failed {
            return Err(StoreError::io("write", self.store.path(), error).into());
        }
        sent?;
        let (digest, size) = sink.writer.finish()?;
        if (digest, size) == (blob.digest, blob.size) {
            return Ok(());
        }
        let message = format!("{} gave {size} bytes of {digest} for {}", origin.repository, blob.digest);
        Err(RemoteError { message, hint: None }.into())
    }
}

/// A blob of the store being written, each piece told.
struct Sink<'a> {
    writer: crate::store::BlobWriter<'a>,
    told: &'a (dyn Fn(u64) + Sync),
    /// What the disk said.
    failed: Option<std::io::Error>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.writer.write(bytes) {
            Ok(written) => {
                (self.told)(written as u64);
                Ok(written)
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
