//! Puts images of the store into a container engine: layers that it has are not sent.
//!
//! Docker takes an archive that leaves out the lowest layers when it knows them as the lowest of another image. Podman
//! reads a layout that links to the store, and of it only the layers that it lacks. Knows no label.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::blobs::StoreBlobs;
use super::engine::{Engine, EngineError, Kind};
use crate::digest::DiffId;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::docker_archive::{self, DockerArchiveError, Loadable};
use crate::oci::layout::{self, LayoutError, Listed};
use crate::store::{Store, StoreError};

/// An image to load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Its manifest, of one platform.
    pub manifest: Descriptor,
    /// Its name in the engine: a whole reference with a tag.
    pub name: String,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

impl Load {
    /// How many of the lowest layers an engine has that has these layers of other images: it knows a layer only together
    /// with all below it.
    pub fn known(&self, there: &[Vec<DiffId>]) -> usize {
        let ids = || self.layers.iter().map(|layer| layer.diff_id);
        let shared = |other: &Vec<DiffId>| other.iter().zip(ids()).take_while(|(other, own)| *other == own).count();
        there.iter().map(shared).max().unwrap_or(0)
    }
}

/// Why an image was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The layout for podman can't be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads one image of which the engine has the `known` lowest layers; the store must have the others. `sizes`:
/// uncompressed sizes of layers in bytes, as far as they are known. Gives the bytes that were sent; `None` where the
/// engine took from the store what it lacks.
pub fn load(
    image: &Load,
    known: usize,
    sizes: &BTreeMap<DiffId, u64>,
    engine: &Engine,
    store: &Store,
) -> Result<Option<u64>, LoadError> {
    match engine.kind {
        Kind::Docker => Ok(Some(archive(image, known, sizes, engine, store)?)),
        Kind::Podman => link(image, engine, store).map(|()| None),
    }
}

impl LoadError {
    /// Whether the engine itself refused: with another kind of store, or an image removed a moment ago, it wants layers
    /// that it was thought to have.
    pub fn is_refusal(&self) -> bool {
        matches!(self, LoadError::Engine(EngineError::Command { .. }))
    }
}

fn archive(
    image: &Load,
    known: usize,
    sizes: &BTreeMap<DiffId, u64>,
    engine: &Engine,
    store: &Store,
) -> Result<u64, EngineError> {
    let wanted = [Loadable { manifest: image.manifest.clone(), tags: vec![image.name.clone()], known }];
    let mut sent = 0;
    engine.feed(&["load", "--quiet"], |to| {
        let counted = Counted { to, count: &mut sent };
        docker_archive::write(counted, &wanted, sizes, &StoreBlobs(store)).map(drop)
    })?;
    Ok(sent)
}

fn link(image: &Load, engine: &Engine, store: &Store) -> Result<(), LoadError> {
    let tmp = store.path().join("tmp");
    let folder = tempfile::tempdir_in(&tmp).map_err(|error| StoreError::io("create", &tmp, error))?;
    let listed = Listed { descriptor: image.manifest.clone(), platform: None, name: Some(image.name.clone()) };
    // Podman 4.3 names an image after the layout's folder, later ones as they are told: a folder in lower case, a name of
    // our own, and the other taken away where it was given.
    let layout = format!("layerbuild-{}", std::process::id());
    layout::link_dir(&folder.path().join(&layout), &[listed], &StoreBlobs(store))?;
    let id = engine.run_in(folder.path(), &["pull", "--quiet", &format!("oci:{layout}:{}", image.name)])?;
    engine.run(&["tag", id.trim(), &image.name])?;
    let _ = engine.run(&["untag", id.trim(), &format!("localhost/{layout}:latest")]);
    Ok(())
}

/// Counts what is written through it.
struct Counted<'a> {
    to: &'a mut dyn Write,
    count: &'a mut u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        *self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl From<DockerArchiveError> for EngineError {
    fn from(error: DockerArchiveError) -> EngineError {
        EngineError::Feed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_layer_is_known_only_with_all_below_it() {
        let ids = |names: &str| names.bytes().map(|name| DiffId(Digest::of(&[name]))).collect::<Vec<_>>();
        let layer = |diff_id| Layer { descriptor: Descriptor::of("", b""), diff_id };
        let layers = ids("abc").into_iter().map(layer).collect();
        let image = Load { manifest: Descriptor::of("", b""), name: String::new(), layers };
        assert_eq!(image.known(&[]), 0);
        assert_eq!(image.known(&[ids("ab"), ids("abxc"), ids("a")]), 2);
        assert_eq!(image.known(&[ids("bc"), ids("")]), 0);
        assert_eq!(image.known(&[ids("abcd")]), 3);
    }
}
