//! Runs `exec`: a command in a sandbox over its base, or on the host; what it left at its outputs as a layer.

use super::error::BuildError;
use super::roots::{self, Scratch};
use super::run_base::Base;
use super::upstream::Upstream;
use super::{Workshop, exec_on_host, layer, run};
use crate::action::record::Output;
use crate::action::{ExecAction, RunBase};
use crate::label::Label;
use crate::oci::tree::Tree;
use crate::sandbox::task::{Gather, Place, Run, Task};

/// Makes the layer. `told` gets each line that the command prints.
pub fn run(
    label: &Label,
    action: &ExecAction,
    inputs: &Upstream,
    shop: &Workshop<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Output, BuildError> {
    roots::clear(shop)?;
    let scratch = Scratch::new(shop)?;
    let tree = match action.step.base {
        RunBase::Host => exec_on_host::run(label, action, &places(action), inputs, (&scratch, shop), told)?,
        _ => in_sandbox(label, action, inputs, &scratch, shop, told)?,
    };
    layer::make(label, &tree, &action.step.compression, shop)
}

fn in_sandbox(
    label: &Label,
    action: &ExecAction,
    inputs: &Upstream,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Tree, BuildError> {
    let run = prepare(action, inputs, scratch, shop)?;
    let done = run::performed(run, label, &action.step, (scratch, shop), told)?;
    let Run { lowers, scratch: folder, secrets, .. } = done;
    let mtime = action.step.mtime;
    run::read_back(&secrets, mtime, scratch, shop, |archive| {
        Task::Gather(Gather { lowers, scratch: folder, archive, places: places(action), mtime })
    })
}

/// All that the command needs, laid out: what a shell needs as well.
pub fn prepare(
    action: &ExecAction,
    inputs: &Upstream,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
) -> Result<Run, BuildError> {
    let base = Base::prepare(&action.step, inputs, scratch, shop)?.bare();
    let folders = action.outputs.values().filter_map(|from| Some(from.parent()?.to_string())).collect();
    Ok(Run { folders, ..run::prepare_over(base, &action.step, inputs, scratch, shop)? })
}

/// Where the outputs are looked for.
fn places(action: &ExecAction) -> Vec<Place> {
    action.outputs.iter().map(|(to, from)| Place { from: from.clone(), to: to.clone() }).collect()
}
