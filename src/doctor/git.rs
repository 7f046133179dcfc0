//! git: what `${git.…}` stands for.

use super::Finding;
use crate::workspace::git::{Field, Git};

/// `needed`: a text asks for what it says.
pub fn check(git: &Git, needed: bool) -> Finding {
    match git.value(Field::ShortRevision) {
        Ok(revision) => Finding::fine("git", format!("revision {revision}")),
        Err(error) => Finding::missing("git", error.to_string(), error.hint()).needed(needed),
    }
}
