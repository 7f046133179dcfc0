//! Finding the workspace that a folder belongs to.
//!
//! Looks at files' lines only, so that a root whose syntax is wrong is still found, and its errors are shown.

use camino::{Utf8Path, Utf8PathBuf};

use crate::checkout::{Checkout as _, Disk};

/// The name of every workspace and package file.
pub const FILE_NAME: &str = "layers.toml";

/// What some editors begin a file with: TOML takes it.
const BOM: char = '\u{feff}';

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
        let text = Disk.read(&folder.join(FILE_NAME)).unwrap_or_default();
        is_utf16(&text) || String::from_utf8_lossy(&text).trim_start_matches(BOM).lines().any(opens_workspace)
    };
    let found = start.ancestors().find(declares);
    found.map(Utf8Path::to_owned).ok_or_else(|| NoWorkspace { start: start.to_owned() })
}

/// As some editors and shells write a file: what stands in it, `read_text` tells that nobody can read.
fn is_utf16(text: &[u8]) -> bool {
    text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff")
}

/// `[workspace]`, `[workspace.x]` or `workspace.x = …`; also `[workspace` and `[[workspace]]`, whose mistakes are told later.
fn opens_workspace(line: &str) -> bool {
    let line = line.trim();
    let name = line.trim_start_matches(['[', ' ', '\t']);
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
    fn a_root_that_is_written_wrong_is_found_so_that_its_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for text in [
            &b"[[workspace]]\nname = \"x\"\n"[..],
            b"[workspace\n",
            b"\xff\xfe[\0w\0",
            b"[[ workspace ]]\n",
            b"\xef\xbb\xbf[workspace]\n",
        ] {
            std::fs::write(root.join(FILE_NAME), text).unwrap();
            assert_eq!(find_root(root).as_deref(), Ok(root), "{text:?}");
        }
        for text in [&b"[files.workspace]\n"[..], b"[workspaces]\n", b"workspace\n", b"\xff"] {
            std::fs::write(root.join(FILE_NAME), text).unwrap();
            assert!(find_root(root).is_err(), "{text:?}");
        }
    }

    #[test]
    fn without_a_workspace_the_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_root(Utf8Path::from_path(folder.path()).unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("no workspace found"), "{error}");
        assert!(error.hint().contains("layerbuild init"));
    }
}
