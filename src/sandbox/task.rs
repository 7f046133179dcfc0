//! What a sandbox is told to do, and what it answers: plain values, sent as JSON over a socket.
//!
//! A secret's value stands in a [`Secret`] only, which is neither shown nor kept.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::layer_path::LayerPath;

/// Something to do inside.
#[derive(Debug, Serialize, Deserialize)]
pub enum Task {
    /// Puts a plain tar's members into an empty directory, as an overlay's lower directory.
    LayOut {
        /// The tar, uncompressed.
        archive: PathBuf,
        /// The directory, which exists.
        into: PathBuf,
    },
    /// Runs commands.
    Run(Box<Run>),
    /// Writes what a run changed as a plain tar.
    Collect(Collect),
    /// Writes what a run left at some places as a plain tar.
    Gather(Gather),
    /// Removes files and directories with all that is in them; what isn't there is no error.
    Remove(Vec<PathBuf>),
}

/// Commands over a root file system.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// Directories of the host, the lowest first. At least one.
    pub lowers: Vec<PathBuf>,
    /// An existing directory of the host with `upper`, `work` and `root` in it.
    pub scratch: PathBuf,
    /// What else is seen, in this order.
    pub mounts: Vec<Mount>,
    /// Files in memory.
    pub secrets: Vec<SecretFile>,
    /// The whole environment, without `HOME` where the user's own is meant.
    pub env: Vec<(String, String)>,
    /// Where commands start, absolute; made where it is missing.
    pub workdir: String,
    /// Directories that commands find, absolute; made where they are missing.
    pub folders: Vec<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`; empty: root.
    pub user: String,
    /// Each a program and its arguments, run in this order until one fails.
    pub commands: Vec<Vec<String>>,
    /// Use the host's network; else there is only a loopback device.
    pub network: bool,
}

/// A file or directory of the host that is seen inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// On the host.
    pub source: PathBuf,
    /// Inside, absolute.
    pub target: String,
    /// Else it is read-only. A writable one belongs to the run's user.
    pub writable: bool,
}

/// A file that exists in memory as long as the commands run.
#[derive(Debug, Serialize, Deserialize)]
pub struct SecretFile {
    /// Inside, absolute.
    pub target: String,
    /// Its content.
    pub content: Secret,
}

/// Bytes that nobody is shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

/// What a run changed, as a tar.
#[derive(Debug, Serialize, Deserialize)]
pub struct Collect {
    /// As in the run.
    pub lowers: Vec<PathBuf>,
    /// As in the run.
    pub scratch: PathBuf,
    /// The file that the tar is written to; it exists.
    pub archive: PathBuf,
    /// Globs of absolute paths that are left out.
    pub ignore: Vec<String>,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// What a run left at some places, as a tar.
#[derive(Debug, Serialize, Deserialize)]
pub struct Gather {
    /// As in the run.
    pub lowers: Vec<PathBuf>,
    /// As in the run.
    pub scratch: PathBuf,
    /// The file that the tar is written to; it exists.
    pub archive: PathBuf,
    /// Where to look.
    pub places: Vec<Place>,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// A file or directory that a run makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where the run makes it.
    pub from: LayerPath,
    /// Where it stands in the layer; the root for what is in a directory.
    pub to: LayerPath,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A command begins; more follows.
    Begun {
        /// Which, from 0.
        command: usize,
    },
    /// All was done.
    Done,
    /// A command ended badly.
    Failed {
        /// Which, from 0.
        command: usize,
        /// As a phrase: `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
    },
    /// The time was over, and all was killed. Said by the host's side.
    TimedOut {
        /// Which command ran, from 0.
        command: usize,
    },
    /// A command could not be started, or is nobody's.
    NotStarted {
        /// Which, from 0.
        command: usize,
        /// Why, as a phrase.
        why: String,
    },
    /// What was left behind can't stand in a layer; a sentence for each.
    Unfit(Vec<String>),
    /// The machine refused.
    Refused {
        /// What was tried, as a phrase.
        what: String,
        /// What the system said.
        why: String,
        /// The system's number for it; `None` where it has none.
        errno: Option<i32>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let run = Run {
            secrets: vec![SecretFile { target: "/run/secrets/a".into(), content: Secret(b"hunter2".to_vec()) }],
            ..Run::default()
        };
        let shown = format!("{:?}", Task::Run(Box::new(run)));
        assert!(shown.contains("a secret") && !shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
