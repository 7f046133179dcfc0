//! layers.toml → Workspace: syntax with spans, checked against the rules' schemas. Knows no rule by name.

pub mod schema;
pub mod value;
