//! Runs `run`: commands in a sandbox over their base; what they changed as a layer.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::BuildError;
use super::roots::{self, Scratch};
use super::run_base::Base;
use super::run_cause::Cause;
use super::upstream::Upstream;
use super::{Workshop, layer, run_leaks, run_mounts};
use crate::action::record::Output;
use crate::action::{RunAction, RunBase};
use crate::label::Label;
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::oci::tree::Tree;
use crate::sandbox::host::Ended;
use crate::sandbox::task::{Answer, Collect, Run, SecretFile, Task};
use crate::store::StoreError;

/// Makes the layer. `told` gets each line that commands print.
pub fn run(
    label: &Label,
    action: &RunAction,
    inputs: &Upstream,
    shop: &Workshop<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Output, BuildError> {
    roots::clear(shop)?;
    let scratch = Scratch::new(shop)?;
    let run = prepare(action, inputs, &scratch, shop)?;
    let done = performed(run, label, action, (&scratch, shop), told)?;
    let tree = changed(&done, action, &scratch, shop)?;
    layer::make(label, &tree, &action.compression, shop)
}

/// Runs the commands to their end; gives back what they ran with.
pub(super) fn performed(
    run: Run,
    label: &Label,
    action: &RunAction,
    (scratch, shop): (&Scratch<'_>, &Workshop<'_>),
    told: &(dyn Fn(&str) + Sync),
) -> Result<Run, BuildError> {
    let task = Task::Run(Box::new(run));
    let ended = shop.sandbox.perform(&task, action.timeout, told)?;
    judge(ended, label, action, scratch.path())?;
    let Task::Run(done) = task else { unreachable!("it was made above") };
    Ok(*done)
}

/// All that a run needs, laid out: what a shell in it needs as well.
pub fn prepare(
    action: &RunAction,
    inputs: &Upstream,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
) -> Result<Run, BuildError> {
    prepare_over(Base::prepare(action, inputs, scratch, shop)?, action, inputs, scratch, shop)
}

/// The same over a base that was prepared.
pub fn prepare_over(
    base: Base,
    action: &RunAction,
    inputs: &Upstream,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
) -> Result<Run, BuildError> {
    for folder in ["upper", "work", "root"] {
        scratch.directory(folder)?;
    }
    Ok(Run {
        scratch: scratch.path().to_owned(),
        mounts: run_mounts::mounts(action, inputs, scratch, shop)?,
        secrets: run_mounts::secrets(action, shop)?,
        env: base.env(action)?,
        workdir: base.workdir(action),
        folders: Vec::new(),
        user: base.user(action),
        commands: action.commands.clone(),
        network: action.network,
        lowers: base.lowers,
    })
}

/// What came of the commands of an action. `scratch`: a folder of the store, for what a full disk would look like.
pub(super) fn judge(ended: Ended, label: &Label, action: &RunAction, scratch: &Path) -> Result<(), BuildError> {
    let (command, why) = match ended.answer {
        Answer::Done | Answer::Begun { .. } => return Ok(()),
        Answer::Failed { command, status } => (command, format!("ended with {status}")),
        Answer::TimedOut { command } => (command, too_long(action)),
        Answer::NotStarted { command, why } => (command, format!("was not started: {why}")),
        Answer::Unfit(why) => return Err(BuildError::LeftBehind(why)),
        Answer::Refused { what, why, .. } => return Err(BuildError::LeftBehind(vec![format!("cannot {what}: {why}")])),
    };
    Err(BuildError::Command {
        shell: (action.base != RunBase::Host).then(|| Box::new(label.clone())),
        number: command + 1,
        count: action.commands.len(),
        command: action.commands.get(command).map(|words| said(words)).unwrap_or_default(),
        why,
        cause: Cause::find(&ended.last_lines, action.network || action.base == RunBase::Host, scratch),
        last_lines: ended.last_lines,
    })
}

/// The time that a target gives its commands is that of all of them together.
pub(super) fn too_long(action: &RunAction) -> String {
    let limit = action.timeout.unwrap_or_default().as_secs();
    let all = if action.commands.len() > 1 { " for all commands" } else { "" };
    format!("was killed: it took longer than the `timeout` of {limit}s{all}")
}

/// A command as it is written, a shell's by its text alone.
fn said(words: &[String]) -> String {
    match words {
        [shell, flag, text] if shell == "/bin/sh" && flag == "-c" => format!("`{text}`"),
        words => format!("`{}`", words.join(" ")),
    }
}

fn changed(done: &Run, action: &RunAction, scratch: &Scratch<'_>, shop: &Workshop<'_>) -> Result<Tree, BuildError> {
    let Run { lowers, scratch: folder, .. } = done;
    let (lowers, folder, ignore, mtime) = (lowers.clone(), folder.clone(), action.ignore.clone(), action.mtime);
    read_back(&done.secrets, mtime, scratch, shop, |archive| {
        Task::Collect(Collect { lowers, scratch: folder, archive, ignore, mtime })
    })
}

/// The tree that a task writes to an archive; an error where it holds one of the secrets.
pub(super) fn read_back(
    secrets: &[SecretFile],
    mtime: u64,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
    task: impl FnOnce(PathBuf) -> Task,
) -> Result<Tree, BuildError> {
    let archive = scratch.path().join("changes.tar");
    File::create(&archive).map_err(|error| StoreError::io("create", &archive, error))?;
    match shop.sandbox.perform(&task(archive.clone()), None, &|_| {})?.answer {
        Answer::Done => {}
        Answer::Unfit(why) => return Err(BuildError::LeftBehind(why)),
        other => return Err(BuildError::LeftBehind(vec![format!("the changes cannot be read: {other:?}")])),
    }
    let tree = read_archive(&archive, &archive, &TarOptions { mtime })?;
    run_leaks::check(&archive, &tree, secrets)?;
    Ok(tree)
}
