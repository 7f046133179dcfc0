//! layers.toml → Workspace: syntax with spans, checked against the rules' schemas. Knows no rule by name.

pub mod attributes;
pub mod schema;
pub mod value;

pub use attributes::{Attributes, MapEntry, Spanned};

use crate::label::Label;
use crate::span::Span;
use schema::RuleSchema;
use value::Table;

/// One declared target whose attributes fit its rule's schema.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub label: Label,
    /// What it is an instance of.
    pub rule: &'static RuleSchema,
    /// Where its name stands, in `[rule.name]`.
    pub span: Span,
    /// What is written, checked.
    pub table: Table,
}

impl Target {
    /// The attributes, to be read by name.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.table, &self.label.package)
    }
}
