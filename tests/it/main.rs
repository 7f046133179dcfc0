//! The one integration binary: what the crate does with real programs around it.

mod cases;
mod damage;
mod registry_push;
mod space;
mod support;
mod tidy;
