//! What commands see beside their base: inputs, caches, and secrets' values.
//!
//! Files of the workspace are copied, each held against its digest: what is seen is what is in the key, whatever is written
//! to them meanwhile, with modes and times that are the same everywhere.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Workshop;
use super::error::BuildError;
use super::roots::{Scratch, below, laid_out};
use super::run_base::layer;
use super::upstream::Upstream;
use crate::action::{FileEntry, FileKind, RunAction, RunInput, RunSecret, SecretSource, SourceFile};
use crate::digest::Hasher;
use crate::layer_path::LayerPath;
use crate::sandbox::task::{Mount, Secret, SecretFile};
use crate::store::StoreError;

/// Who the sandbox is to its programs, where no network is.
const HOSTS: &str = "127.0.0.1 localhost layerbuild\n::1 localhost\n";

/// Every mount, in the order of their paths.
pub fn mounts(
    action: &RunAction,
    inputs: &Upstream,
    scratch: &Scratch<'_>,
    shop: &Workshop<'_>,
) -> Result<Vec<Mount>, BuildError> {
    let mut mounts = names(action.network, scratch)?;
    for (number, (target, input)) in action.inputs.iter().enumerate() {
        let source = match input {
            RunInput::Files(entries) => {
                copied(entries, &scratch.directory(&format!("input-{number}"))?, action.mtime, shop)?
            }
            RunInput::Layer(id) => match inputs.output(*id).and_then(layer) {
                Some(layer) => laid_out(&layer, shop)?,
                None => continue,
            },
        };
        mounts.push(Mount { source, target: target.to_string(), writable: false });
    }
    for (target, name) in &action.caches {
        let source = shop.store.roots().cache(name)?;
        mounts.push(Mount { source, target: target.to_string(), writable: true });
    }
    Ok(mounts)
}

/// What names of hosts mean.
fn names(network: bool, scratch: &Scratch<'_>) -> Result<Vec<Mount>, BuildError> {
    let mount = |source: PathBuf, target: &str| Mount { source, target: target.to_owned(), writable: false };
    if network {
        let files = ["/etc/hosts", "/etc/resolv.conf"].into_iter();
        return Ok(files.filter(|path| Path::new(path).exists()).map(|path| mount(path.into(), path)).collect());
    }
    let hosts = scratch.path().join("hosts");
    fs::write(&hosts, HOSTS).map_err(|error| StoreError::io("write", &hosts, error))?;
    Ok(vec![mount(hosts, "/etc/hosts")])
}

pub(super) fn copied(
    entries: &BTreeMap<LayerPath, FileEntry>,
    into: &Path,
    mtime: u64,
    shop: &Workshop<'_>,
) -> Result<PathBuf, BuildError> {
    for (path, entry) in entries {
        let at = below(into, path);
        let fail = |error| StoreError::io("write", &at, error);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        match &entry.kind {
            FileKind::Source(source) => copy(source, &at, shop)?,
            FileKind::Symlink(target) => {
                symlink(target, &at).map_err(fail)?;
                continue;
            }
            FileKind::Literal(bytes) => fs::write(&at, bytes).map_err(fail)?,
            FileKind::Directory { .. } => continue,
        }
        fs::set_permissions(&at, Permissions::from_mode(entry.mode)).map_err(fail)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime);
        File::open(&at).and_then(|file| file.set_modified(time)).map_err(fail)?;
    }
    Ok(into.to_owned())
}

fn copy(source: &SourceFile, at: &Path, shop: &Workshop<'_>) -> Result<(), BuildError> {
    let changed = || BuildError::Changed { path: source.path.clone() };
    let mut from = File::open(shop.sources.at(&source.path)).map_err(|_| changed())?;
    let mut to = File::create_new(at).map_err(|error| StoreError::io("create", at, error))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match io::Read::read(&mut from, &mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                io::Write::write_all(&mut to, &buffer[..count]).map_err(|error| StoreError::io("write", at, error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(changed()),
        }
    }
    if hasher.finish() == source.digest { Ok(()) } else { Err(changed()) }
}

/// Secrets with their values.
pub fn secrets(action: &RunAction, shop: &Workshop<'_>) -> Result<Vec<SecretFile>, BuildError> {
    let one = |(target, secret): (&LayerPath, &RunSecret)| {
        let why = |why: String| BuildError::Secret { name: secret.name.clone(), why };
        let content = value(&secret.source, shop).map_err(why)?;
        Ok(SecretFile { target: target.to_string(), content: Secret(content) })
    };
    action.secrets.iter().map(one).collect()
}

fn value(source: &SecretSource, shop: &Workshop<'_>) -> Result<Vec<u8>, String> {
    match source {
        SecretSource::Variable(name) => {
            let value = (shop.variable)(name).ok_or_else(|| format!("the variable {name} is not set"))?;
            Ok(value.as_encoded_bytes().to_vec())
        }
        SecretSource::File(path) => {
            let place = match path.strip_prefix("~/") {
                Some(rest) => PathBuf::from((shop.variable)("HOME").ok_or("HOME is not set")?).join(rest),
                None => shop.root.as_std_path().join(path),
            };
            fs::read(place).map_err(|error| format!("`{path}` cannot be read ({error})"))
        }
    }
}
