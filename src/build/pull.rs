//! Runs `pull`: manifest and config of a locked image into the store. Its layers stay where they are.

use super::Workshop;
use super::error::BuildError;
use crate::action::PullAction;
use crate::action::record::{Blob, ImageOutput, Output};
use crate::base::fetch::{Origin, Reader};
use crate::oci::descriptor::Descriptor;

/// Takes the image.
pub fn run(action: &PullAction, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let not_locked = || BuildError::NotLocked {
        platform: action.platform.clone(),
        locked: action.locked.keys().map(ToString::to_string).collect(),
    };
    let reader = Reader { remote: shop.remote, store: shop.store };
    let image = reader.image(&origin(action).ok_or_else(not_locked)?, &action.platform)?;
    let blob = |descriptor: &Descriptor| Blob { digest: descriptor.digest, size: descriptor.size };
    Ok(Output::Image(ImageOutput {
        manifest: blob(&image.manifest_descriptor),
        config: blob(&image.config_descriptor),
        media_type: image.manifest_descriptor.media_type,
    }))
}

/// Where the image lies; `None` where it isn't locked for its platform.
pub fn origin(action: &PullAction) -> Option<Origin> {
    Some(Origin { repository: action.repository.clone(), manifest: action.image()?.manifest })
}
