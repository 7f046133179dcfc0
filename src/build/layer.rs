//! Trees into the store: a layer's blob, its listing, and where its chunks stand.

use super::Workshop;
use super::error::BuildError;
use crate::action::record::{Blob, LayerOutput, Output};
use crate::oci::compress::Compression;
use crate::oci::layer::{ChunkKey, ChunkMemory, LayerBytes, LayerError, write_layer};
use crate::oci::listing::Listing;
use crate::oci::media_type;
use crate::oci::tree::Tree;
use crate::store::{ChunkIndex, ChunkPlace};

/// Makes a layer of a tree.
pub fn make(tree: &Tree, compression: &Compression, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let mut writer = shop.store.blobs().writer()?;
    let memory = Memory(shop.store.chunks());
    let bytes = write_layer(tree, compression, &memory, shop.workers, &mut writer)?;
    let (digest, size) = writer.finish()?;
    let blob = Blob { digest, size };
    remember(&blob, &bytes, shop)?;
    let listing = Listing::of(tree).map_err(LayerError::from)?.to_text();
    let listing = Blob { digest: shop.store.blobs().put_bytes(listing.as_bytes())?, size: listing.len() as u64 };
    Ok(Output::Layer(LayerOutput {
        blob,
        diff_id: bytes.diff_id,
        uncompressed: bytes.uncompressed_size,
        media_type: format!("{}{}", media_type::OCI_TAR, compression.media_type_suffix()),
        listing,
    }))
}

fn remember(blob: &Blob, bytes: &LayerBytes, shop: &Workshop<'_>) -> Result<(), BuildError> {
    let places: Vec<ChunkPlace> = bytes.chunks.iter().filter(|chunk| !chunk.reused).filter_map(place).collect();
    Ok(shop.store.chunks().remember(&blob.digest, &places)?)
}

fn place(chunk: &crate::oci::layer::ChunkPlace) -> Option<ChunkPlace> {
    let (check, _) = chunk.check.split_first_chunk::<16>()?;
    let length = u32::try_from(chunk.length).ok()?;
    Some(ChunkPlace { key: chunk.key.0, offset: chunk.offset, length, check: *check })
}

/// The store's chunks, as layers ask for them.
struct Memory<'a>(&'a ChunkIndex);

impl ChunkMemory for Memory<'_> {
    fn find(&self, key: &ChunkKey) -> Option<Vec<u8>> {
        self.0.find(&key.0)
    }
}
