//! TargetGraph → actions, and why they would run.
//!
//! `lower` calls the rules, `sources` hashes files for them (`then`: those of a git commit), `source_key` hashes what a
//! target is made of with nothing built, `local` knows images as they were built last, `affected` compares two plans by
//! source key, `why` compares with the last build, `build_record` is a build for another machine and `compare` holds this
//! plan against one, `snapshot` gives a build's answer again where nothing changed, by `stamps` of what was looked at. Runs
//! nothing, and asks no cache: `build::probe` does.

pub mod affected;
pub mod brief;
pub mod build_record;
pub mod compare;
pub mod extras;
pub mod local;
pub mod lower;
mod requirements;
pub mod snapshot;
pub mod source_key;
pub mod sources;
pub mod stamps;
pub mod then;
pub mod why;
