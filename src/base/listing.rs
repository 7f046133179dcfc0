//! What a base holds: its layers streamed once, laid over each other, and kept as a listing in the store.
//!
//! Layers that the store has are read from there; no layer is kept. Memory holds paths, not contents.

use std::io::{self, PipeWriter, Read, Write};

use crate::base::error::BaseError;
use crate::base::fetch::{Origin, Reader};
use crate::base::remote::RemoteError;
use crate::digest::Digest;
use crate::oci::descriptor::Layer;
use crate::oci::image::Image;
use crate::oci::layer_listing::{LayerListingError, flatten, list_layer};
use crate::oci::listing::Listing;
use crate::store::{Presence, StoreError};

impl Reader<'_> {
    /// The listing of an image, made of its layers and kept in the store; with its digest.
    pub fn list(&self, origin: &Origin, image: &Image) -> Result<(Listing, Digest), BaseError> {
        let layers = image.layers.iter().map(|layer| self.list_layer(origin, layer)).collect::<Result<Vec<_>, _>>()?;
        let listing = flatten(&layers);
        let digest = self.store.blobs().put_bytes(listing.to_text().as_bytes())?;
        Ok((listing, digest))
    }

    /// The listing that was locked: from the store, else made once more and held against its digest.
    pub fn listing(&self, origin: &Origin, image: &Image, expected: Digest) -> Result<Listing, BaseError> {
        let kept = self.kept(&expected)?.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(listing) = kept.and_then(|text| Listing::parse(&text).ok()) {
            return Ok(listing);
        }
        match self.list(origin, image)? {
            (listing, found) if found == expected => Ok(listing),
            (_, found) => Err(BaseError::OtherListing { image: origin.reference().to_string(), found, expected }),
        }
    }

    fn list_layer(&self, origin: &Origin, layer: &Layer) -> Result<Listing, BaseError> {
        let unusable =
            |why| BaseError::Layer { layer: layer.descriptor.digest, image: origin.reference().to_string(), why };
        let folder = self.store.path().join("tmp");
        let spool = tempfile::tempfile_in(&folder).map_err(|error| StoreError::io("create", &folder, error))?;
        let blobs = self.store.blobs();
        let (digest, size) = (layer.descriptor.digest, layer.descriptor.size);
        if blobs.contains(&digest, size)? == Presence::Present {
            let read = list_layer(blobs.open_verified(&digest, size)?, layer.diff_id, spool);
            return read.map_err(unusable);
        }
        let (sent, read) = self.stream(origin, layer, |blob| list_layer(blob, layer.diff_id, spool));
        match (sent, read) {
            (Sent::Failed(error), _) => Err(error.into()),
            (Sent::Whole | Sent::Refused, read) => read.map_err(unusable),
        }
    }

    /// Hands a layer's bytes to `read` while they come.
    fn stream(
        &self,
        origin: &Origin,
        layer: &Layer,
        read: impl FnOnce(&mut dyn Read) -> Result<Listing, LayerListingError>,
    ) -> (Sent, Result<Listing, LayerListingError>) {
        let (mut reader, writer) = match io::pipe() {
            Ok(ends) => ends,
            Err(error) => return (Sent::Refused, Err(LayerListingError::Read(error))),
        };
        let mut sink = Sink { writer, refused: false };
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let sent = self.remote.blob(&origin.repository, &layer.descriptor, &mut sink);
                match sent {
                    Ok(()) => Sent::Whole,
                    Err(_) if sink.refused => Sent::Refused,
                    Err(error) => Sent::Failed(error),
                }
            });
            let listing = read(&mut reader);
            // Whoever still writes must not wait for a reader that has given up.
            drop(reader);
            let sent = sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (sent, listing)
        })
    }
}

/// What became of a transfer.
enum Sent {
    /// All of it came, and was what its digest says.
    Whole,
    /// The reader gave up first, and says why.
    Refused,
    /// It did not come.
    Failed(RemoteError),
}

/// Notes when the reader at the other end has gone.
struct Sink {
    writer: PipeWriter,
    refused: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes);
        self.refused |= written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
