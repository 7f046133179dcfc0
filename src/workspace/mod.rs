//! layers.toml → Workspace: syntax with spans, checked against the rules' schemas. Knows no rule by name.
//!
//! In order: `root` finds the file, `settings` reads what holds for all, `load` reads the packages that are wanted
//! (`discover` finds them, `parse` reads, `overrides` lays over, `declare` and `check` judge); `beside` finds the other
//! workspaces that are built with it, and `together` makes one of all, under the `names` that they have here. `template` is the workspace's
//! own rules; `lock_file` is what was found outside; `stamp` puts in what git says, once it is known which targets are
//! wanted; `print` writes a target as TOML again. `json_schema` tells editors what `schema` and the rules say. `commits` and
//! `revision` give the files of a git commit to read instead of those on disk.

pub mod apt;
mod asides;
pub mod attributes;
mod beside;
pub mod build_base;
pub mod check;
pub mod commits;
pub mod compatible;
mod declare;
mod discover;
mod dollars;
mod duplicate;
pub mod external;
pub mod git;
mod git_changes;
mod git_objects;
mod git_tree;
pub mod globs;
pub mod ignored;
pub mod json_schema;
pub mod keys;
mod load;
pub mod lock_debs;
pub mod lock_file;
pub mod marks;
mod model;
mod names;
pub mod origin;
pub mod overlays;
pub mod overrides;
pub mod own_paths;
pub mod parse;
mod places;
pub mod print;
mod profile;
mod published;
pub mod read;
pub mod registries;
mod replace;
pub mod revision;
pub mod root;
pub mod schema;
pub mod settings;
pub mod stamp;
pub mod tables;
pub mod taken;
pub mod template;
#[cfg(test)]
pub mod testing;
pub mod text;
mod together;
pub mod user;
pub mod value;
pub mod vars;
mod version;

pub use attributes::{Attributes, MapEntry, Spanned};
pub use check::{LabelUse, Naming};
pub use load::Options;
pub use model::{Beside, Home, Package, Target, Workspace};
pub use settings::Settings;
pub use together::{Opened, open};
