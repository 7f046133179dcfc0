//! How the work tree differs from a git commit, as far as the files go that the commit has.
//!
//! Paths are relative to the repository's top. Knows no content.

use std::collections::HashSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::git::{Git, GitError};
use super::git_tree::{ATTRIBUTES, GitTree};
use crate::checkout::{Checkout, Disk};

/// What is another on disk.
#[derive(Debug)]
pub struct Changes {
    paths: HashSet<String>,
    /// The folders of `.gitattributes` that are others on disk: below them, what git holds for unchanged may be converted.
    converted: Vec<Utf8PathBuf>,
}

impl Changes {
    /// Asks git, which compares stats and reads what they leave open.
    pub fn since(commit: &str, git: &Git) -> Result<Changes, GitError> {
        // What the index says of a file's stat is believed only where nothing weakens it.
        let strict = ["-c", "core.fsmonitor=false", "-c", "core.checkStat=default", "-c", "core.trustctime=true"];
        let compare = ["diff-index", "-z", "--name-only", "--no-renames", "--no-relative", "--ignore-submodules=all"];
        let differing = git.bytes(&[&strict[..], &compare[..], &[commit]].concat())?;
        let marked = git.bytes(&["ls-files", "-z", "-v", "--full-name", ":/"])?;
        // Such files git takes for unchanged without a look: assumed so, or left out of a sparse checkout.
        let unseen = marked.split(|byte| *byte == 0).filter(|line| line.first().is_some_and(is_unseen));
        let unseen = unseen.filter_map(|line| line.get(2..));
        let all = differing.split(|byte| *byte == 0).chain(unseen);
        let paths: HashSet<String> = all.filter_map(|path| String::from_utf8(path.to_owned()).ok()).collect();
        let folder = |path: &String| {
            let path = Utf8Path::new(path);
            (path.file_name() == Some(ATTRIBUTES)).then(|| path.parent().unwrap_or(Utf8Path::new("")).to_owned())
        };
        let converted = paths.iter().filter_map(folder).collect();
        Ok(Changes { paths, converted })
    }

    /// The same with the `.gitattributes` that only the disk has, below the repository's top, and that git doesn't know.
    #[must_use]
    pub fn with_unknown_attributes(mut self, tree: &GitTree, top: &Utf8Path) -> Changes {
        let stranger = |folder: &&Utf8Path| {
            let path = folder.join(ATTRIBUTES);
            tree.item(path.as_str()).is_none() && Disk.is_file(&top.join(path))
        };
        let folders = tree.folders().map(Utf8Path::new).filter(stranger);
        self.converted.extend(folders.map(Utf8Path::to_owned));
        self
    }

    /// Whether a file of the commit is not, or not surely, the same on disk.
    pub fn has(&self, at: &Utf8Path) -> bool {
        self.paths.contains(at.as_str())
    }

    /// Whether git's word can't be taken for a file: it may have been converted in another way than the commit's.
    pub fn may_be_converted(&self, at: &Utf8Path) -> bool {
        self.converted.iter().any(|folder| at.starts_with(folder))
    }

    /// Whether the work tree has the commit's `.gitattributes`, and no others.
    pub fn has_same_attributes(&self) -> bool {
        self.converted.is_empty()
    }
}

/// The mark of a file in `git ls-files -v`.
fn is_unseen(mark: &u8) -> bool {
    mark.is_ascii_lowercase() || *mark == b'S'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_files_that_git_does_not_look_at_are_known() {
        assert!([b'h', b'S', b's'].iter().all(is_unseen) && !is_unseen(&b'H'));
    }
}
