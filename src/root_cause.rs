//! Why a target is another than it was: the difference that lies behind it, and in which target that is.
//!
//! Knows nothing of how it was found or is shown.

/// What differs first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCause {
    /// The target in which it lies.
    pub target: String,
    /// What differs, on one line.
    pub text: String,
    /// The source file that it is about, relative to the workspace's root.
    pub file: Option<String>,
    /// The value then; `None` where there was none.
    pub old: Option<String>,
    /// The value now; `None` where there is none.
    pub new: Option<String>,
    /// How much else differs in that target.
    pub more: usize,
}

impl RootCause {
    /// One that is not about two values.
    pub fn said(target: String, text: String) -> RootCause {
        RootCause { target, text, file: None, old: None, new: None, more: 0 }
    }
}
