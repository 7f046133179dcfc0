//! How many bytes an action reads and gives. No part of a key.

use super::record::Output;
use super::{ActionGraph, ActionId, Archive, FileEntry, FileKind, Operation, RunAction, RunBase, RunInput};

/// Bytes that an action gave: as stored, and before compression where it is a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// As stored: of an image its manifest and config, which is what it made.
    pub stored: u64,
    /// Of a layer, before compression; of anything else 0.
    pub unpacked: u64,
}

/// What an output holds.
pub fn given(output: &Output) -> Given {
    match output {
        Output::File(blob) => Given { stored: blob.size, unpacked: 0 },
        Output::Layer(layer) => Given { stored: layer.blob.size, unpacked: layer.uncompressed },
        Output::Image(image) => Given { stored: image.manifest.size + image.config.size, unpacked: 0 },
        Output::Index(index) => Given { stored: index.index.size, unpacked: 0 },
        Output::Passed(_) => Given::default(),
    }
}

/// Bytes that an action reads: sources, packages, what it fetches, and the layers that commands run over or see. Of an
/// input whose output is not known, none are counted; nor those of a base's layers that are somebody else's.
pub fn read<'a>(id: ActionId, graph: &ActionGraph, output: impl Fn(ActionId) -> Option<&'a Output>) -> u64 {
    let layers = |image: ActionId| -> u64 { graph.layers_of(image).into_iter().map(|id| unpacked(id, &output)).sum() };
    match &graph.get(id).operation {
        Operation::Files(layer) => entries(layer.entries.values()),
        Operation::Tar(layer) => match &layer.archive {
            Archive::Source(source) => source.size,
            Archive::Fetched(fetch) => output(*fetch).map_or(0, |output| given(output).stored),
        },
        Operation::Debs(layer) => {
            let packages = layer.own.packages(&layer.platform).unwrap_or_default();
            packages.iter().map(|package| package.size).sum()
        }
        Operation::Fetch(_) => output(id).map_or(0, |output| given(output).stored),
        Operation::Run(run) => step(run, layers, &output),
        Operation::Exec(exec) => step(&exec.step, layers, &output),
        Operation::Cargo(cargo) => step(&cargo.step, layers, &output),
        Operation::Image(_)
        | Operation::Index(_)
        | Operation::Pull(_)
        | Operation::ImageTest(_)
        | Operation::Local(_) => 0,
    }
}

fn unpacked<'a>(layer: ActionId, output: &impl Fn(ActionId) -> Option<&'a Output>) -> u64 {
    output(layer).map_or(0, |output| given(output).unpacked)
}

fn step<'a>(
    run: &RunAction,
    layers: impl Fn(ActionId) -> u64,
    output: &impl Fn(ActionId) -> Option<&'a Output>,
) -> u64 {
    let base: u64 = match &run.base {
        RunBase::Image(image) => layers(*image),
        RunBase::Layers(below) => below.iter().map(|id| unpacked(*id, output)).sum(),
        RunBase::Host => 0,
    };
    let seen = run.inputs.values().map(|input| match input {
        RunInput::Files(files) => entries(files.values()),
        RunInput::Layer(layer) => unpacked(*layer, output),
    });
    base + seen.sum::<u64>()
}

fn entries<'a>(entries: impl Iterator<Item = &'a FileEntry>) -> u64 {
    let size = |entry: &FileEntry| match &entry.kind {
        FileKind::Source(source) => source.size,
        FileKind::Literal(bytes) => bytes.len() as u64,
        FileKind::Symlink(_) | FileKind::Directory { .. } => 0,
    };
    entries.map(size).sum()
}
