//! Trees into the store: a layer's blob, its listing, and where its chunks stand.

use super::Workshop;
use super::error::BuildError;
use crate::action::record::{Blob, LayerOutput, Output};
use crate::label::Label;
use crate::oci::chunk_memory::{self, Border, ChunkKey, ChunkMemory};
use crate::oci::compress::Compression;
use crate::oci::layer::{LayerBytes, LayerError, write_layer};
use crate::oci::listing::Listing;
use crate::oci::media_type;
use crate::oci::tree::Tree;
use crate::store::{ChunkIndex, ChunkPlace};

/// Makes a layer of a tree. `label`: by which its borders are found the next time.
pub fn make(label: &Label, tree: &Tree, compression: &Compression, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let mut file = shop.store.blobs().file()?;
    let memory = Memory { chunks: shop.store.chunks(), name: name(label, shop) };
    let bytes = write_layer(tree, compression, &memory, shop.workers, &mut file)?;
    let blob = Blob { digest: bytes.digest, size: file.finish(&bytes.digest)? };
    memory.remember(&blob, &bytes)?;
    let listing = Listing::of(tree).map_err(LayerError::from)?;
    let text = listing.to_text();
    let digest = shop.store.blobs().put_bytes(text.as_bytes())?;
    shop.listings.keep(digest, listing);
    Ok(Output::Layer(LayerOutput {
        blob,
        diff_id: bytes.diff_id,
        uncompressed: bytes.uncompressed_size,
        media_type: format!("{}{}", media_type::OCI_TAR, compression.media_type_suffix()),
        listing: Blob { digest, size: text.len() as u64 },
    }))
}

/// Two checkouts that share a store don't take each other's borders away.
fn name(label: &Label, shop: &Workshop<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("layerbuild borders of a layer, v1");
    hasher.update(shop.root.as_str().as_bytes()).update(b"\0").update(label.to_string().as_bytes());
    hasher.finalize().into()
}

fn places(chunk: &chunk_memory::ChunkPlace) -> impl Iterator<Item = ChunkPlace> {
    let (check, length) =
        (chunk.check.as_ref().and_then(|check| check.first_chunk::<16>()), u32::try_from(chunk.length).ok());
    let place = check.zip(length).map(|(check, length)| {
        move |key: &ChunkKey| ChunkPlace { key: key.0, offset: chunk.offset, length, check: *check }
    });
    place.into_iter().flat_map(|place| chunk.new_keys.iter().map(place))
}

/// The store's chunks, as layers ask for them.
struct Memory<'a> {
    chunks: &'a ChunkIndex,
    name: [u8; 32],
}

impl Memory<'_> {
    fn remember(&self, blob: &Blob, bytes: &LayerBytes) -> Result<(), BuildError> {
        let places: Vec<ChunkPlace> = bytes.chunks.iter().flat_map(places).collect();
        self.chunks.remember(&blob.digest, &places)?;
        Ok(self.chunks.keep_note(&self.name, &Border::to_bytes(&bytes.borders))?)
    }
}

impl ChunkMemory for Memory<'_> {
    fn find(&self, key: &ChunkKey, member: &mut Vec<u8>) -> bool {
        self.chunks.find(&key.0, member)
    }

    fn borders(&self) -> Vec<Border> {
        self.chunks.note(&self.name).map_or_else(Vec::new, |bytes| Border::from_bytes(&bytes))
    }
}
