//! The sandbox: user namespaces, subordinate ids, and an overlay on the store's file system. One is really entered.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::sandbox::error::SandboxError;
use crate::sandbox::host::Sandbox;
use crate::sandbox::task::{Answer, Run, Task};

const OVERLAY: &str =
    "name a --cache-dir on a file system of a disk (ext4, xfs, btrfs, tmpfs), with Linux 5.11 or later";

/// Whether one can be entered over an empty root. `near`: a folder on the store's file system in which a folder can be
/// made, which is removed again; `None`: there is none.
pub fn check(sandbox: &Sandbox, near: Option<&Path>, needed: bool) -> Finding {
    let tried = match near.map(|near| tempfile::Builder::new().prefix("layerbuild-doctor-").tempdir_in(near)) {
        Some(Ok(folder)) => over(sandbox, folder.path()),
        Some(Err(_)) | None => sandbox.perform(&Task::Remove(Vec::new()), None, &|_| {}).map(|ended| ended.answer),
    };
    judge(tried).needed(needed)
}

fn over(sandbox: &Sandbox, folder: &Path) -> Result<Answer, SandboxError> {
    for name in ["lower", "upper", "work", "root"] {
        fs::create_dir(folder.join(name)).map_err(SandboxError::Start)?;
    }
    let lowers = vec![folder.join("lower")];
    let run = Run { lowers, scratch: folder.to_owned(), workdir: "/".into(), user: "0".into(), ..Run::default() };
    let answer = sandbox.perform(&Task::Run(Box::new(run)), None, &|_| {}).map(|ended| ended.answer);
    // What belongs to a sandbox's users only a sandbox can remove, and root.
    let within = ["upper", "work", "root"].map(|name| folder.join(name)).to_vec();
    let _ = sandbox.perform(&Task::Remove(within), None, &|_| {});
    answer
}

fn judge(tried: Result<Answer, SandboxError>) -> Finding {
    match tried {
        Ok(Answer::Done) => Finding::fine("sandbox", "user namespaces and overlays work"),
        Ok(other) => Finding::missing("sandbox", format!("an empty one ended with {other:?}"), OVERLAY),
        Err(error) => {
            let fix = error.hint().unwrap_or_else(|| OVERLAY.to_owned());
            Finding::missing("sandbox", error.to_string(), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_said_with_what_to_do() {
        assert_eq!(judge(Ok(Answer::Done)).state, State::Fine);
        let ids = judge(Err(SandboxError::NoIds("subordinate ids for ann".into())));
        assert_eq!(ids.state, State::Missing);
        assert!(ids.found.contains("ann") && ids.fix.is_some_and(|fix| fix.contains("--add-subuids")));
        let (what, why, hint) = ("mount an overlay".into(), "no such device".into(), None);
        let overlay = judge(Err(SandboxError::Refused { what, why, hint }));
        assert_eq!(overlay.fix.as_deref(), Some(OVERLAY));
    }
}
