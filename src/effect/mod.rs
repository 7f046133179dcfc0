//! Effects: what has its result outside the store. Idempotent, never cached; for now pushing and exporting.
//!
//! Joins the store's blobs to what `oci` and `registry` read them through. Knows nothing of targets.

pub mod blobs;
pub mod push;
pub mod serve;
#[cfg(test)]
mod served;
