//! Bases that other registries hold: what of them is read when, through one trait, and what is kept of it in the store.
//!
//! Manifest and config are always read, layers once for their listing, and blobs only when somebody needs the files.
//! Knows nothing of targets, of TOML, or of how a registry is talked to.

pub mod blobs;
pub mod counted;
pub mod error;
pub mod fetch;
pub mod listing;
pub mod narrow;
pub mod remote;
#[cfg(test)]
pub mod testing;
pub mod usable;
