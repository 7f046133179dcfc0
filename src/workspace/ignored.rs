//! What the workspace's own .gitignore files leave out.
//!
//! Only files from the workspace's root down count, never a user's or a machine's, so that every machine sees the same
//! sources. Knows nothing of packages or globs.

use std::sync::Arc;

use camino::Utf8Path;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::checkout::Checkout;

/// The file's name.
pub const FILE_NAME: &str = ".gitignore";

/// The .gitignore files from the workspace's root down to one folder.
#[derive(Debug, Clone, Default)]
pub struct Ignored(Option<Arc<Level>>);

#[derive(Debug)]
struct Level {
    own: Gitignore,
    outer: Ignored,
}

impl Ignored {
    /// As seen from `folder`, which lies in the folder that `self` is seen from, and has a .gitignore of its own. A
    /// line in it that is no pattern is passed over, as git does.
    #[must_use]
    pub fn with_file_in(&self, folder: &Utf8Path, checkout: &dyn Checkout) -> Ignored {
        let mut builder = GitignoreBuilder::new(folder);
        let bytes = checkout.read(&folder.join(FILE_NAME)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for line in text.trim_start_matches('\u{feff}').lines() {
            // The error is about this line, which git passes over too.
            let _wrong = builder.add_line(None, line);
        }
        match builder.build() {
            Ok(own) if !own.is_empty() => Ignored(Some(Arc::new(Level { own, outer: self.clone() }))),
            _ => self.clone(),
        }
    }

    /// Whether a file or folder is left out; the folders above it are taken not to be. `path` begins as the folders
    /// given to [`Ignored::with_file_in`] do.
    pub fn leaves_out(&self, path: &Utf8Path, is_folder: bool) -> bool {
        let mut next = self;
        while let Some(level) = &next.0 {
            match level.own.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => next = &level.outer,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Disk;

    #[test]
    fn an_inner_file_overrides_an_outer_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let inner = root.join("a");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(root.join(FILE_NAME), "*.log\n/out/\n").unwrap();
        std::fs::write(inner.join(FILE_NAME), "!keep.log\n").unwrap();
        let outer = Ignored::default().with_file_in(root, &Disk);
        let both = outer.with_file_in(&inner, &Disk);
        assert!(outer.leaves_out(&root.join("x.log"), false));
        assert!(outer.leaves_out(&root.join("out"), true) && !outer.leaves_out(&root.join("out"), false));
        assert!(both.leaves_out(&inner.join("x.log"), false) && !both.leaves_out(&inner.join("keep.log"), false));
        assert!(!both.leaves_out(&inner.join("out"), true));
    }
}
