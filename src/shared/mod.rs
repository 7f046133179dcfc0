//! Results that machines share: records of finished actions as small artifacts in a registry, one a key.
//!
//! `artifact` is a record's form there, `depot` the seam to a registry, `cache` what a build asks. Knows neither targets
//! nor TOML, nor how a registry is talked to.

pub mod artifact;
pub mod cache;
pub mod depot;
