//! TargetGraph → actions, and why they would run.
//!
//! `lower` calls the rules, `sources` hashes files for them (`then`: those of a git commit), `source_key` hashes what a
//! target is made of with nothing built, `local` knows images as they were built last, `affected` compares two plans by
//! source key, `why` compares with the last build, `snapshot` gives a build's answer again where nothing changed. Runs
//! nothing, and asks no cache: `build::probe` does.

pub mod affected;
pub mod extras;
pub mod local;
pub mod lower;
mod requirements;
pub mod snapshot;
pub mod source_key;
pub mod sources;
pub mod then;
pub mod why;
