//! The graph that queries are asked about, as a trait: all that the language needs to know of targets.

/// A target of a graph; ids are dense, from 0 to [`QueryGraph::len`].
pub type Id = u32;

/// A graph of targets.
pub trait QueryGraph {
    /// How many targets there are.
    fn len(&self) -> usize;

    /// Whether there is no target.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets of a label or pattern, in any order.
    fn resolve(&self, pattern: &str) -> Result<Vec<Id>, ResolveError>;

    /// What a target depends on directly.
    fn deps(&self, id: Id) -> &[Id];

    /// What depends on a target directly.
    fn rdeps(&self, id: Id) -> &[Id];

    /// The target's label, `//package:name`.
    fn label(&self, id: Id) -> String;

    /// What the target is, such as `image rule`.
    fn kind(&self, id: Id) -> String;

    /// The target as it would be written, with where it comes from in comments; ends with a newline.
    fn written(&self, id: Id) -> String;
}

/// Why a pattern has no targets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// A lower-case phrase.
    pub message: String,
    /// What to do, such as the name that may have been meant.
    pub help: Option<String>,
}
