//! The one integration binary: what the crate does with real programs around it.

#![expect(clippy::panic, reason = "a test ends with what it saw")]

mod cases;
mod completing;
mod damage;
mod debian;
mod debian_archive;
mod diffs;
mod embedded;
mod explained;
mod fetching;
mod incremental;
mod indexes;
mod killed;
mod loading;
mod main_job;
mod pages;
mod platform;
mod profiling;
mod promoting;
mod proxy;
mod pulling;
mod push_faults;
mod push_scene;
mod push_twice;
mod readers;
mod refused_bases;
mod registry_ls;
mod registry_pull;
mod registry_push;
mod reproducible;
mod running;
mod sample;
mod settled;
mod shared_cache;
mod sharing;
mod six_criteria;
mod space;
mod statuses;
mod streaming;
mod support;
mod tar_edges;
mod tidy;
