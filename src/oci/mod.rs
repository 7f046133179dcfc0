//! OCI objects as immutable values: trees, layers, images, layouts. Knows nothing of labels, rules, registries or the store.

pub mod tree;
