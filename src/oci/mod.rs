//! OCI objects as immutable values: trees, layers, images, layouts. Knows nothing of labels, rules, registries or the store.

pub mod chunks;
pub mod compress;
pub mod content;
pub mod layer;
pub mod listing;
pub mod ordered;
pub mod overlay;
pub mod tar_members;
pub mod tar_read;
pub mod tar_write;
pub mod tree;
pub mod unpack;
