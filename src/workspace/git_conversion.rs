//! What git makes of a commit's files when it writes them to disk: line ends, encodings, filters, as the commit's own
//! `.gitattributes` and this machine's configuration say.
//!
//! Git takes attributes from the work tree that it stands in. Where that has others than the commit, it stands in a folder
//! with those of the commit and nothing else. Knows nothing of what is on disk.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Seek as _, Write as _};
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::git::{Git, GitError};
use super::git_objects::Objects;
use super::git_pipe::{Kept, Pipe};
use super::git_tree::{GitTree, Item};
use crate::reason::reason;

/// What git makes of files.
#[derive(Debug)]
pub struct Conversion {
    place: Place,
    /// The files of which it may write anything else than what their blobs hold.
    converted: HashSet<String>,
    asked: Kept,
    /// A name that no object has, and no content holds but by chance.
    end: String,
}

/// Where git stands when it is asked.
#[derive(Debug)]
enum Place {
    /// At the repository's top.
    Top(Utf8PathBuf),
    /// In a folder that has the commit's `.gitattributes`.
    Made { folder: TempDir, repository: String },
}

/// What the configuration says of line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// They are written as they are.
    Kept,
    /// Lines of texts end as Windows has it.
    Crlf,
}

impl Conversion {
    /// That of a commit. `same`: whether the work tree at `top` has its `.gitattributes`, and no others.
    pub fn of(
        tree: &GitTree,
        (top, same): (&Utf8Path, bool),
        git: &Git,
        objects: &Objects,
    ) -> Result<Conversion, GitError> {
        let place = match same {
            true => Place::Top(top.to_owned()),
            false => Place::made(tree, git, objects)?,
        };
        let ends = ends(&git.line(&["config", "--get-regexp", "^core\\.(autocrlf|eol)$"])?.unwrap_or_default());
        let answer = place.attributes(tree, git).map_err(refused)?;
        let converted = converted(&answer, ends, tree);
        let end = format!("none-{:016x}", RandomState::new().build_hasher().finish());
        Ok(Conversion { place, converted, asked: Kept::default(), end })
    }

    /// Whether git may write anything else of a file than what its blob holds.
    pub fn concerns(&self, path: &Utf8Path) -> bool {
        self.converted.contains(path.as_str())
    }

    /// What git writes of a file, which has this blob.
    pub fn written(&self, path: &Utf8Path, blob: &str, git: &Git) -> io::Result<Vec<u8>> {
        // A line has no room for such a path.
        if path.as_str().contains('\n') || path.as_str().starts_with([' ', '\t']) {
            let filter = ["cat-file", "--filters", &format!("--path={path}"), blob];
            let output = self.place.command(&filter, git).output()?;
            return if output.status.success() { Ok(output.stdout) } else { Err(unwritten(path)) };
        }
        let written = self.asked.ask(
            || self.place.command(&["cat-file", "--batch", "--filters"], git),
            |pipe| written(&format!("{blob} {path}\n"), &self.end, pipe),
        );
        written.map_err(|_| unwritten(path))?.ok_or_else(|| io::Error::other(format!("git has no object {blob}")))
    }
}

fn refused(error: io::Error) -> GitError {
    GitError::Refused(reason(&error))
}

fn unwritten(path: &Utf8Path) -> io::Error {
    io::Error::other(format!("git can't convert it as `git checkout` would: {path}"))
}

/// `BLOB SP TYPE SP SIZE LF CONTENT LF`, with the size that it has before it is converted: the answer to another question
/// tells where it ends.
fn written(question: &str, end: &str, pipe: &mut Pipe) -> io::Result<Option<Vec<u8>>> {
    pipe.write(&format!("{question}{end}\n"))?;
    let missing = pipe.line()?.ends_with(b" missing\n");
    let (mut bytes, end) = (Vec::new(), format!("{end} missing\n"));
    while !bytes.ends_with(end.as_bytes()) {
        bytes.extend(pipe.line()?);
    }
    bytes.truncate((bytes.len() - end.len()).saturating_sub(1));
    Ok((!missing).then_some(bytes))
}

impl Place {
    fn made(tree: &GitTree, git: &Git, objects: &Objects) -> Result<Place, GitError> {
        let repository = git.line(&["rev-parse", "--absolute-git-dir"])?.ok_or(GitError::NoRepository)?;
        let folder = TempDir::new().map_err(refused)?;
        for path in tree.attributes() {
            let Some(Item::File { blob, .. }) = tree.item(path) else { continue };
            let to = folder.path().join(path);
            let write = || {
                to.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&to, objects.read(blob, git)?)
            };
            write().map_err(refused)?;
        }
        Ok(Place::Made { folder, repository })
    }

    fn command(&self, arguments: &[&str], git: &Git) -> Command {
        match self {
            Place::Top(top) => git.command_in(top.as_std_path(), arguments),
            Place::Made { folder, repository } => {
                let mut command = git.command_in(folder.path(), arguments);
                // No index: what is not in the folder is nowhere.
                let index = folder.path().join(".no-index");
                command.env("GIT_DIR", repository).env("GIT_WORK_TREE", folder.path()).env("GIT_INDEX_FILE", index);
                command
            }
        }
    }

    /// What git says of all files: `PATH NUL ATTRIBUTE NUL VALUE NUL` for each that one has.
    fn attributes(&self, tree: &GitTree, git: &Git) -> io::Result<Vec<u8>> {
        let mut paths = tempfile::tempfile()?;
        paths.write_all(tree.files().collect::<Vec<_>>().join("\0").as_bytes())?;
        paths.rewind()?;
        let output = self.command(&["check-attr", "-z", "--all", "--stdin"], git).stdin(paths).output()?;
        if output.status.success() { Ok(output.stdout) } else { Err(io::Error::other("git tells no attributes")) }
    }
}

/// From `core.autocrlf true` and the like, a line each; the last of a kind counts.
fn ends(config: &str) -> Ends {
    let value = |key: &str| config.lines().filter_map(|line| line.strip_prefix(key)).next_back().map(str::trim);
    let converts = match value("core.autocrlf") {
        None => false,
        Some(said) => !["input", "false", "no", "off", "0"].contains(&said.to_lowercase().as_str()),
    };
    let crlf = value("core.eol").is_some_and(|value| value.eq_ignore_ascii_case("crlf"));
    if converts || crlf { Ends::Crlf } else { Ends::Kept }
}

/// The attributes of one file that bear on what is written.
#[derive(Debug, Clone, Copy, Default)]
struct Said<'a> {
    text: Option<&'a str>,
    eol: Option<&'a str>,
    /// What is converted whatever the line ends.
    other: bool,
}

impl<'a> Said<'a> {
    fn note(&mut self, name: &str, value: &'a str) {
        match name {
            "text" => self.text = Some(value),
            "eol" => self.eol = Some(value),
            // What LFS keeps is known by its digest, and on disk as its content or not at all.
            "filter" if value == "lfs" => {}
            // `crlf` is what `text` was called once.
            "ident" | "filter" | "working-tree-encoding" | "crlf" => self.other |= value != "unset",
            _ => {}
        }
    }

    fn converts(&self, ends: Ends) -> bool {
        let crlf = match self.eol {
            Some("crlf") => true,
            Some("lf") => false,
            _ => ends == Ends::Crlf,
        };
        self.other || (crlf && self.text != Some("unset"))
    }
}

fn converted(answer: &[u8], ends: Ends, tree: &GitTree) -> HashSet<String> {
    let mut fields = answer.split(|byte| *byte == 0).map(|field| std::str::from_utf8(field).unwrap_or_default());
    let mut said: HashMap<&str, Said<'_>> = HashMap::new();
    if ends == Ends::Crlf {
        said.extend(tree.files().map(|path| (path, Said::default())));
    }
    while let (Some(path), Some(name), Some(value)) = (fields.next(), fields.next(), fields.next()) {
        said.entry(path).or_default().note(name, value);
    }
    let converted = said.into_iter().filter(|(_, said)| said.converts(ends));
    converted.map(|(path, _)| path.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_changed_where_the_configuration_or_an_attribute_says_so() {
        for (config, expected) in [
            ("", Ends::Kept),
            ("core.autocrlf input\ncore.eol lf", Ends::Kept),
            ("core.autocrlf true\ncore.autocrlf false", Ends::Kept),
            ("core.autocrlf true", Ends::Crlf),
            ("core.autocrlf", Ends::Crlf),
            ("core.eol CRLF", Ends::Crlf),
        ] {
            assert_eq!(ends(config), expected, "{config}");
        }
        let tree = GitTree::parse(b"100644 blob aa\ta\x00100644 blob bb\tb\0");
        let of = |answer: &str, ends| {
            let mut paths: Vec<_> = converted(answer.replace(' ', "\0").as_bytes(), ends, &tree).into_iter().collect();
            paths.sort();
            paths.join(" ")
        };
        assert_eq!(of("a text set a eol crlf b text auto", Ends::Kept), "a");
        assert_eq!(of("a text unset", Ends::Crlf), "b");
        assert_eq!(of("a text unset a filter x b ident unset", Ends::Kept), "a");
        assert_eq!(of("a filter lfs b eol lf", Ends::Crlf), "a");
        assert_eq!(of("a crlf input", Ends::Kept), "a");
    }
}
