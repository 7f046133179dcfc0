//! Actions as plain resolved values: what to do, over which inputs, giving what.
//!
//! No behaviour but the key's walk, no paths of the host, no TOML. Rules make them, `plan` keys them,
//! `build` runs them.

pub mod cargo;
mod debs;
mod exec;
mod image_test;
pub mod key;
mod local;
mod moved;
pub mod record;
mod run;
pub mod sizes;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

pub use cargo::CargoAction;
pub use debs::{Deb, DebUser, DebsLayer, DebsPart};
pub use exec::ExecAction;
pub use image_test::{Expected, ExpectedPath, ImageTestAction, PathKind};
pub use local::LocalAction;
pub use run::{RunAction, RunBase, RunInput, RunSecret, SecretSource};

use crate::digest::Digest;
use crate::file_stat::Stamp;
use crate::label::Label;
use crate::layer_path::LayerPath;
use crate::oci::compress::Compression;
use crate::oci::image_spec::ImageSpec;
use crate::oci::listing::Listing;
use crate::platform::Platform;
use crate::reference::Repository;

/// An action of one [`ActionGraph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u32);

impl ActionId {
    /// The position in [`ActionGraph::actions`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Actions that refer to one another by position.
#[derive(Debug, Default)]
pub struct ActionGraph {
    /// Every action; [`ActionId`] is the position.
    pub actions: Vec<Action>,
}

impl ActionGraph {
    /// The action of an id.
    pub fn get(&self, id: ActionId) -> &Action {
        &self.actions[id.index()]
    }

    /// The name under which the last build of an action is noted: a target may stand for several.
    pub fn note_name(&self, id: ActionId) -> String {
        let action = self.get(id);
        match action.operation {
            Operation::Fetch(_) => format!("{} fetch", action.name()),
            _ => action.name(),
        }
    }

    /// The layers of an image and of all that it stands on, lowest first; of an index those of each of its images. None
    /// for anything else.
    pub fn layers_of(&self, image: ActionId) -> Vec<ActionId> {
        if let Operation::Index(_) = &self.get(image).operation {
            return self.images_of(image).into_iter().flat_map(|image| self.layers_of(image)).collect();
        }
        let mut chain: Vec<&[ActionId]> = Vec::new();
        let mut next = Some(image);
        while let Some((base, layers)) = next.and_then(|id| self.get(id).operation.stack()) {
            chain.push(layers);
            next = base;
        }
        chain.into_iter().rev().flatten().copied().collect()
    }

    /// The images of an index; an image is its own.
    pub fn images_of(&self, id: ActionId) -> Vec<ActionId> {
        match &self.get(id).operation {
            Operation::Index(index) => index.images.clone(),
            _ => vec![id],
        }
    }

    /// The pulled base at the bottom of an image; `None` where it stands on none. A pulled base is its own.
    pub fn pulled_below(&self, image: ActionId) -> Option<(ActionId, &PullAction)> {
        let mut at = image;
        loop {
            match &self.get(at).operation {
                Operation::Pull(pull) => return Some((at, pull)),
                other => at = other.stack()?.0?,
            }
        }
    }

    /// All ids, each after those of its inputs. Without recursion: a chain of images may be long.
    pub fn inputs_first(&self) -> Vec<ActionId> {
        let mut placed = vec![false; self.actions.len()];
        let mut order = Vec::with_capacity(self.actions.len());
        let mut stack = Vec::new();
        for id in self.ids() {
            stack.push(id);
            while let Some(top) = stack.last().copied() {
                let before = stack.len();
                if !placed[top.index()] {
                    let inputs = self.get(top).operation.inputs();
                    stack.extend(inputs.into_iter().filter(|input| !placed[input.index()]));
                }
                if stack.len() == before {
                    stack.pop();
                    if !std::mem::replace(&mut placed[top.index()], true) {
                        order.push(top);
                    }
                }
            }
        }
        order
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = ActionId> + use<> {
        (0..self.actions.len()).map(|index| ActionId(index as u32))
    }
}

/// One thing to do.
#[derive(Debug, Clone)]
pub struct Action {
    /// The target that asked for it: for messages, never part of a key.
    pub label: Label,
    /// The platform, of an image that an index asks for beside the image's own; `None` for all else.
    pub variant: Option<Platform>,
    /// What to do.
    pub operation: Operation,
}

impl Action {
    /// What people call it: the label, and behind it ` [linux/arm64]` where it is for another platform than the target's.
    pub fn name(&self) -> String {
        match &self.variant {
            Some(platform) => format!("{} [{platform}]", self.label),
            None => self.label.to_string(),
        }
    }
}

/// What an action does.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Makes a layer of files, literal content, links and directories.
    Files(FilesLayer),
    /// Makes a layer of an archive's members.
    Tar(TarLayer),
    /// Fetches a file whose digest is known.
    Fetch(Fetch),
    /// Makes an image's config and manifest.
    Image(Box<ImageAction>),
    /// Takes somebody else's image, of one platform, as it was locked.
    Pull(Box<PullAction>),
    /// Takes an image, or a layer of one, as it was built last.
    Local(Box<LocalAction>),
    /// Makes an index of images.
    Index(IndexAction),
    /// Makes a layer of Debian packages.
    Debs(Box<DebsLayer>),
    /// Runs commands over a root file system and makes a layer of what they changed.
    Run(Box<RunAction>),
    /// Runs a command and makes a layer of its outputs.
    Exec(Box<ExecAction>),
    /// Compiles Rust programs and makes a layer of them.
    Cargo(Box<CargoAction>),
    /// Holds an image, or each of an index, against what is expected of it.
    ImageTest(Box<ImageTestAction>),
}

/// A layer's content by path.
#[derive(Debug, Clone)]
pub struct FilesLayer {
    /// What stands at each path, sorted; parents that nobody declared are added when it runs.
    pub entries: BTreeMap<LayerPath, FileEntry>,
    /// How it is compressed.
    pub compression: Compression,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// What stands at a path of a [`FilesLayer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Numeric owner.
    pub owner: Owner,
    /// What it is.
    pub kind: FileKind,
}

impl FileEntry {
    /// The file of the workspace whose content it has; `None` for what has another or none.
    fn source(&self) -> Option<&SourceFile> {
        if let FileKind::Source(source) = &self.kind { Some(source) } else { None }
    }
}

/// A numeric owner and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Owner {
    /// User.
    pub uid: u64,
    /// Group.
    pub gid: u64,
}

/// What an entry of a [`FilesLayer`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file with a source's content.
    Source(SourceFile),
    /// A regular file with content written in `layers.toml`.
    Literal(Arc<[u8]>),
    /// A symbolic link, its target as written.
    Symlink(String),
    /// A directory. `implied`: only because something stands below it.
    Directory {
        /// Nobody declared it by name.
        implied: bool,
    },
}

/// A file of the workspace. The path is where to read it and what to call it: the key holds the content alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the workspace's root.
    pub path: Utf8PathBuf,
    /// Of the content.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Vouches for the digest as long as the file has it: it need not be hashed again when it is read. No part of the key.
    pub stamp: Option<Stamp>,
}

/// A layer of an archive's members.
#[derive(Debug, Clone)]
pub struct TarLayer {
    /// The archive.
    pub archive: Archive,
    /// How the layer is compressed.
    pub compression: Compression,
    /// Modification time of every entry, in seconds since 1970.
    pub mtime: u64,
}

/// Where an archive comes from.
#[derive(Debug, Clone)]
pub enum Archive {
    /// A file of the workspace.
    Source(SourceFile),
    /// What a [`Fetch`] gave.
    Fetched(ActionId),
}

/// A file from a URL.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Where from; not part of the key, since the digest says what comes.
    pub url: String,
    /// What must come.
    pub digest: Digest,
}

/// An image from a base and layers.
#[derive(Debug, Clone)]
pub struct ImageAction {
    /// The image below; `None` for scratch.
    pub base: Option<ActionId>,
    /// The layers on top of it, lowest first.
    pub layers: Vec<ActionId>,
    /// What its config and manifest say.
    pub spec: ImageSpec,
}

/// An index of images.
#[derive(Debug, Clone)]
pub struct IndexAction {
    /// The images, in the order in which clients look for one that fits.
    pub images: Vec<ActionId>,
    /// Annotations of the index.
    pub annotations: BTreeMap<String, String>,
}

/// Somebody else's image, as it was locked.
#[derive(Debug, Clone)]
pub struct PullAction {
    /// Where it is; not part of the key, since the digest says what comes.
    pub repository: Repository,
    /// What it is to run on.
    pub platform: Platform,
    /// What is locked, by platform.
    pub locked: Arc<BTreeMap<Platform, PulledImage>>,
}

impl PullAction {
    /// The image for the platform; `None` where it isn't locked for that.
    pub fn image(&self) -> Option<&PulledImage> {
        self.locked.get(&self.platform)
    }
}

/// Somebody else's image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledImage {
    /// Its manifest.
    pub manifest: Digest,
    /// The listing of all its layers, which the store may lack.
    pub listing: Digest,
    /// What is known of its content in any case: see `oci::outline`.
    pub outline: Listing,
}

impl Operation {
    /// Of an image of ours what it stands on and the layers over that, lowest first; `None` for anything else.
    pub fn stack(&self) -> Option<(Option<ActionId>, &[ActionId])> {
        match self {
            Operation::Image(image) => Some((image.base, &image.layers)),
            Operation::Local(local) => Some((local.base, &local.layers)),
            _ => None,
        }
    }

    /// The platform of an image, whoever made it; `None` for anything else.
    pub fn image_platform(&self) -> Option<&Platform> {
        match self {
            Operation::Image(image) => Some(&image.spec.platform),
            Operation::Pull(pull) => Some(&pull.platform),
            Operation::Local(local) => Some(&local.platform),
            _ => None,
        }
    }

    /// The sources that it is made of itself.
    pub fn sources(&self) -> Vec<&SourceFile> {
        match self {
            Operation::Files(layer) => layer.entries.values().filter_map(FileEntry::source).collect(),
            Operation::Tar(TarLayer { archive: Archive::Source(source), .. }) => vec![source],
            Operation::Run(step) => step.sources(),
            Operation::Exec(exec) => exec.step.sources(),
            Operation::Cargo(cargo) => cargo.step.sources(),
            _ => Vec::new(),
        }
    }

    /// What people call it: the rule's name, `fetch` or `local`.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Files(_) => "files",
            Operation::Tar(_) => "tar",
            Operation::Fetch(_) => "fetch",
            Operation::Image(_) => "image",
            Operation::Pull(_) => "pull",
            Operation::Local(_) => "local",
            Operation::Index(_) => "index",
            Operation::Debs(_) => "debs",
            Operation::Run(_) => "run",
            Operation::Exec(_) => "exec",
            Operation::Cargo(_) => "cargo",
            Operation::ImageTest(_) => "image_test",
        }
    }

    /// Whether another machine would get the same from the same key.
    pub fn is_portable(&self) -> bool {
        !matches!(self, Operation::Exec(exec) if !exec.is_portable())
    }

    /// The actions whose outputs this one reads, in the order in which the key names them.
    pub fn inputs(&self) -> Vec<ActionId> {
        match self {
            Operation::Files(_) | Operation::Fetch(_) | Operation::Pull(_) | Operation::Debs(_) => Vec::new(),
            Operation::Tar(tar) => match tar.archive {
                Archive::Fetched(id) => vec![id],
                Archive::Source(_) => Vec::new(),
            },
            Operation::Image(_) | Operation::Local(_) => {
                let (base, layers) = self.stack().unwrap_or_default();
                base.into_iter().chain(layers.iter().copied()).collect()
            }
            Operation::Index(index) => index.images.clone(),
            Operation::Run(run) => run.upstream(),
            Operation::Exec(exec) => exec.step.upstream(),
            Operation::Cargo(cargo) => cargo.step.upstream(),
            Operation::ImageTest(test) => vec![test.image],
        }
    }
}
