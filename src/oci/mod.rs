//! OCI objects as immutable values: trees, layers, images, layouts. Knows nothing of labels, rules, registries or the store.

pub mod archive;
pub mod artifact_manifest;
pub mod blob_source;
pub mod canonical;
mod chunk_maker;
pub mod chunk_memory;
mod chunk_sink;
pub mod chunks;
pub mod closure;
pub mod compare;
pub mod compress;
pub mod content;
pub mod decompress;
pub mod descriptor;
pub mod docker_archive;
pub mod image;
pub mod image_config;
pub mod image_env;
pub mod image_requires;
pub mod image_run;
pub mod image_spec;
pub mod index;
pub mod layer;
mod layer_bytes;
pub mod layer_files;
pub mod layer_listing;
pub mod layout;
pub mod listing;
pub mod manifest;
pub mod media_type;
pub mod ordered;
pub mod outline;
pub mod overlay;
pub mod raw_json;
pub mod tar_members;
pub mod tar_read;
pub mod tar_write;
pub mod timestamp;
pub mod tree;
pub mod unpack;
pub mod validate;

#[cfg(test)]
pub mod sample;
