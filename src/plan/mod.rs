//! TargetGraph → actions, and why they would run.
//!
//! `lower` calls the rules, `sources` hashes files for them, `source_key` hashes what a target is made of with
//! nothing built, `why` compares with the last build, `snapshot` gives, behind `stamps` of all that was looked at, a build's
//! answer again where nothing changed. Runs nothing, and asks no cache: `build::probe` does.

pub mod extras;
pub mod lower;
mod requirements;
pub mod snapshot;
pub mod source_key;
pub mod sources;
pub mod stamps;
pub mod why;
