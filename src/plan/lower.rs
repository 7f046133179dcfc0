//! Targets → actions: calls each target's rule, in parallel, and gathers all that is wrong.
//!
//! Reads sources through [`World`] alone; knows nothing of keys or caches.

use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use crate::action::{Action, ActionGraph, ActionId, Fetch, Operation};
use crate::diagnostic::Diagnostic;
use crate::graph::{TargetGraph, TargetId};
use crate::label::Label;
use crate::observed::Observed;
use crate::rules::{self, Context, Defaults, Source, Target};
use crate::workspace::globs::{Glob, GlobError, SourceTree};

/// What stands at paths of the workspace, as git would see it.
pub trait Identify: Sync {
    /// For each path relative to the workspace's root; an error as a phrase.
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>>;
}

/// The source tree: which files there are, and what they are.
pub struct World<'a> {
    /// Expands globs.
    pub tree: &'a SourceTree<'a>,
    /// Hashes files.
    pub files: &'a dyn Identify,
    /// Is told which files are read.
    pub observed: &'a Observed,
}

/// Targets as actions.
#[derive(Debug, Default)]
pub struct Lowered {
    /// The actions, among them one for each target.
    pub graph: ActionGraph,
    /// The action of each target of the closure, by the target's id.
    of: Vec<Option<ActionId>>,
}

impl Lowered {
    /// A target's action; `None` for a target that wasn't asked for.
    pub fn action(&self, target: TargetId) -> Option<ActionId> {
        self.of.get(target.index()).copied().flatten()
    }
}

/// The actions of targets and all that they need; or everything that is wrong with them.
pub fn lower(
    graph: &TargetGraph<'_>,
    targets: &[TargetId],
    defaults: &Defaults,
    world: &World<'_>,
) -> Result<Lowered, Vec<Diagnostic>> {
    let closure = graph.closure(targets.iter().copied());
    let mut of = vec![None; graph.len()];
    for (index, target) in closure.iter().enumerate() {
        of[target.index()] = Some(ActionId(index as u32));
    }
    let scene = Scene { graph, of: &of, world, first_extra: closure.len(), extras: Mutex::default() };
    let lowered: Vec<_> = closure.par_iter().map(|target| scene.lower(*target, defaults)).collect();
    let mut actions = Vec::with_capacity(lowered.len());
    let mut errors = Vec::new();
    for result in lowered {
        match result {
            Ok(action) => actions.push(action),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    actions.extend(scene.extras.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(Lowered { graph: ActionGraph { actions }, of })
}

/// What rules see of the world.
struct Scene<'a> {
    graph: &'a TargetGraph<'a>,
    of: &'a [Option<ActionId>],
    world: &'a World<'a>,
    first_extra: usize,
    extras: Mutex<Vec<Action>>,
}

impl Scene<'_> {
    fn lower(&self, id: TargetId, defaults: &Defaults) -> Result<Action, Vec<Diagnostic>> {
        let target = self.graph.target(id);
        let directory = self.graph.workspace().settings.folder(&target.label.package);
        let rule = rules::rule(target.rule.name).expect("the loader took the target's schema from the table of rules");
        let seen = Target {
            label: &target.label,
            span: target.span,
            attributes: target.attributes(),
            directory: &directory,
            defaults,
        };
        let operation = (rule.lower)(&seen, self)?;
        Ok(Action { label: target.label.clone(), operation })
    }
}

impl Context for Scene<'_> {
    fn glob(&self, directory: &Utf8Path, globs: &[Glob]) -> Result<Vec<Utf8PathBuf>, Vec<(usize, GlobError)>> {
        self.world.tree.expand(directory, globs)
    }

    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        let root = &self.graph.workspace().root;
        paths.iter().for_each(|path| self.world.observed.note(root.join(path)));
        self.world.files.identify(paths)
    }

    fn action(&self, label: &Label) -> Option<ActionId> {
        self.of[self.graph.id(label)?.index()]
    }

    fn fetch(&self, label: &Label, fetch: Fetch) -> ActionId {
        let mut extras = self.extras.lock().unwrap_or_else(PoisonError::into_inner);
        extras.push(Action { label: label.clone(), operation: Operation::Fetch(fetch) });
        ActionId((self.first_extra + extras.len() - 1) as u32)
    }
}
