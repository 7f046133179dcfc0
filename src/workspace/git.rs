//! What git says of the workspace: asked of the program `git`, each question once, and only when somebody needs it.
//!
//! Knows nothing of targets. Digits of a revision are cut at a fixed length: what git finds short enough differs by clone.

use std::ffi::OsString;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

/// What can be asked for: `${git.NAME}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The commit's whole name.
    Revision,
    /// Its first twelve digits.
    ShortRevision,
    /// `true` where the work tree differs from the commit, files that git doesn't know included; else `false`.
    Dirty,
    /// The nearest tag, how far it is, and the commit: `git describe --tags --always`, with `-dirty` where it is.
    Describe,
    /// The branch that is checked out.
    Branch,
}

/// Why git has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The program can't be started.
    #[error("the program `git` can't be started: {0}")]
    Missing(String),
    /// No repository holds the workspace.
    #[error("the workspace lies in no git repository")]
    NoRepository,
    /// Nothing was committed yet.
    #[error("the git repository has no commit yet")]
    NoCommit,
    /// A commit is checked out and no branch.
    #[error("no git branch is checked out")]
    NoBranch,
    /// Git's own words.
    #[error("git has no answer: {0}")]
    Refused(String),
}

/// A workspace's git. Shared by threads.
#[derive(Debug)]
pub struct Git {
    root: Utf8PathBuf,
    variables: Vec<(OsString, OsString)>,
    /// What `describe` describes.
    head: String,
    /// Whether nothing is known of it.
    unknown: bool,
    revision: OnceLock<Result<String, GitError>>,
    dirty: OnceLock<Result<bool, GitError>>,
    describe: OnceLock<Result<String, GitError>>,
    branch: OnceLock<Result<String, GitError>>,
}

const FIELDS: [(&str, Field); 5] = [
    ("revision", Field::Revision),
    ("short-revision", Field::ShortRevision),
    ("dirty", Field::Dirty),
    ("describe", Field::Describe),
    ("branch", Field::Branch),
];

/// Variables that say which repository is meant, as git sets them for its hooks: here the workspace's folder says it.
const LEFT_OUT: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"];
const SHORT: usize = 12;

impl Field {
    /// The names that there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FIELDS.into_iter().map(|(name, _)| name)
    }

    /// The field of a name; `None` where there is no such.
    pub fn parse(name: &str) -> Option<Field> {
        FIELDS.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        FIELDS.into_iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

impl GitError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            GitError::Missing(_) => "install git, or take the value from `[vars]` and `--var NAME=VALUE`",
            GitError::NoRepository => {
                "`git init` makes one; elsewhere, `${vars.NAME}` and `--var NAME=VALUE` give a value"
            }
            GitError::NoCommit => "commit something first",
            GitError::NoBranch => "check a branch out; CI systems check out commits, so prefer `${git.revision}`",
            GitError::Refused(_) => "what git says is told by `git -C <workspace> status` too",
        }
    }
}

impl Git {
    /// The git of the workspace in `root`; `variables`: the environment that git runs in. Nothing is asked yet.
    pub fn new(root: &Utf8Path, variables: Vec<(OsString, OsString)>) -> Git {
        let (revision, dirty, describe, branch) = Default::default();
        let (root, head, unknown) = (root.to_owned(), "HEAD".to_owned(), false);
        Git { root, variables, head, unknown, revision, dirty, describe, branch }
    }

    /// The same as it was when a commit had just been checked out. Which branch that was, git doesn't know: it is none that
    /// there can be.
    #[must_use]
    pub fn at(&self, commit: &str) -> Git {
        let then = Git::new(&self.root, self.variables.clone());
        let short: String = commit.chars().take(SHORT).collect();
        // Each is set for the first time.
        let _ = then.revision.set(Ok(commit.to_owned()));
        let _ = then.dirty.set(Ok(false));
        let _ = then.branch.set(Ok(format!("branch-of-{short}-is-unknown")));
        Git { head: commit.to_owned(), ..then }
    }

    /// That of another workspace, which lies in the same repository: as it was when the same commit had been checked out.
    #[must_use]
    pub fn beside(&self, root: &Utf8Path) -> Git {
        Git::new(root, self.variables.clone()).at(&self.head)
    }

    /// The same at a time of which nothing is known: what it says is none of what it may say now.
    #[must_use]
    pub fn unknown(self) -> Git {
        Git { unknown: true, ..self }
    }

    /// A field's value.
    pub fn value(&self, field: Field) -> Result<String, GitError> {
        match field {
            Field::Dirty if self.unknown => self.dirty().map(|dirty| (!dirty).to_string()),
            field if self.unknown => Ok(format!("{}-is-unknown", field.name())),
            Field::Revision => self.revision(),
            Field::ShortRevision => self.revision().map(|revision| revision.chars().take(SHORT).collect()),
            Field::Dirty => self.dirty().map(|dirty| dirty.to_string()),
            Field::Describe => self.describe(),
            Field::Branch => self.branch.get_or_init(|| self.ask_branch()).clone(),
        }
    }

    /// Whether git keeps a file of the workspace; `false` where it can't be asked.
    pub fn tracks(&self, path: &str) -> bool {
        self.run(&["ls-files", "--error-unmatch", "--", path]).is_ok_and(|output| output.status.success())
    }

    /// Those of the paths, relative to the workspace's root, that git ignores and doesn't keep.
    pub fn ignores<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Result<Vec<String>, GitError> {
        let asked: Vec<u8> = paths.flat_map(|path| path.bytes().chain([0])).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: io::Error| GitError::Missing(crate::reason::reason(&error));
        let mut questions = tempfile::tempfile().map_err(failed)?;
        questions.write_all(&asked).map_err(failed)?;
        let mut ask = |more: &[&str]| {
            questions.rewind()?;
            let mut git = self.command(&[&["check-ignore", "-z", "--stdin"], more].concat());
            git.stdin(questions.try_clone()?).output()
        };
        let mut output = ask(&[]).map_err(failed)?;
        if output.status.code() == Some(128) {
            // A path within a submodule: by the index, git would say no more of any.
            output = ask(&["--no-index"]).map_err(failed)?;
        }
        let told = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            // 1 says that none of them is.
            Some(0 | 1) => Ok(told.split_terminator('\0').map(str::to_owned).collect()),
            _ => Err(refusal(&output)),
        }
    }

    fn revision(&self) -> Result<String, GitError> {
        let ask = || match self.run(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])? {
            output if output.status.code() == Some(1) => Err(GitError::NoCommit),
            output => answer(&output),
        };
        self.revision.get_or_init(ask).clone()
    }

    fn dirty(&self) -> Result<bool, GitError> {
        let ask = || answer(&self.run(&["status", "--porcelain"])?).map(|changes| !changes.is_empty());
        self.dirty.get_or_init(ask).clone()
    }

    fn describe(&self) -> Result<String, GitError> {
        let ask = || {
            self.revision()?;
            let abbrev = format!("--abbrev={SHORT}");
            let told = answer(&self.run(&["describe", "--tags", "--always", &abbrev, &self.head])?)?;
            Ok(if self.dirty()? { format!("{told}-dirty") } else { told })
        };
        self.describe.get_or_init(ask).clone()
    }

    fn ask_branch(&self) -> Result<String, GitError> {
        match self.run(&["symbolic-ref", "--quiet", "--short", "HEAD"])? {
            output if output.status.code() == Some(1) => Err(GitError::NoBranch),
            output => answer(&output),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, GitError> {
        self.command(arguments).output().map_err(|error| GitError::Missing(crate::reason::reason(&error)))
    }

    /// What git prints, whole; any failure is an error.
    pub(super) fn bytes(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = self.run(arguments)?;
        if output.status.success() { Ok(output.stdout) } else { Err(refusal(&output)) }
    }

    /// What git prints, without the line's end; `None` where it says no by exit code 1.
    pub(super) fn line(&self, arguments: &[&str]) -> Result<Option<String>, GitError> {
        let output = self.run(arguments)?;
        if output.status.code() == Some(1) { Ok(None) } else { answer(&output).map(Some) }
    }

    /// A call of git in the workspace's folder, with nothing on stdin.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(self.root.as_std_path(), arguments)
    }

    /// The same in another folder.
    pub(super) fn command_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let kept = self.variables.iter().filter(|(name, _)| LEFT_OUT.iter().all(|left_out| name != left_out));
        let mut git = Command::new("git");
        git.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
        git.env_clear().envs(kept.cloned()).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
        git
    }
}

/// What was printed, without the line's end.
fn answer(output: &Output) -> Result<String, GitError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    Err(refusal(output))
}

fn refusal(output: &Output) -> GitError {
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("not a git repository") {
        return GitError::NoRepository;
    }
    GitError::Refused(told.lines().next().unwrap_or("it failed without a word").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere(variables: Vec<(OsString, OsString)>) -> (tempfile::TempDir, Git) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        (folder, Git::new(&root, variables))
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        assert!(Field::names().all(|name| Field::parse(name).is_some_and(|field| field.name() == name)));
        assert_eq!(Field::parse("sha"), None);
    }

    #[test]
    fn without_a_program_there_is_an_error_and_nothing_is_tracked() {
        let (_folder, git) = nowhere(vec![("PATH".into(), "/nowhere".into())]);
        for name in Field::names() {
            let error = git.value(Field::parse(name).unwrap()).unwrap_err();
            assert!(matches!(error, GitError::Missing(_)), "{error}");
        }
        assert!(!git.tracks("layers.local.toml"));
    }
}
