//! Targets → actions: calls each target's rule, in parallel, and gathers all that is wrong.
//!
//! Reads sources through [`World`] alone; knows nothing of keys or caches.

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::extras::Extras;
use crate::action::{Action, ActionGraph, ActionId, Fetch};
use crate::diagnostic::Diagnostic;
use crate::graph::{TargetGraph, TargetId};
use crate::label::Label;
use crate::observed::Observed;
use crate::platform::Platform;
use crate::rules::{self, Context, Defaults, Source, Target};
use crate::workspace::attributes::Attributes;
use crate::workspace::globs::{Glob, GlobError, SourceTree};
use crate::workspace::schema::RuleSchema;

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
    let scene = Scene { graph, of: &of, world, extras: Extras::after(closure.len()) };
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
    Ok(Lowered { graph: ActionGraph { actions: scene.extras.complete(actions) }, of })
}

/// What rules see of the world.
struct Scene<'a> {
    graph: &'a TargetGraph<'a>,
    of: &'a [Option<ActionId>],
    world: &'a World<'a>,
    extras: Extras,
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
        Ok(Action { label: target.label.clone(), variant: None, operation })
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

    fn written(&self, label: &Label) -> Option<(&'static RuleSchema, Attributes<'_>)> {
        let target = self.graph.target(self.graph.id(label)?);
        Some((target.rule, target.attributes()))
    }

    fn variant(&self, label: &Label, platform: &Platform) -> Option<ActionId> {
        Some(self.extras.variant(self.action(label)?, platform))
    }

    fn fetch(&self, label: &Label, fetch: Fetch) -> ActionId {
        self.extras.fetch(label, fetch)
    }
}
