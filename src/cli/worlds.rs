//! What rules see of a project's workspaces: its own, and those beside it that are built with it; of a commit or on disk.

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use crate::cargo::toolchain::Toolchains;
use crate::checkout::Checkout as _;
use crate::observed::Observed;
use crate::plan::local::LastBuilt;
use crate::plan::lower::{Identify, World, Worlds};
use crate::plan::then::Then;
use crate::rules::{Defaults, Source};
use crate::store::{FileHashes, Store, Trust};
use crate::workspace::globs::SourceTree;
use crate::workspace::revision::Revision;
use crate::workspace::{Home, Workspace};

/// What is known of the workspaces before any source is looked at.
pub struct Known<'p> {
    /// The workspace, and those beside it.
    pub workspace: &'p Workspace,
    /// What each says for all its targets: the workspace itself, then those beside it in their order.
    pub defaults: Vec<Defaults>,
    /// The commit whose files count; `None`: what is on disk.
    pub revision: Option<&'p Revision>,
    /// What compiles Rust programs.
    pub toolchains: &'p Toolchains,
    /// Is told what is looked at.
    pub observed: &'p Observed,
}

/// Does something that looks at sources; what was hashed for it is kept.
pub fn within<T>(
    known: &Known<'_>,
    store: &Store,
    cx: &Context,
    work: impl FnOnce(&Worlds<'_>) -> T,
) -> Result<T, CliError> {
    let homes = std::iter::once(None).chain((0..known.workspace.beside.len()).map(Some));
    let scenes = homes.map(|beside| scene(known, known.workspace.home_at(beside), store, cx));
    let scenes: Vec<Scene<'_>> = scenes.collect::<Result<_, _>>()?;
    let thens: Vec<Option<Then<'_>>> = scenes.iter().map(|scene| then(known, scene)).collect();
    let each = known.defaults.iter().zip(&scenes).zip(&thens);
    let mut worlds = each.map(|((defaults, scene), then)| scene.world(known, defaults, then.as_ref()));
    let own = worlds.next().expect("the workspace itself is the first");
    let done = work(&Worlds { own, beside: worlds.collect() });
    scenes.iter().try_for_each(|scene| scene.files.save())?;
    Ok(done)
}

/// The files of one workspace.
struct Scene<'p> {
    tree: SourceTree<'p>,
    files: FileHashes,
    built: LastBuilt<'p>,
    root: &'p Utf8Path,
    /// The commit that has its files; `None`: they are on disk, or nobody knows what they were.
    revision: Option<&'p Revision>,
}

fn scene<'p>(known: &Known<'p>, home: Home<'p>, store: &'p Store, cx: &Context) -> Result<Scene<'p>, CliError> {
    let trust = if cx.globals.hash_content { Trust::Nothing } else { Trust::Stat };
    let sources = home.sources();
    let files = store.file_hashes(home.root.as_std_path(), trust)?.with_elsewhere(&sources)?;
    let tree = SourceTree::new(sources, vec![cx.globals.cache_dir.clone()], known.observed);
    let revision = known.revision.filter(|revision| home.name.is_none() || revision.holds(home.root));
    let tree = match revision {
        Some(revision) => tree.of(revision),
        None => tree,
    };
    Ok(Scene { tree, files, built: LastBuilt::new(store, home.root.as_std_path()), root: home.root, revision })
}

fn then<'s>(known: &Known<'s>, scene: &'s Scene<'_>) -> Option<Then<'s>> {
    let revision = scene.revision?;
    Some(Then { revision, root: scene.root, files: &scene.files, toolchains: known.toolchains })
}

impl<'s> Scene<'s> {
    fn world(&'s self, known: &Known<'s>, defaults: &'s Defaults, then: Option<&'s Then<'s>>) -> World<'s> {
        let Scene { tree, files, built, .. } = self;
        let (built, observed) = (Some(built), known.observed);
        match then {
            Some(then) => World { defaults, tree, files: then, built, toolchains: then, observed },
            None => {
                let files: &dyn Identify = if known.revision.is_some() { &Unread } else { files };
                World { defaults, tree, files, built, toolchains: known.toolchains, observed }
            }
        }
    }
}

/// The files of a workspace beside one whose past is looked at, in another repository or in none: nothing is known of what
/// they were.
struct Unread;

impl Identify for Unread {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        let one = |path: &Utf8PathBuf| {
            Err(format!("`{path}` is of a workspace in another repository, whose past is not looked at"))
        };
        paths.iter().map(one).collect()
    }
}
