//! Which commit a word such as `origin/main` means, or why none.
//!
//! Knows nothing of files.

use super::git::{Git, GitError};
use crate::diagnostic::nearest;

/// Why there is no such commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Git has no answer at all.
    #[error(transparent)]
    Git(#[from] GitError),
    /// No commit has this name.
    #[error("git knows no revision `{text}`")]
    Unknown {
        /// What was written.
        text: String,
        /// Whether the clone lacks history.
        shallow: bool,
        /// A branch or tag that was perhaps meant.
        meant: Option<String>,
    },
    /// Two commits have no common ancestor that is known here.
    #[error("git knows no common ancestor of `{one}` and `{other}`")]
    Unrelated {
        /// The one, as it was written.
        one: String,
        /// The other.
        other: String,
        /// Whether the clone lacks history.
        shallow: bool,
    },
}

const DEEPEN: &str =
    "this clone is shallow: `git fetch --unshallow`, or in CI a checkout with its history (`fetch-depth: 0`)";

impl CommitError {
    /// What to do; nothing where the message says it all.
    pub fn hints(&self) -> Vec<String> {
        let deepen = |shallow: bool| shallow.then(|| DEEPEN.to_owned());
        match self {
            CommitError::Git(error) => vec![error.hint().to_owned()],
            CommitError::Unknown { text, shallow, meant } => {
                let meant = meant.as_ref().map(|meant| format!("did you mean `{meant}`?"));
                let fetch =
                    format!("`git fetch` brings what another clone has; `git rev-parse {text}` says what is known");
                meant.into_iter().chain(deepen(*shallow)).chain([fetch]).collect()
            }
            CommitError::Unrelated { shallow, .. } => {
                let other = "leave `--merge-base` out to compare with the revision itself".to_owned();
                deepen(*shallow).into_iter().chain([other]).collect()
            }
        }
    }
}

/// The commit that a word means: all digits of its name.
pub fn find(text: &str, git: &Git) -> Result<String, CommitError> {
    // Git would take it for a flag, or for `HEAD`.
    let can_be = !text.starts_with('-') && !text.is_empty();
    let wanted = format!("{text}^{{commit}}");
    let found = if can_be { git.line(&["rev-parse", "--verify", "--quiet", &wanted])? } else { None };
    match found {
        Some(commit) => Ok(commit),
        None => {
            Err(CommitError::Unknown { text: text.to_owned(), shallow: is_shallow(git)?, meant: meant(text, git)? })
        }
    }
}

/// The newest commit from which both come.
pub fn merge_base(one: &str, other: &str, git: &Git) -> Result<String, CommitError> {
    let (first, second) = (find(one, git)?, find(other, git)?);
    let found = git.line(&["merge-base", &first, &second])?;
    let (one, other) = (one.to_owned(), other.to_owned());
    found.map_or_else(|| Err(CommitError::Unrelated { one, other, shallow: is_shallow(git)? }), Ok)
}

fn is_shallow(git: &Git) -> Result<bool, GitError> {
    Ok(git.line(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
}

/// A branch or tag with a name like that; of `main~3` it isn't the name that is wrong.
fn meant(text: &str, git: &Git) -> Result<Option<String>, GitError> {
    if text.contains(['~', '^', '@', ':']) {
        return Ok(None);
    }
    let names = git.bytes(&["for-each-ref", "--format=%(refname:short)"])?;
    let names = String::from_utf8_lossy(&names).into_owned();
    // A branch that only the remote has is the usual reason.
    let remote = names.lines().find(|name| name.strip_suffix(text).is_some_and(|before| before.ends_with('/')));
    Ok(remote.or_else(|| nearest(text, names.lines())).map(str::to_owned))
}
