//! Images as this machine built them last, for profiles that take them so: what each was made of is noted after its
//! build, and becomes actions whose results are known when it is taken.
//!
//! A note is kept among the records, under a key of its own that the image's key gives. Knows nothing of who takes what.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::action::record::{ImageOutput, LayerOutput, Output};
use crate::action::{Action, ActionGraph, ActionId, LocalAction, Operation, PullAction, PulledImage};
use crate::digest::Digest;
use crate::label::{Label, PackagePath};
use crate::oci::outline;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Cache as _, LastBuilds, Store, StoreError};
use crate::workspace::origin::By;

/// What an image was made of.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// In seconds since 1970.
    built: u64,
    platform: Platform,
    image: ImageOutput,
    base: Option<NotedBase>,
    /// Lowest first.
    layers: Vec<NotedLayer>,
}

/// The pulled base at the bottom.
#[derive(Debug, Serialize, Deserialize)]
struct NotedBase {
    label: String,
    repository: String,
    manifest: Digest,
    listing: Digest,
    outline: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotedLayer {
    label: String,
    key: Digest,
    layer: LayerOutput,
}

/// Where a note stands; the number changes with its form.
fn note_key(image: &Digest) -> Digest {
    Digest::of(format!("layerbuild image as built 1 {}", image.hex()).as_bytes())
}

/// The name under which [`LastBuilds`] has the last image that was built of what a name stands for. What the same name
/// was pulled as is noted elsewhere.
fn last_name(name: &str) -> String {
    format!("{name} as built")
}

/// The images of one workspace as they were built last.
pub struct LastBuilt<'s> {
    store: &'s Store,
    last: LastBuilds,
    /// Read once, where it is asked for at all.
    known: OnceLock<HashMap<String, Digest>>,
}

impl<'s> LastBuilt<'s> {
    /// Of the workspace with this root.
    pub fn new(store: &'s Store, root: &Path) -> LastBuilt<'s> {
        LastBuilt { store, last: store.last_builds(root), known: OnceLock::new() }
    }

    /// The file that changes with every build that gave something new.
    pub fn path(&self) -> &Path {
        self.last.path()
    }

    /// An image as it was built last; `None` where it never was, or what is known of it is unusable.
    pub fn image(&self, label: &Label) -> Result<Option<Built>, StoreError> {
        if self.known.get().is_none() {
            let _first = self.known.set(self.last.load()?);
        }
        let key = self.known.get().and_then(|known| known.get(&last_name(&label.to_string())));
        let Some(key) = key else { return Ok(None) };
        let note = self.store.actions().get(&note_key(key))?;
        let note = note.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(note.map(|note| Built { key: *key, note }))
    }
}

/// An image as it was built last.
#[derive(Debug)]
pub struct Built {
    key: Digest,
    note: Note,
}

impl Built {
    /// Of its manifest.
    pub fn digest(&self) -> Digest {
        self.note.image.manifest.digest
    }

    /// When, in seconds since 1970.
    pub fn time(&self) -> u64 {
        self.note.built
    }

    /// The image's operation; `add` takes the actions of its layers and of the base below, for the target of the label.
    /// `None` where the note holds what no build writes.
    pub fn operation(&self, add: &dyn Fn(Action) -> ActionId) -> Option<Operation> {
        let base = self.note.base.as_ref().map(|base| Some(add(self.base(base)?)));
        let layers = self.note.layers.iter().map(|layer| Some(add(self.layer(layer)?)));
        let (layers, base) = (layers.collect::<Option<_>>()?, base.map_or(Some(None), |base| base.map(Some))?);
        let output = Output::Image(self.note.image.clone());
        Some(self.local(self.key, output, base, layers))
    }

    fn local(&self, key: Digest, output: Output, base: Option<ActionId>, layers: Vec<ActionId>) -> Operation {
        let (platform, built) = (self.note.platform.clone(), self.note.built);
        Operation::Local(Box::new(LocalAction { key, output, platform, built, base, layers }))
    }

    fn layer(&self, noted: &NotedLayer) -> Option<Action> {
        let operation = self.local(noted.key, Output::Layer(noted.layer.clone()), None, Vec::new());
        action(&noted.label, operation)
    }

    fn base(&self, noted: &NotedBase) -> Option<Action> {
        let outline = outline::from_lines(&noted.outline).ok()?;
        let image = PulledImage { manifest: noted.manifest, listing: noted.listing, outline };
        let repository = noted.repository.parse::<Reference>().ok()?.repository().ok()?;
        let platform = self.note.platform.clone();
        let locked = Arc::new([(platform.clone(), image)].into());
        action(&noted.label, Operation::Pull(Box::new(PullAction { repository, platform, locked })))
    }
}

/// How an image is built that is taken as it was built last. `by`: who says that it is taken so.
pub fn advice(label: &Label, by: Option<&By>) -> String {
    match by {
        Some(By::Profile(_)) => format!("run `layerbuild build {label}` under a profile that builds it"),
        _ => format!("run `layerbuild build --no-local {label}`"),
    }
}

fn action(label: &str, operation: Operation) -> Option<Action> {
    let label = Label::parse(label, &PackagePath::default()).ok()?;
    Some(Action { label, variant: None, operation })
}

/// Notes an image that was built; gives the name and the key for [`LastBuilds`] where it is another than `known` has.
/// `result`: key and output of an action, where it has any. `now`: in seconds since 1970.
pub fn note<'o>(
    id: ActionId,
    graph: &ActionGraph,
    result: &dyn Fn(ActionId) -> Option<(Digest, &'o Output)>,
    (store, known, now): (&Store, &HashMap<String, Digest>, u64),
) -> Result<Option<(String, Digest)>, StoreError> {
    if !matches!(graph.get(id).operation, Operation::Image(_)) {
        return Ok(None);
    }
    let Some((key, _)) = result(id) else { return Ok(None) };
    let name = last_name(&graph.note_name(id));
    if known.get(&name) == Some(&key) {
        return Ok(None);
    }
    let Some(note) = of(id, graph, result, now) else { return Ok(None) };
    store.actions().put(&note_key(&key), &serde_json::to_vec(&note).expect("plain values serialise"))?;
    Ok(Some((name, key)))
}

fn of<'o>(
    id: ActionId,
    graph: &ActionGraph,
    result: &dyn Fn(ActionId) -> Option<(Digest, &'o Output)>,
    built: u64,
) -> Option<Note> {
    let Output::Image(image) = result(id)?.1 else { return None };
    let layer = |id: ActionId| match result(id)? {
        (key, Output::Layer(layer)) => {
            Some(NotedLayer { label: graph.get(id).label.to_string(), key, layer: layer.clone() })
        }
        _ => None,
    };
    let base = graph.pulled_below(id).map(|(base, pull)| {
        let PulledImage { manifest, listing, outline } = pull.image()?;
        let (label, repository) = (graph.get(base).label.to_string(), pull.repository.to_string());
        Some(NotedBase {
            label,
            repository,
            manifest: *manifest,
            listing: *listing,
            outline: outline::to_lines(outline),
        })
    });
    Some(Note {
        built,
        platform: graph.get(id).operation.image_platform()?.clone(),
        image: image.clone(),
        base: base.map_or(Some(None), |base| base.map(Some))?,
        layers: graph.layers_of(id).into_iter().map(layer).collect::<Option<_>>()?,
    })
}
