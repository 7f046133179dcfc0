//! Targets → actions: calls each target's rule, in parallel, and gathers all that is wrong.
//!
//! Reads sources through [`World`] alone; knows nothing of keys or caches.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::extras::Extras;
use super::local::{self, LastBuilt};
use super::requirements::contradictions;
use crate::action::{Action, ActionGraph, ActionId, Fetch, IndexAction, Operation, RunBase};
use crate::cargo::toolchain::{Toolchain, ToolchainError, Toolchains};
use crate::diagnostic::Diagnostic;
use crate::graph::{TargetGraph, TargetId};
use crate::label::Label;
use crate::observed::Observed;
use crate::platform::Platform;
use crate::reason::reason;
use crate::rules::pull::Source;
use crate::rules::{self, Context, Defaults, Target, debs_source};
use crate::workspace::attributes::Attributes;
use crate::workspace::globs::{Glob, GlobError, SourceTree};
use crate::workspace::lock_debs::LockedDebs;
use crate::workspace::lock_file::LockedImage;
use crate::workspace::schema::{Purpose, RuleSchema};
use crate::workspace::taken::{self, List};
use crate::workspace::{self, Home};

/// What stands at paths of the workspace, as git would see it.
pub trait Identify: Sync {
    /// For each path relative to the workspace's root; an error as a phrase that names the path.
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<rules::Source, String>>;
}

/// Which Rust counts where.
pub trait Compilers: Sync {
    /// The toolchain that counts in a folder, absolute.
    fn of(&self, folder: &Utf8Path) -> Result<Arc<Toolchain>, ToolchainError>;
}

impl Compilers for Toolchains {
    fn of(&self, folder: &Utf8Path) -> Result<Arc<Toolchain>, ToolchainError> {
        Toolchains::of(self, folder)
    }
}

/// A workspace as rules see it: what it says for all, which files there are, and what they are.
pub struct World<'a> {
    /// What it says for all targets.
    pub defaults: &'a Defaults,
    /// Expands globs.
    pub tree: &'a SourceTree<'a>,
    /// Hashes files.
    pub files: &'a dyn Identify,
    /// What was built last; `None`: nothing is known of it.
    pub built: Option<&'a LastBuilt<'a>>,
    /// What compiles Rust programs.
    pub toolchains: &'a dyn Compilers,
    /// Is told which files are read.
    pub observed: &'a Observed,
}

/// The worlds of all workspaces whose targets a graph has.
pub struct Worlds<'a> {
    /// That of the workspace itself.
    pub own: World<'a>,
    /// Those of the workspaces beside it, in the order of [`workspace::Workspace::beside`].
    pub beside: Vec<World<'a>>,
}

impl<'a> Worlds<'a> {
    /// That of a workspace.
    fn of(&self, home: Home<'_>) -> &World<'a> {
        home.beside.map_or(&self.own, |at| &self.beside[at])
    }
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
pub fn lower(graph: &TargetGraph<'_>, targets: &[TargetId], worlds: &Worlds<'_>) -> Result<Lowered, Vec<Diagnostic>> {
    let closure = graph.closure(targets.iter().copied());
    let of = places(graph, &closure);
    let extras = Extras::after(closure.len());
    let scene = Scene { graph, of: &of, worlds, extras, judging: false };
    let lowered: Vec<_> = closure.par_iter().map(|target| scene.lower(*target)).collect();
    let mut actions = Vec::with_capacity(lowered.len());
    let mut errors = Vec::new();
    for result in lowered {
        match result {
            Ok(action) => actions.push(action),
            Err(found) => errors.extend(found),
        }
    }
    errors.extend(contradictions(graph, &closure));
    if !errors.is_empty() {
        return Err(errors);
    }
    let actions = scene.extras.complete(actions);
    let unlocked = actions.iter().filter_map(|action| scene.unlocked(action));
    let wrong = unlocked.chain(scene.foreign_layers(&actions)).chain(scene.foreign_locals(&actions));
    let wrong: Vec<Diagnostic> = wrong.collect();
    if wrong.is_empty() { Ok(Lowered { graph: ActionGraph { actions }, of }) } else { Err(wrong) }
}

/// The actions of targets and all that they need as far as they can be made, with what is wrong with each of the others.
/// These have an action too, which does nothing.
pub fn survey(
    graph: &TargetGraph<'_>,
    targets: &[TargetId],
    worlds: &Worlds<'_>,
) -> (Lowered, BTreeMap<Label, Vec<Diagnostic>>) {
    let closure = graph.closure(targets.iter().copied());
    let of = places(graph, &closure);
    let scene = Scene { graph, of: &of, worlds, extras: Extras::after(closure.len()), judging: false };
    let lowered: Vec<_> = closure.par_iter().map(|target| (*target, scene.lower(*target))).collect();
    let (mut actions, mut failed) = (Vec::with_capacity(lowered.len()), BTreeMap::new());
    for (target, result) in lowered {
        let label = &graph.target(target).label;
        actions.push(result.unwrap_or_else(|mistakes| {
            failed.insert(label.clone(), mistakes);
            nothing(label)
        }));
    }
    let actions = scene.extras.complete(actions);
    (Lowered { graph: ActionGraph { actions }, of }, failed)
}

/// The action of each target, which stand in the order of the closure.
fn places(graph: &TargetGraph<'_>, closure: &[TargetId]) -> Vec<Option<ActionId>> {
    let mut of = vec![None; graph.len()];
    for (index, target) in closure.iter().enumerate() {
        of[target.index()] = Some(ActionId(index as u32));
    }
    of
}

fn nothing(label: &Label) -> Action {
    let index = IndexAction { images: Vec::new(), annotations: BTreeMap::new() };
    Action { label: label.clone(), variant: None, operation: Operation::Index(index) }
}

/// What rules find wrong with targets of a graph that has mistakes already: of those that the loader found sound, each by
/// itself. What is said of a label here, the graph has said better.
pub fn mistakes(graph: &TargetGraph<'_>, targets: &[TargetId], worlds: &Worlds<'_>) -> Vec<Diagnostic> {
    let of = vec![Some(ActionId(0)); graph.len()];
    let scene = Scene { graph, of: &of, worlds, extras: Extras::after(0), judging: true };
    // An index follows its images' bases, which may go in circles here.
    let judged = |target: &&TargetId| {
        let target = graph.target(**target);
        target.valid && target.rule.purpose != Purpose::Index
    };
    let judged: Vec<TargetId> = targets.iter().filter(judged).copied().collect();
    let mut found: Vec<Diagnostic> =
        judged.par_iter().flat_map_iter(|target| scene.lower(*target).err().unwrap_or_default()).collect();
    found.extend(contradictions(graph, &graph.closure(targets.iter().copied())));
    found
}

fn seen<'a>(target: &'a workspace::Target, directory: &'a Utf8Path, defaults: &'a Defaults) -> Target<'a> {
    Target { label: &target.label, span: target.span, attributes: target.attributes(), directory, defaults }
}

/// What is wrong with a target, traced to whoever wrote it.
fn traced(target: &workspace::Target, mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    mistakes.into_iter().map(|mistake| target.traced(mistake)).collect()
}

/// What a target takes from a registry; `None` for one that is built.
pub fn pulled(target: &workspace::Target, defaults: &Defaults) -> Result<Option<Source>, Vec<Diagnostic>> {
    let seen = seen(target, Utf8Path::new(""), defaults);
    match target.rule.purpose {
        Purpose::Base => Source::of_pull(&seen).map(Some).map_err(|errors| traced(target, errors)),
        _ if target.published => Source::of_published(&seen).map(Some).map_err(|error| traced(target, vec![error])),
        _ => Ok(None),
    }
}

/// The Debian packages that a target asks for; `None` for one of another rule.
pub fn debs(
    graph: &TargetGraph<'_>,
    target: &workspace::Target,
    defaults: &Defaults,
) -> Result<Option<debs_source::Source>, Vec<Diagnostic>> {
    let is_debs = target.rule.name == rules::debs::RULE.schema.name;
    let source =
        || debs_source::Source::of(&seen(target, Utf8Path::new(""), defaults), &|label| declared(graph, label));
    is_debs.then(source).transpose().map_err(|errors| traced(target, errors))
}

/// What is written of a target that is built.
fn declared<'g>(graph: &'g TargetGraph<'_>, label: &Label) -> Option<(&'static RuleSchema, Attributes<'g>)> {
    let target = graph.id(label).map(|id| graph.target(id)).filter(|target| target.is_built())?;
    Some((target.rule, target.attributes()))
}

/// What rules see.
struct Scene<'a> {
    graph: &'a TargetGraph<'a>,
    of: &'a [Option<ActionId>],
    worlds: &'a Worlds<'a>,
    extras: Extras,
    /// Whether only mistakes are looked for: then what labels name is taken to be there.
    judging: bool,
}

/// What the rules of one workspace's targets see.
struct View<'a> {
    scene: &'a Scene<'a>,
    home: Home<'a>,
}

impl Scene<'_> {
    fn lower(&self, id: TargetId) -> Result<Action, Vec<Diagnostic>> {
        let target = self.graph.target(id);
        let home = self.graph.workspace().home(&target.label.package);
        if target.local {
            let operation = self.local(target, home).map_err(|mistake| vec![target.traced(mistake)])?;
            return Ok(Action { label: target.label.clone(), variant: None, operation });
        }
        let directory = home.settings.folder(&target.label.package);
        let rule = rules::rule(target.rule.name).expect("the loader took the target's schema from the table of rules");
        let lower = if target.published { rules::pull::lower_published } else { rule.lower };
        let view = View { scene: self, home };
        let lowered = lower(&seen(target, &directory, self.defaults(target)), &view);
        let operation = lowered.map_err(|mistakes| traced(target, mistakes))?.moved_into(home.folder);
        Ok(Action { label: target.label.clone(), variant: None, operation })
    }

    /// What its workspace says for a target.
    fn defaults(&self, target: &workspace::Target) -> &Defaults {
        self.worlds.of(self.graph.workspace().home(&target.label.package)).defaults
    }
}

impl Scene<'_> {
    /// An image as it was built last.
    fn local(&self, target: &workspace::Target, home: Home<'_>) -> Result<Operation, Diagnostic> {
        let world = self.worlds.of(home);
        let Some(last) = world.built else { return Err(self.never_built(target, home)) };
        let path = Utf8Path::from_path(last.path()).map(Utf8Path::to_owned);
        path.into_iter().for_each(|path| world.observed.note(path));
        let built = last.image(&home.local(&target.label));
        let built = built.map_err(|error| Diagnostic::error(error.to_string()).at(target.span, ""))?;
        let operation = built.and_then(|built| built.operation(&|action| self.extras.add(action)));
        operation.ok_or_else(|| self.never_built(target, home))
    }

    fn never_built(&self, target: &workspace::Target, home: Home<'_>) -> Diagnostic {
        let message = format!("{} is taken as this machine built it last, and it never was built here", target.label);
        let by = taken::deciding(&home.settings.taken, &home.local(&target.label));
        let build = local::advice(&target.label, by.map(|list| &list.by));
        let place = |it: Diagnostic, list: &List| it.also(list.span, "this says so");
        by.into_iter()
            .fold(Diagnostic::error(message).at(target.span, "this image"), place)
            .help(build)
            .help("or take it as published: `from-registry` in place of `local`")
    }

    /// Images that are taken as they were built, asked for on another platform than they were built for.
    fn foreign_locals(&self, actions: &[Action]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for action in actions {
            let (Operation::Local(local), Some(platform)) = (&action.operation, &action.variant) else { continue };
            if local.platform == *platform {
                continue;
            }
            let Some(target) = self.graph.id(&action.label).map(|id| self.graph.target(id)) else { continue };
            let message = format!("{} is taken as it was built here, for {}", action.label, local.platform);
            let label = format!("it is asked for on {platform}");
            found.push(
                Diagnostic::error(message).at(target.span, label).help("take it out of `local`, or put it in `build`"),
            );
        }
        found
    }
}

impl Scene<'_> {
    /// What is wrong with a pulled base or packages that an index asks for on a platform for which it isn't locked.
    fn unlocked(&self, action: &Action) -> Option<Diagnostic> {
        let target = self.graph.target(self.graph.id(&action.label)?);
        if let Operation::Debs(layer) = &action.operation {
            let source = debs(self.graph, target, self.defaults(target)).ok().flatten()?;
            return source.judge(&|label| self.graph.workspace().locked_debs(label), &layer.platform).err();
        }
        let Operation::Pull(pull) = &action.operation else { return None };
        let source = pulled(target, self.defaults(target)).ok().flatten()?;
        let locked = self.graph.workspace().locked(&action.label, target.published);
        source.judge(locked, &pull.platform, self.defaults(target)).err()
    }
}

impl Scene<'_> {
    /// Layers that commands made on one platform, in images for another.
    fn foreign_layers(&self, actions: &[Action]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for image in actions {
            let Operation::Image(operation) = &image.operation else { continue };
            for layer in operation.layers.iter().map(|id| &actions[id.index()]) {
                let made_on = platform_of_commands(layer, actions);
                let Some(platform) = made_on.filter(|platform| **platform != operation.spec.platform) else { continue };
                let message = format!(
                    "{} is made on {platform}, but {} is for {}",
                    layer.label,
                    image.name(),
                    operation.spec.platform
                );
                let target = self.graph.id(&image.label).map(|id| self.graph.target(id));
                let diagnostic = Diagnostic::error(message).help("give each platform a `run` and an image of its own");
                let place =
                    |it: Diagnostic, target: &workspace::Target| target.traced(it.at(target.span, "this image"));
                found.push(target.into_iter().fold(diagnostic, place));
            }
        }
        found
    }
}

/// The platform on which commands run; `None` for any other action, and over layers, which have none.
fn platform_of_commands<'a>(action: &Action, actions: &'a [Action]) -> Option<&'a Platform> {
    let run = match &action.operation {
        Operation::Run(run) => run,
        Operation::Exec(exec) => &exec.step,
        Operation::Cargo(cargo) => &cargo.step,
        _ => return None,
    };
    let RunBase::Image(base) = run.base else { return None };
    actions[base.index()].operation.image_platform()
}

impl View<'_> {
    fn world(&self) -> &World<'_> {
        self.scene.worlds.of(self.home)
    }

    /// A target that the graph has.
    fn target(&self, label: &Label) -> Option<&workspace::Target> {
        self.scene.graph.id(label).map(|id| self.scene.graph.target(id))
    }
}

impl Context for View<'_> {
    fn glob(&self, directory: &Utf8Path, globs: &[Glob]) -> Result<Vec<Utf8PathBuf>, Vec<(usize, GlobError)>> {
        self.world().tree.expand(directory, globs)
    }

    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<rules::Source, String>> {
        paths.iter().for_each(|path| self.world().observed.note(self.world().tree.at(path)));
        self.world().files.identify(paths)
    }

    fn text(&self, path: &Utf8Path) -> Result<Option<String>, String> {
        self.world().observed.note(self.world().tree.at(path));
        match self.world().tree.read(path).map(String::from_utf8) {
            Ok(_) if !self.world().tree.contains(path) => {
                Err(format!("`{path}` leads out of the workspace through a symbolic link"))
            }
            Ok(Ok(text)) => Ok(Some(text)),
            Ok(Err(_)) => Err(format!("`{path}` can't be read: it is not UTF-8")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("`{path}` can't be read: {}", reason(&error))),
        }
    }

    fn compiler(&self, folder: &Utf8Path) -> Result<String, ToolchainError> {
        let toolchain = self.world().toolchains.of(&self.world().tree.at(folder))?;
        toolchain.observed.iter().for_each(|path| self.world().observed.note(path.clone()));
        Ok(toolchain.version.clone())
    }

    fn action(&self, label: &Label) -> Option<ActionId> {
        match self.scene.graph.id(label) {
            Some(target) => self.scene.of[target.index()],
            None => self.scene.judging.then_some(ActionId(0)),
        }
    }

    fn base(&self, label: &Label, platform: &Platform) -> Result<Option<ActionId>, Diagnostic> {
        let own = self.action(label);
        let Some(target) = self.target(label) else { return Ok(own) };
        let defaults = self.scene.defaults(target);
        // What is wrong with the base itself is told where it is lowered.
        let Ok(Some(source)) = pulled(target, defaults) else { return Ok(own) };
        if source.own_platform(defaults) == *platform {
            return Ok(own);
        }
        source.operation(platform, self, defaults).map(|_| self.variant(label, platform))
    }

    fn locked(&self, label: &Label) -> Option<&LockedImage> {
        let published = self.target(label).is_some_and(|target| target.published);
        self.scene.graph.workspace().locked(label, published)
    }

    fn locked_debs(&self, label: &Label) -> Option<&LockedDebs> {
        self.scene.graph.workspace().locked_debs(label)
    }

    fn layer(&self, label: &Label, platform: &Platform) -> Option<ActionId> {
        let own = self.action(label)?;
        let Some(target) = self.target(label) else { return Some(own) };
        let defaults = self.scene.defaults(target);
        // What is wrong with the layer itself is told where it is lowered.
        let Ok(Some(source)) = debs(self.scene.graph, target, defaults) else { return Some(own) };
        if source.own_platform(defaults) == *platform { Some(own) } else { self.variant(label, platform) }
    }

    fn written(&self, label: &Label) -> Option<(&'static RuleSchema, Attributes<'_>)> {
        let target = self.target(label)?;
        Some((target.rule, target.attributes()))
    }

    fn declared(&self, label: &Label) -> Option<(&'static RuleSchema, Attributes<'_>)> {
        declared(self.scene.graph, label)
    }

    fn platform(&self, label: &Label) -> Platform {
        let home = self.scene.graph.workspace().home(&label.package);
        self.scene.worlds.of(home).defaults.platform.clone()
    }

    fn variant(&self, label: &Label, platform: &Platform) -> Option<ActionId> {
        Some(self.scene.extras.variant(self.action(label)?, platform))
    }

    fn fetch(&self, label: &Label, fetch: Fetch) -> ActionId {
        self.scene.extras.fetch(label, fetch)
    }
}
