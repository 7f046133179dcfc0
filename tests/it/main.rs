//! The one integration binary: what the crate does with real programs around it.

mod main_job;
mod push_twice;
mod readers;
mod registry_push;
mod support;
mod tar_edges;
