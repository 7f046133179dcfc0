//! TargetGraph → actions with keys: what would run, and why.
//!
//! `lower` calls the rules, `probe` asks the cache, `why` compares with the last build, `source_key` hashes what a
//! target is made of without anything built.

pub mod lower;
pub mod snapshot;
pub mod sources;
pub mod why;
