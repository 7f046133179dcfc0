//! Rust programs as cargo knows them: crates and their manifests, the lock file, the host's toolchain.
//!
//! `manifest` and `lock` read texts, `crates` follows path dependencies, `reduced` writes a workspace of those crates alone:
//! pure, and cheap enough for planning. `toolchain` and `vendor` start programs of the host. Knows nothing of targets,
//! actions or the store.

pub mod crates;
pub mod lock;
pub mod manifest;
pub mod reduced;
pub mod toolchain;
pub mod vendor;
