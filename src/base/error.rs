//! Why a base can't be had.

use crate::base::remote::RemoteError;
use crate::base::usable::Unusable;
use crate::digest::Digest;
use crate::oci::layer_listing::LayerListingError;
use crate::store::StoreError;

/// Why a base can't be had.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// Its registry did not give what is needed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It is nothing that an image can stand on.
    #[error("{image} can't be a base: {why}")]
    Unusable {
        /// What was asked for.
        image: String,
        /// Why.
        why: Box<Unusable>,
    },
    /// A layer can't be listed.
    #[error("layer {layer} of {image} can't be used: {why}")]
    Layer {
        /// Its blob.
        layer: Digest,
        /// The image.
        image: String,
        /// Why.
        why: Box<LayerListingError>,
    },
    /// Its listing came out otherwise than when it was locked.
    #[error("the listing of {image} is {found}, but layers.lock says {expected}")]
    OtherListing {
        /// The image.
        image: String,
        /// What its layers give.
        found: Digest,
        /// What was locked.
        expected: Digest,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BaseError {
    /// Whether the machine or the network is to blame, not what the user wrote or the registry holds.
    pub fn is_environment(&self) -> bool {
        match self {
            BaseError::Remote(error) => !error.mistake,
            BaseError::Layer { why, .. } => why.is_environment(),
            BaseError::Store(_) => true,
            BaseError::Unusable { .. } | BaseError::OtherListing { .. } => false,
        }
    }

    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            BaseError::Unusable { why, .. } => why.hint().map(str::to_owned),
            BaseError::OtherListing { .. } => Some("run `layerbuild lock --update` to lock it anew".to_owned()),
            BaseError::Remote(_) | BaseError::Layer { .. } | BaseError::Store(_) => None,
        }
    }
}
