//! The one integration binary: what the crate does with real programs around it.

mod registry_push;
mod support;
