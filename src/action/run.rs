//! Commands over a root file system, as plain values.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ActionId, FileEntry, SourceFile};
use crate::layer_path::LayerPath;
use crate::oci::compress::Compression;

/// Commands over a root file system; what they change becomes a layer.
#[derive(Debug, Clone)]
pub struct RunAction {
    /// What they run over.
    pub base: RunBase,
    /// Each a program and its arguments.
    pub commands: Vec<Vec<String>>,
    /// Variables laid over those of the base, in which `$NAME` is the base's.
    pub env: Vec<(String, String)>,
    /// `user`, `uid`, `user:group` or `uid:gid`; `None`: the base's.
    pub user: Option<String>,
    /// Where commands start, absolute; `None`: the base's.
    pub workdir: Option<String>,
    /// What is seen read-only, by absolute path.
    pub inputs: BTreeMap<LayerPath, RunInput>,
    /// Names of caches by absolute path.
    pub caches: BTreeMap<LayerPath, String>,
    /// Files in memory by absolute path.
    pub secrets: BTreeMap<LayerPath, RunSecret>,
    /// Whether commands reach the host's network.
    pub network: bool,
    /// Globs of absolute paths that don't become part of the layer.
    pub ignore: Vec<String>,
    /// Longer than this the commands may not take together; no part of the key.
    pub timeout: Option<Duration>,
    /// How the layer is compressed.
    pub compression: Compression,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// What commands run over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunBase {
    /// An image, with its variables, user and directory.
    Image(ActionId),
    /// Layers, the lowest first.
    Layers(Vec<ActionId>),
    /// None: the host itself, without a sandbox. Of an [`ExecAction`](super::ExecAction) alone.
    Host,
}

/// What is seen read-only at a path.
#[derive(Debug, Clone)]
pub enum RunInput {
    /// Files of the workspace below the path.
    Files(BTreeMap<LayerPath, FileEntry>),
    /// What a layer holds.
    Layer(ActionId),
}

/// A secret, which is in no key: a new value alone runs nothing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSecret {
    /// What it is called.
    pub name: String,
    /// Where its value comes from.
    pub source: SecretSource,
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the environment.
    Variable(String),
    /// A file of the host; `~/` is the user's home directory.
    File(String),
}

impl RunAction {
    /// The files of the workspace that the commands see.
    pub fn sources(&self) -> Vec<&SourceFile> {
        let mut sources = Vec::new();
        for input in self.inputs.values() {
            let RunInput::Files(entries) = input else { continue };
            sources.extend(entries.values().filter_map(FileEntry::source));
        }
        sources
    }

    /// The actions whose outputs it reads, in the order in which the key names them.
    pub fn upstream(&self) -> Vec<ActionId> {
        let base = match &self.base {
            RunBase::Image(image) => std::slice::from_ref(image),
            RunBase::Layers(layers) => layers,
            RunBase::Host => &[],
        };
        let inputs = self.inputs.values().filter_map(|input| match input {
            RunInput::Layer(layer) => Some(*layer),
            RunInput::Files(_) => None,
        });
        base.iter().copied().chain(inputs).collect()
    }
}
