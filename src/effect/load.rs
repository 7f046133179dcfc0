//! Puts images of the store into a container engine: layers that it has are not sent.
//!
//! Docker takes an archive that leaves out the lowest layers when it knows them as the lowest of another image. Podman
//! reads a layout that links to the store, and of it only the layers that it lacks. Knows no label.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::blobs::StoreBlobs;
use super::engine::{Engine, EngineError, Kind};
use crate::digest::DiffId;
use crate::oci::descriptor::Descriptor;
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
    /// Its layers uncompressed, lowest first.
    pub diff_ids: Vec<DiffId>,
}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// How many of the image's layers the engine had.
    pub known: usize,
    /// All of its layers.
    pub layers: usize,
    /// How many bytes it was given; `None` where it took from the store what it lacked.
    pub sent: Option<u64>,
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

/// Loads one image. `sizes`: uncompressed sizes of layers in bytes, as far as they are known. `there`: the layers of the
/// images that the engine has, as [`Engine::layers`] gives them.
pub fn load(
    image: &Load,
    sizes: &BTreeMap<DiffId, u64>,
    there: &[Vec<DiffId>],
    engine: &Engine,
    store: &Store,
) -> Result<Loaded, LoadError> {
    let known = known(&image.diff_ids, there);
    let (known, sent) = match engine.kind {
        Kind::Podman => (known, link(image, engine, store)?),
        Kind::Docker => match archive(image, known, sizes, engine, store) {
            // With another image store, or an image removed a moment ago, it wants all of them.
            Err(EngineError::Command { .. }) if known > 0 => (0, Some(archive(image, 0, sizes, engine, store)?)),
            sent => (known, Some(sent?)),
        },
    };
    Ok(Loaded { known, layers: image.diff_ids.len(), sent })
}

/// How many of the lowest layers some image there has as its own lowest: an engine knows a layer only together with all
/// below it.
fn known(diff_ids: &[DiffId], there: &[Vec<DiffId>]) -> usize {
    let shared = |other: &Vec<DiffId>| other.iter().zip(diff_ids).take_while(|(other, own)| other == own).count();
    there.iter().map(shared).max().unwrap_or(0)
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

fn link(image: &Load, engine: &Engine, store: &Store) -> Result<Option<u64>, LoadError> {
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
    Ok(None)
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
        assert_eq!(known(&ids("abc"), &[]), 0);
        assert_eq!(known(&ids("abc"), &[ids("ab"), ids("abxc"), ids("a")]), 2);
        assert_eq!(known(&ids("abc"), &[ids("bc"), ids("")]), 0);
        assert_eq!(known(&ids("abc"), &[ids("abcd")]), 3);
    }
}
