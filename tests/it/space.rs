//! A workspace in a folder of its own, with its own store and home, and layerbuild run in it as a user would.
//!
//! Hermetic: the environment is empty but for PATH and HOME, and what is printed names no folder, time or process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_layerbuild");

/// A workspace, its store and its home; all gone when it is dropped.
pub struct Space {
    held: tempfile::TempDir,
    root: PathBuf,
}

/// What a command gave, as a user sees it, with folders and times taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; 128 and the signal where a signal ended it.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// All else.
    pub stderr: String,
}

impl Space {
    /// An empty workspace, without even a root file.
    pub fn empty() -> Space {
        let held = tempfile::tempdir().expect("a folder");
        let root = held.path().canonicalize().expect("a folder");
        ["ws", "home"].iter().for_each(|name| fs::create_dir(root.join(name)).expect("a folder"));
        // Another user may run in it too.
        let open = fs::Permissions::from_mode(0o777);
        [root.clone(), root.join("ws"), root.join("home")]
            .iter()
            .for_each(|folder| fs::set_permissions(folder, open.clone()).expect("a mode"));
        Space { held, root }
    }

    /// A workspace whose root is its only package, with these targets.
    pub fn with(targets: &str) -> Space {
        let space = Space::empty();
        space.write("layers.toml", &format!("[workspace]\nname = \"test\"\n\n{targets}"));
        space
    }

    /// A file of the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join("ws").join(path)
    }

    /// The store.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// A command in the workspace's folder, in an environment of its own; runs nothing yet.
    pub fn command(&self, program: &str) -> Command {
        let folder = Path::new(PROGRAM).parent().expect("a folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", folder.display());
        let mut command = Command::new(program);
        command.current_dir(self.path("")).env_clear().stdin(Stdio::null());
        command.env("PATH", path).env("HOME", self.root.join("home"));
        // One at a time: so that what is printed stands in one order.
        command.env("LAYERBUILD_CACHE_DIR", self.cache()).env("LAYERBUILD_JOBS", "1");
        command
    }

    /// Runs layerbuild to its end.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.output(self.command(PROGRAM).args(args))
    }

    /// Runs layerbuild, with the arguments as a line.
    pub fn layerbuild(&self, line: &str) -> Ran {
        self.run(line.split_whitespace())
    }

    /// Runs a command made by [`Space::command`] to its end.
    pub fn output(&self, command: &mut Command) -> Ran {
        let Output { status, stdout, stderr } = command.output().expect("a program that runs");
        let text = |bytes: &[u8]| self.normal(&String::from_utf8_lossy(bytes));
        Ran { code: code(status), stdout: text(&stdout), stderr: text(&stderr) }
    }

    /// A text without this folder's name and without times: `[ROOT]`, `[CACHE]`, `[HOME]`, `[TIME]`.
    pub fn normal(&self, text: &str) -> String {
        let folder = |name: &str| self.root.join(name).to_string_lossy().into_owned();
        let text = text.replace(&folder("ws"), "[ROOT]").replace(&folder("cache"), "[CACHE]");
        let text = text.replace(&folder("home"), "[HOME]").replace(&*self.root.to_string_lossy(), "[ABOVE]");
        let text = text.replace(&*self.held.path().to_string_lossy(), "[ABOVE]");
        text.split_inclusive('\n').map(without_times).collect()
    }
}

/// `//:a sha256:…` → the digest of a line that `build` printed; panics with all that was said where there is none.
pub fn digest(ran: &Ran) -> String {
    let line = ran.stdout.lines().next().unwrap_or_else(|| panic!("nothing was built: {ran:?}"));
    line.split(' ').nth(1).unwrap_or_else(|| panic!("no digest: {ran:?}")).to_owned()
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A line with `[TIME]` for each duration; the critical path depends on times too.
fn without_times(line: &str) -> String {
    if let Some((before, _)) = line.split_once("; critical path ") {
        return format!("{}; critical path [TIME]: [PATH]\n", without_times(before));
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    let words: Vec<&str> =
        line.trim_end_matches('\n').split(' ').map(|word| if is_time(word) { "[TIME]" } else { word }).collect();
    format!("{}{end}", words.join(" "))
}

/// `0.34s`, `12.3s`, `2m05s`.
fn is_time(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = word.strip_suffix('s').and_then(|number| number.split_once(['.', 'm']));
    parts.is_some_and(|(whole, rest)| digits(whole) && digits(rest))
}

#[test]
fn times_and_folders_are_taken_out_and_digests_stay() {
    let space = Space::empty();
    let text = format!(
        "wrote {} sha256:ab in 0.34s\n1 built in 2m05s; critical path 1.00s: //a → //b\n",
        space.path("x").display()
    );
    assert_eq!(
        space.normal(&text),
        "wrote [ROOT]/x sha256:ab in [TIME]\n1 built in [TIME]; critical path [TIME]: [PATH]\n"
    );
}
