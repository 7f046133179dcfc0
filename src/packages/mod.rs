//! Packages of others that go into layers: how their archives are described, and which of them a request needs.
//!
//! Texts in, plain values out. Knows no target, no lock file and no store.

pub mod debian;
