//! The parts of layerbuild that are fuzzed, as they lie.

#[path = "../../src/diagnostic.rs"]
pub mod diagnostic;
#[path = "../../src/label.rs"]
pub mod label;
#[path = "../../src/pattern.rs"]
pub mod pattern;
#[path = "../../src/query/mod.rs"]
pub mod query;
#[path = "../../src/span.rs"]
pub mod span;
