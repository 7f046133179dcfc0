//! Whose targets are looked at: those of the workspace of the call, or of one that is built beside it.
//!
//! What a label and a command are there. Knows nothing of what that workspace says.

use camino::{Utf8Path, Utf8PathBuf};

use crate::label::Label;

/// A workspace as the one of the call sees it; by default it is that itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Option<(String, Utf8PathBuf)>);

impl Place {
    /// A workspace that is called `name` there, and its folder relative to that one's root.
    pub fn beside(name: &str, folder: &Utf8Path) -> Place {
        Place(Some((name.to_owned(), folder.to_owned())))
    }

    /// What the workspace itself calls a target.
    pub fn local(&self, label: &Label) -> Label {
        let own = self.0.as_ref().and_then(|(name, _)| label.seen_from(name));
        own.unwrap_or_else(|| label.clone())
    }

    /// The command that locks a target there.
    pub fn lock(&self, profile: Option<&str>, label: &Label) -> String {
        let folder = self.0.as_ref().map_or_else(String::new, |(_, folder)| format!("-C {folder} "));
        let profile = profile.map_or_else(String::new, |profile| format!("--profile {profile} "));
        format!("layerbuild {folder}lock {profile}{}", self.local(label))
    }
}
