//! The one integration binary: what the crate does with real programs around it.

mod readers;
mod registry_push;
mod support;
