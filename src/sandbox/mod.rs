//! Runs commands over a root file system of their own: namespaces, overlay, few capabilities, no network unless asked for.
//!
//! The program starts itself once more (`inside`), single-threaded, with a [`task::Task`] as its work and nothing of the
//! environment. `host` is this side: it maps users, sends the task, hears the [`task::Answer`], and kills what takes too
//! long. Everything that touches files of other owners happens inside: laying layers out (`lay_out`), reading what a step
//! changed (`changes`) or left at declared places (`outputs`), removing. `outside` runs a command without all this, where
//! that is asked for; its `keeper` has all end that the command starts. Knows nothing of actions, labels or the store.

pub mod changes;
mod commands;
pub mod error;
pub mod host;
pub mod id_map;
pub mod inside;
mod keeper;
mod lay_out;
mod loopback;
mod mount_points;
mod namespaces;
mod output;
pub mod outputs;
pub mod outside;
mod root_fs;
pub mod task;
mod users;
mod xattrs;
