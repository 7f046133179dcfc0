//! An `exec` without a sandbox: on the host, in a folder of its own that holds copies of its inputs.
//!
//! A path of the sandbox is a path below that folder. What else the command sees of the host is nobody's to say: its result
//! is not portable.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::debs::deb;
use super::error::BuildError;
use super::roots::{Scratch, below, unpack};
use super::run_base::{PATH, layer, variables};
use super::run_mounts::copied;
use super::upstream::Upstream;
use super::{Workshop, run};
use crate::action::{ExecAction, RunInput};
use crate::label::Label;
use crate::oci::descriptor::Layer;
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::oci::tree::{Entry, EntryKind, Tree};
use crate::sandbox::outputs::outputs;
use crate::sandbox::outside::Outside;
use crate::sandbox::task::Place;
use crate::store::StoreError;

/// Runs the command; gives what it left at its outputs.
pub fn run(
    label: &Label,
    action: &ExecAction,
    places: &[Place],
    inputs: &Upstream,
    (scratch, shop): (&Scratch<'_>, &Workshop<'_>),
    told: &(dyn Fn(&str) + Sync),
) -> Result<Tree, BuildError> {
    let folder = scratch.directory("host")?;
    lay_inputs(action, inputs, &folder, scratch, shop)?;
    for (at, name) in &action.step.caches {
        let (cache, at) = (shop.store.roots().cache(name)?, below(&folder, at));
        parent(&at).and_then(|()| symlink(cache, &at)).map_err(|error| StoreError::io("link", &at, error))?;
    }
    for from in action.outputs.values() {
        let at = below(&folder, from);
        parent(&at).map_err(|error| StoreError::io("create", &at, error))?;
    }
    let env = env(action, &folder, shop)?;
    let [command] = action.step.commands.as_slice() else { return Ok(Tree::default()) };
    let outside = Outside { command, env: &env, folder: &folder };
    run::judge(shop.sandbox.outside(&outside, action.step.timeout, told)?, label, &action.step, scratch.path())?;
    outputs(&folder, places, action.step.mtime).map_err(BuildError::LeftBehind)
}

/// The host's `PATH`, a home in the folder, and the action's own variables.
fn env(action: &ExecAction, folder: &Path, shop: &Workshop<'_>) -> Result<Vec<(String, String)>, BuildError> {
    let path = (shop.variable)("PATH").and_then(|path| path.into_string().ok()).unwrap_or_else(|| PATH.to_owned());
    let base = [
        format!("PATH={path}"),
        format!("HOME={}", folder.display()),
        format!("SOURCE_DATE_EPOCH={}", action.step.mtime),
    ];
    variables(&base, &action.step)
}

fn lay_inputs(
    action: &ExecAction,
    inputs: &Upstream,
    folder: &Path,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
) -> Result<(), BuildError> {
    for (at, input) in &action.step.inputs {
        let into = below(folder, at);
        fs::create_dir_all(&into).map_err(|error| StoreError::io("create", &into, error))?;
        match input {
            RunInput::Files(entries) => _ = copied(entries, &into, action.step.mtime, shop)?,
            RunInput::Layer(id) => {
                let layer = inputs.output(*id).and_then(layer);
                layer.map_or(Ok(()), |layer| lay_out(&layer, &into, scratch, shop))?;
            }
        }
    }
    Ok(())
}

/// A layer's files as the user's own; what only root could make is left out.
fn lay_out(layer: &Layer, into: &Path, scratch: &Scratch<'_>, shop: &Workshop<'_>) -> Result<(), BuildError> {
    let archive = scratch.path().join("input.tar");
    if unpack(layer, &archive, shop)? != layer.diff_id.0 {
        let path = shop.store.blobs().path(&layer.descriptor.digest);
        return Err(StoreError::Corrupt { digest: layer.descriptor.digest, path }.into());
    }
    for (path, entry) in &read_archive(&archive, &archive, &TarOptions { mtime: 0 })?.entries {
        let at = below(into, path);
        put(entry, &at, into).map_err(|error| StoreError::io("write", &at, error))?;
    }
    Ok(())
}

fn put(entry: &Entry, at: &Path, into: &Path) -> io::Result<()> {
    match &entry.kind {
        EntryKind::Directory => return fs::create_dir_all(at),
        EntryKind::Symlink(target) => return symlink(OsStr::from_bytes(target), at),
        EntryKind::HardLink(first) => return fs::hard_link(below(into, first), at),
        EntryKind::File(content) => fs::write(at, deb::read(content)?)?,
        EntryKind::Fifo | EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } => return Ok(()),
    }
    fs::set_permissions(at, Permissions::from_mode(entry.mode & 0o777 | 0o600))
}

fn parent(at: &Path) -> io::Result<()> {
    at.parent().map_or(Ok(()), fs::create_dir_all)
}
