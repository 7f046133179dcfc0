//! An `exec`: one command over a root file system, and where it leaves what becomes a layer.

use std::collections::BTreeMap;

use super::{RunAction, RunBase};
use crate::layer_path::LayerPath;

/// A command whose declared outputs become a layer.
#[derive(Debug, Clone)]
pub struct ExecAction {
    /// What is run, over what, and what it sees: one command, of which nothing but its outputs is kept.
    pub step: RunAction,
    /// Where it leaves each output, by the output's path in the layer.
    pub outputs: BTreeMap<LayerPath, LayerPath>,
}

impl ExecAction {
    /// Whether another machine would get the same: not where it runs on the host.
    pub fn is_portable(&self) -> bool {
        self.step.base != RunBase::Host
    }
}
