//! The graph that queries are asked about, as a trait: all that the language needs to know of targets and source files.
//!
//! What is dear to know (attributes, places, texts) is asked of a target only when an answer shows it.

use std::ops::Range;

/// An attribute's value: labels absolute, in the order in which it is written.
pub use serde_json::Value;

/// A target or source file of a graph; ids are dense, from 0 to [`QueryGraph::len`], in the order of labels: by package,
/// then by name, a target before a file of its name.
pub type Id = u32;

/// What something in the graph is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A target that makes a layer.
    Layer,
    /// A target that makes an image.
    Image,
    /// Somebody else's image, which images stand on.
    Pulled,
    /// A target that makes an index of images.
    Index,
    /// A target that tests or checks.
    Check,
    /// A target whose result lies outside of the store.
    Effect,
    /// A source file.
    Source,
    /// A package's own file, which declares its targets.
    BuildFile,
}

impl Role {
    /// Whether it is a file, and no target.
    pub fn is_file(self) -> bool {
        matches!(self, Role::Source | Role::BuildFile)
    }
}

/// A graph of targets and source files. May have circles.
pub trait QueryGraph {
    /// How many targets and files there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets and files of a label or pattern, in any order.
    fn resolve(&self, pattern: &str) -> Result<Vec<Id>, ResolveError>;

    /// What a target depends on directly, in written order; something that is named twice may stand there twice.
    fn deps(&self, id: Id) -> &[Id];

    /// What depends on it directly.
    fn rdeps(&self, id: Id) -> &[Id];

    /// The label, `//package:name`; of a file the name is its path in the package.
    fn label(&self, id: Id) -> String;

    /// What it is, such as `image rule` or `source file`.
    fn kind(&self, id: Id) -> &str;

    /// What it is for.
    fn role(&self, id: Id) -> Role;

    /// All of the package that it belongs to.
    fn package(&self, id: Id) -> Range<Id>;

    /// The package's path, without the leading `//`; of another workspace with its name, `@name//path`.
    fn package_name(&self, id: Id) -> String;

    /// What an attribute of a target names, what is only mentioned there behind what is needed; nothing where the attribute
    /// names nothing or isn't there.
    fn labels(&self, id: Id, attribute: &str) -> Vec<Id>;

    /// The image that an image stands on; `None` where there is none, and for anything else.
    fn base(&self, id: Id) -> Option<Id>;

    /// What an image or index is put together from: an image's own layers, an index's images.
    fn parts(&self, id: Id) -> Vec<Id>;

    /// Whether it is taken from a registry as published, and not built here.
    fn is_published(&self, id: Id) -> bool;

    /// The variables that an image itself asks for at run time.
    fn requires(&self, id: Id) -> Vec<&str>;

    /// The value of a target's attribute; `Null` where its rule has the attribute and it is not written, `None` where the
    /// rule has none of the name, and of files.
    fn attribute(&self, id: Id, name: &str) -> Option<Value>;

    /// The attributes that are written, in written order.
    fn attributes(&self, id: Id) -> Vec<(String, Value)>;

    /// Where it stands: `path:line:column`, the path relative to the workspace's root.
    fn location(&self, id: Id) -> String;

    /// The target as it would be written, with where it comes from in comments; ends with a newline. Empty for files.
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

impl ResolveError {
    /// An error that has no advice.
    pub fn new(message: impl Into<String>) -> ResolveError {
        ResolveError { message: message.into(), help: None }
    }
}
