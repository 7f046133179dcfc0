//! Why an image can't be locked.

use crate::base::error::BaseError;
use crate::base::remote::RemoteError;
use crate::base::usable::Unusable;
use crate::reference::{Reference, ReferenceError};
use crate::store::StoreError;

/// Why an image can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It can't be had, or can't be a base.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// Its reference names no registry.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl LockError {
    pub(super) fn unusable(image: &Reference, why: Unusable) -> LockError {
        BaseError::Unusable { image: image.to_string(), why: Box::new(why) }.into()
    }

    /// Whether the machine or the network is to blame.
    pub fn is_environment(&self) -> bool {
        matches!(self, LockError::Base(error) if error.is_environment())
    }

    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            LockError::Base(error) => error.hint(),
            LockError::Reference(_) => None,
        }
    }
}

impl From<RemoteError> for LockError {
    fn from(error: RemoteError) -> LockError {
        BaseError::from(error).into()
    }
}

impl From<StoreError> for LockError {
    fn from(error: StoreError) -> LockError {
        BaseError::from(error).into()
    }
}
