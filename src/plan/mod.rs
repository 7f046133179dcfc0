//! TargetGraph → actions, and why they would run.
//!
//! `lower` calls the rules, `sources` hashes files for them (`then`: those of a git commit), `source_key` hashes what a
//! target is made of with nothing built, `affected` compares two plans by it, `why` compares with the last build, `snapshot`
//! gives a build's answer again where nothing changed. Runs nothing, and asks no cache: `build::probe` does.

pub mod affected;
pub mod extras;
pub mod lower;
mod requirements;
pub mod snapshot;
pub mod source_key;
pub mod sources;
pub mod then;
pub mod why;
