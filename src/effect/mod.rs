//! Effects: what has its result outside the store. Idempotent, never cached; for now pushing, promoting, loading and exporting.
//!
//! Joins the store's blobs to what `oci` and `registry` read them through. Knows nothing of targets.

pub mod blobs;
pub mod engine;
pub mod inspect;
pub mod load;
pub mod promote;
pub mod push;
pub mod records;
mod reporter;
pub mod serve;
#[cfg(test)]
mod served;
pub mod share;
