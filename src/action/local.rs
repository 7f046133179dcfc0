//! An image as its last build on this machine left it, and the layers in it: known results that nothing makes again.

use super::ActionId;
use super::record::Output;
use crate::digest::Digest;
use crate::platform::Platform;

/// A result that is taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAction {
    /// The key of the action that gave it, which is this action's own.
    pub key: Digest,
    /// What that gave: an image or a layer.
    pub output: Output,
    /// What the image runs on; of a layer, what its image does.
    pub platform: Platform,
    /// When the image was built, in seconds since 1970.
    pub built: u64,
    /// The pulled base at the bottom of the image; `None` where it stands on none, and of a layer.
    pub base: Option<ActionId>,
    /// All other layers of the image, lowest first; of a layer none.
    pub layers: Vec<ActionId>,
}
