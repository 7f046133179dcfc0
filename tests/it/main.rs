//! The one integration binary: what the crate does with real programs around it.

#![expect(clippy::panic, reason = "a test ends with what it saw")]

mod cases;
mod damage;
mod embedded;
mod explained;
mod fetching;
mod incremental;
mod main_job;
mod push_twice;
mod readers;
mod registry_ls;
mod registry_push;
mod reproducible;
mod sample;
mod settled;
mod sharing;
mod space;
mod support;
mod tar_edges;
mod tidy;
