//! Layers' listings, read from the store once in a build: many images stand on the same layers.
//!
//! Knows nothing of what they are compared for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::BuildError;
use crate::action::record::Blob;
use crate::digest::Digest;
use crate::oci::listing::Listing;
use crate::store::Store;

/// The listings that a build has met.
#[derive(Debug, Default)]
pub struct Listings(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_digest: HashMap<Digest, Arc<Listing>>,
    entries: usize,
}

/// Entries that are kept at most, of all listings together: some tens of megabytes.
const MOST: usize = 200_000;

impl Listings {
    /// The listing that a blob of the store holds.
    pub fn get(&self, blob: &Blob, store: &Store) -> Result<Arc<Listing>, BuildError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_digest.get(&blob.digest).cloned();
        match known {
            Some(listing) => Ok(listing),
            None => Ok(self.keep(blob.digest, read(blob, store)?)),
        }
    }

    /// A listing whose digest is known, for those who will ask.
    pub fn keep(&self, digest: Digest, listing: Listing) -> Arc<Listing> {
        let listing = Arc::new(listing);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries += listing.entries().len();
        if kept.entries > MOST {
            *kept = Kept { entries: listing.entries().len(), ..Kept::default() };
        }
        kept.by_digest.insert(digest, Arc::clone(&listing));
        listing
    }
}

fn read(blob: &Blob, store: &Store) -> Result<Listing, BuildError> {
    let damaged = || BuildError::Listing(blob.digest);
    let bytes = store.blobs().read_verified(&blob.digest, blob.size)?;
    Listing::parse(&String::from_utf8(bytes).map_err(|_| damaged())?).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenMode;

    fn listing(entries: usize) -> Listing {
        let lines: String = (0..entries).map(|number| format!("f 644 0 0 1 {number:07}\n")).collect();
        Listing::parse(&format!("listing 1\n{lines}")).unwrap()
    }

    #[test]
    fn a_listing_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenMode { wait: true }).unwrap();
        let text = listing(3).to_text();
        let blob = Blob { digest: store.blobs().put_bytes(text.as_bytes()).unwrap(), size: text.len() as u64 };
        let listings = Listings::default();
        assert_eq!(*listings.get(&blob, &store).unwrap(), listing(3));
        std::fs::remove_file(store.blobs().path(&blob.digest)).unwrap();
        assert_eq!(*listings.get(&blob, &store).unwrap(), listing(3));
        assert!(matches!(Listings::default().get(&blob, &store), Err(BuildError::Store(_))));
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let listings = Listings::default();
        for number in 0..4 {
            listings.keep(Digest::of(&[number]), listing(MOST / 3));
        }
        let kept = listings.0.lock().unwrap();
        assert!(kept.entries <= MOST && kept.by_digest.contains_key(&Digest::of(&[3])), "{}", kept.entries);
    }
}
