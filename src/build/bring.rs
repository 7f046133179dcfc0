//! A blob that this store lacks, from where it can be had: the repository of a pulled base, else that of a shared cache.

use super::Workshop;
use super::error::BuildError;
use crate::base::error::BaseError;
use crate::base::fetch::Reader;
use crate::base::remote::RemoteBlob;
use crate::digest::Digest;
use crate::reference::Repository;
use crate::store::StoreError;

/// Fetches a blob of a size in bytes unless the store has it, or nobody is known who does. What a shared cache promised and
/// can't give counts as lost: what made it runs again.
pub fn bring(digest: Digest, size: u64, base: Option<Repository>, shop: &Workshop<'_>) -> Result<(), BuildError> {
    let shared = shop.shared.elsewhere(&digest);
    let Some(repository) = base.or_else(|| shared.clone()) else { return Ok(()) };
    let reader = Reader { remote: shop.remote, store: shop.store };
    let missing = reader.missing_blobs(&[RemoteBlob { repository, digest, size }])?;
    match reader.fetch_blobs(&missing) {
        Ok(()) => Ok(()),
        Err(error) if shared.is_none() || matches!(error, BaseError::Store(_)) => Err(error.into()),
        Err(error) => {
            shop.shared.distrust(&digest, &error.to_string());
            Err(StoreError::Missing { digest }.into())
        }
    }
}
