//! Debian's archives: control data, versions, relations, and which packages a request needs.
//!
//! Read in the order of the modules and you have followed the data. Nothing is fetched by what decides.

pub mod apt;
pub mod control;
pub mod download;
pub mod index;
pub mod machine;
pub mod package;
pub mod relation;
pub mod release;
pub mod resolve;
pub mod signature;
pub mod universe;
pub mod version;
