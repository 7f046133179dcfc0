//! One thing that is not as expected, as data: for messages, JSON and JUnit alike.

use std::fmt;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The attribute that asks for it.
    pub attribute: &'static str,
    /// What was looked at: a path, a variable; empty where the attribute says it all.
    pub about: String,
    /// What it should be, as a phrase.
    pub expected: String,
    /// What it is, as a phrase.
    pub found: String,
    /// The target whose layer brought what was found; `None` where no layer did.
    pub layer: Option<String>,
}

impl Finding {
    /// Without a layer.
    pub fn new(
        attribute: &'static str,
        about: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Finding {
        Finding { attribute, about: about.into(), expected: expected.into(), found: found.into(), layer: None }
    }

    /// With the target whose layer brought what was found.
    #[must_use]
    pub fn from(mut self, layer: impl Into<String>) -> Finding {
        self.layer = Some(layer.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.about.is_empty() {
            write!(f, "{}: ", self.about)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        self.layer.iter().try_for_each(|layer| write!(f, " (from {layer})"))
    }
}
