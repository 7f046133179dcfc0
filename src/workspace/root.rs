//! Finding the workspace that a folder belongs to.
//!
//! Looks at files' lines only, so that a root whose syntax is wrong is still found, and its errors are shown.

use camino::{Utf8Path, Utf8PathBuf};

/// The name of every workspace and package file.
pub const FILE_NAME: &str = "layers.toml";

/// No folder from the one given upwards is a workspace's root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no workspace found: neither `{start}` nor a folder above it has a layers.toml with `[workspace]`")]
pub struct NoWorkspace {
    /// Where the search began.
    pub start: Utf8PathBuf,
}

impl NoWorkspace {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        "run `layerbuild init` to make one here, or name another folder with `-C`"
    }
}

/// The nearest folder from `start` upwards whose layers.toml has `[workspace]`.
pub fn find_root(start: &Utf8Path) -> Result<Utf8PathBuf, NoWorkspace> {
    let declares = |folder: &&Utf8Path| {
        let text = std::fs::read(folder.join(FILE_NAME)).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().any(opens_workspace)
    };
    let found = start.ancestors().find(declares);
    found.map(Utf8Path::to_owned).ok_or_else(|| NoWorkspace { start: start.to_owned() })
}

/// `[workspace]`, `[workspace.x]` or `workspace.x = …`; also `[workspace`, whose mistake is told later.
fn opens_workspace(line: &str) -> bool {
    let line = line.trim();
    let name = line.strip_prefix('[').unwrap_or(line).trim_start();
    let unclosed = line.starts_with('[') && name == "workspace";
    unclosed || name.strip_prefix("workspace").is_some_and(|rest| rest.trim_start().starts_with([']', '.', '=']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_workspace_upwards_is_found_past_packages() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join(FILE_NAME), "# hi\n[ workspace ]\nname = \n").unwrap();
        std::fs::write(root.join("a").join(FILE_NAME), "[files.workspace]\n").unwrap();
        assert_eq!(find_root(&root.join("a/b")).unwrap(), root);
    }

    #[test]
    fn without_a_workspace_the_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_root(Utf8Path::from_path(folder.path()).unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("no workspace found"), "{error}");
        assert!(error.hint().contains("layerbuild init"));
    }
}
