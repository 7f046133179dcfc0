//! What most verbs begin with: the workspace, its graph, the targets asked for, and their actions.
//!
//! Everything that is wrong with the workspace is reported at once, whichever stage found it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use super::worlds;
use crate::cargo::toolchain::Toolchains;
use crate::checkout::{Checkout, Disk};
use crate::compression_level::Levels;
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::exit::Exit;
use crate::graph::{self, SelectError, TargetGraph, TargetId};
use crate::label::{Label, PackagePath};
use crate::observed::Observed;
use crate::oci::compress::{Compression, Format};
use crate::pattern::{PatternError, TargetPattern};
use crate::plan::local::LastBuilt;
use crate::plan::lower::{Lowered, Worlds, lower, mistakes, survey};
use crate::reference::RegistryBase;
use crate::rules::place::Place as Whose;
use crate::rules::{self, Defaults};
use crate::span::{Sources, Span};
use crate::store::{OpenMode, Store, StoreError};
use crate::ui::stream::Stream;
use crate::workspace::git::Git;
use crate::workspace::marks;
use crate::workspace::overlays::LOCAL_FILE;
use crate::workspace::revision::Revision;
use crate::workspace::settings::{BuildBase, CompressionFormat, Settings, SourceDateEpoch};
use crate::workspace::stamp;
use crate::workspace::taken::Taken;
use crate::workspace::vars::Given;
use crate::workspace::{self, Home, Spanned, Target, Workspace, lock_file};

/// A workspace as far as some patterns reach.
pub struct Project {
    /// What was read.
    pub workspace: Workspace,
    /// The patterns.
    pub patterns: Vec<TargetPattern>,
    /// The package of the current folder.
    pub here: PackagePath,
    /// What was looked at so far.
    pub observed: Observed,
    /// What compiles Rust programs.
    pub toolchains: Toolchains,
    /// What git says, where it is asked.
    pub git: Git,
    /// Whether the patterns are a list that a program made: targets that a verb doesn't take are passed over, as wildcards
    /// do.
    pub listed: bool,
    /// The commit whose files these are; `None`: what is on disk.
    revision: Option<Arc<Revision>>,
    /// The same for the workspaces beside this one, in the order of [`Workspace::beside`].
    gits: Vec<Git>,
    /// Whether any target that the patterns reach holds something of git's.
    stamped: bool,
    diagnostics: Vec<Diagnostic>,
    color: bool,
    err: Stream,
}

/// The graph of a project and the targets that its patterns mean.
pub struct Selected<'w> {
    /// The graph.
    pub graph: TargetGraph<'w>,
    /// The targets, in the order of their labels.
    pub targets: Vec<TargetId>,
    /// How many warnings were shown.
    pub warnings: usize,
}

impl Selected<'_> {
    /// The one target of a verb that takes just one. `text`: what was written.
    pub fn only(&self, text: &str, verb: &str) -> Result<TargetId, CliError> {
        match self.targets[..] {
            [target] => Ok(target),
            _ => Err(CliError::usage(format!("`{text}` names {} targets; {verb} takes one", self.targets.len()))),
        }
    }
}

/// Reads the workspace around the current folder, as far as the patterns reach.
pub fn open(texts: &[String], cx: &Context) -> Result<Project, CliError> {
    let mut project = open_unstamped(texts, cx)?;
    project.stamp();
    Ok(project)
}

/// The same for whoever only looks at what is declared: git is not asked for the targets.
pub fn open_unstamped(texts: &[String], cx: &Context) -> Result<Project, CliError> {
    open_with(cx, |here| TargetPattern::parse_all(texts, here).map_err(|errors| malformed(&errors, cx)))
}

fn malformed(errors: &[PatternError], cx: &Context) -> CliError {
    let shown = errors.iter().map(|error| Diagnostic::error(error.to_string()).help(error.hint.clone()));
    let color = cx.err_style().color;
    CliError::diagnosed(Exit::Usage, shown.map(|diagnostic| diagnostic.render(&Sources::default(), color)).collect())
}

/// Reads the workspace around the current folder, as far as the patterns reach that are made for the package that
/// relative ones are relative to.
pub fn open_with(
    cx: &Context,
    patterns: impl FnOnce(&PackagePath) -> Result<Vec<TargetPattern>, CliError>,
) -> Result<Project, CliError> {
    open_under(cx.globals.profile.as_deref(), !cx.globals.no_local, cx, patterns)
}

/// The workspace, without its targets, under a profile as the workspace has it; `None`: under the one of the call, where
/// it has one, with the developer's own file.
pub fn under(profile: Option<&str>, cx: &Context) -> Result<Project, CliError> {
    let local = profile.is_none() && !cx.globals.no_local;
    let project = open_under(profile.or(cx.globals.profile.as_deref()), local, cx, |_| Ok(Vec::new()))?;
    project.graph()?;
    Ok(project)
}

/// The same of a commit, without the developer's own file. `git`: what git says of that commit.
pub fn open_at(revision: Arc<Revision>, git: Git, texts: &[String], cx: &Context) -> Result<Project, CliError> {
    let which = Which { profile: cx.globals.profile.as_deref(), local: false, at: Some((revision, git)) };
    let mut project =
        read(which, cx, |here| TargetPattern::parse_all(texts, here).map_err(|errors| malformed(&errors, cx)))?;
    project.stamp();
    Ok(project)
}

fn open_under(
    profile: Option<&str>,
    local: bool,
    cx: &Context,
    patterns: impl FnOnce(&PackagePath) -> Result<Vec<TargetPattern>, CliError>,
) -> Result<Project, CliError> {
    read(Which { profile, local, at: None }, cx, patterns)
}

/// Which workspace is meant.
struct Which<'a> {
    profile: Option<&'a str>,
    local: bool,
    /// The commit that has it, and its git; `None`: what is on disk.
    at: Option<(Arc<Revision>, Git)>,
}

/// The root of the workspace around the current folder.
pub fn root(cx: &Context) -> Result<Utf8PathBuf, CliError> {
    workspace::root::find_root(cx.directory()).map_err(|error| CliError::usage(error.to_string()).hint(error.hint()))
}

fn read(
    Which { profile, local, at }: Which<'_>,
    cx: &Context,
    patterns: impl FnOnce(&PackagePath) -> Result<Vec<TargetPattern>, CliError>,
) -> Result<Project, CliError> {
    let root = root(cx)?;
    let (revision, git) = at.unzip();
    let skip = [cx.globals.cache_dir.clone()];
    let schemas = rules::schemas();
    let observed = Observed::default();
    let given = Given { flags: &cx.globals.vars, environment: &cx.globals.vars_of_environment };
    let observed_by = Some(&observed);
    let skip = &skip;
    let checkout: &dyn Checkout = revision.as_deref().map_or(&Disk, |revision| revision);
    let options =
        workspace::Options { schemas: &schemas, profile, given, local, skip, checkout, observed: observed_by };
    let opened = workspace::open(&root, options);
    let here = opened.settings().package_at(cx.directory().strip_prefix(&root).unwrap_or(Utf8Path::new("")));
    let patterns = opened.named(patterns(&here)?);
    let (workspace, mut diagnostics) = opened.load(&patterns);
    let git = git.unwrap_or_else(|| Git::new(&root, cx.environment.iter().collect()));
    if workspace.settings.local && git.tracks(LOCAL_FILE) {
        diagnostics.push(
            Diagnostic::warning(format!("git keeps `{LOCAL_FILE}`, which is one developer's own"))
                .help(format!("`git rm --cached {LOCAL_FILE}`, and a line with its name in .gitignore")),
        );
    }
    let toolchains = Toolchains::new(cx.environment.iter().collect());
    let git_of = |root: &Utf8Path| match &revision {
        Some(revision) if revision.holds(root) => git.beside(root),
        Some(_) => Git::new(root, cx.environment.iter().collect()).unknown(),
        None => Git::new(root, cx.environment.iter().collect()),
    };
    let gits = workspace.beside.iter().map(|it| git_of(&it.root)).collect();
    let (color, err) = (cx.err_style().color, cx.err.clone());
    let (listed, stamped) = (false, false);
    Ok(Project {
        workspace,
        patterns,
        here,
        observed,
        toolchains,
        git,
        listed,
        revision,
        gits,
        stamped,
        diagnostics,
        color,
        err,
    })
}

/// Opens the store; says so when it has to wait for another process.
pub fn open_store(cx: &Context) -> Result<Store, CliError> {
    let path = cx.globals.cache_dir.as_std_path();
    match Store::open(path, OpenMode { wait: false }) {
        Err(StoreError::Locked { .. }) if !cx.globals.no_wait => {
            cx.err.line("waiting for another layerbuild to release the store");
            Ok(Store::open(path, OpenMode { wait: true })?)
        }
        result => Ok(result?),
    }
}

impl Project {
    /// Puts in what git says, where a target asks that the patterns reach. What they mean is known from the graph; where
    /// something is wrong in that, it is told before anything is built.
    fn stamp(&mut self) {
        if !self.workspace.asks_git {
            return;
        }
        let labels = self.reached();
        let mut diagnostics = Vec::new();
        let gits =
            std::iter::once((None, &self.git)).chain(self.gits.iter().enumerate().map(|(at, git)| (Some(at), git)));
        for (beside, git) in gits {
            let is_of = |label: &&Label| self.workspace.home(&label.package).beside == beside;
            let labels: Vec<Label> = labels.iter().filter(is_of).cloned().collect();
            let stamped = stamp::stamp(&mut self.workspace, &labels, git);
            diagnostics.extend(stamped.diagnostics);
            self.stamped |= stamped.any;
        }
        let told: Vec<Span> = self.diagnostics.iter().filter_map(primary).collect();
        let is_told = |span: Span| {
            told.iter().any(|told| told.file == span.file && told.start <= span.start && span.end <= told.end)
        };
        self.diagnostics.extend(diagnostics.into_iter().filter(|mistake| !primary(mistake).is_some_and(is_told)));
    }

    /// The same for whoever only looks at files: where git has no answer, what asks for it stays as it is, untold.
    #[must_use]
    pub fn stamped_as_far_as_known(mut self) -> Project {
        let told = self.diagnostics.len();
        self.stamp();
        self.diagnostics.truncate(told);
        self
    }

    /// The targets that the patterns mean, and all that they need, but for what is taken as it is.
    fn reached(&self) -> Vec<Label> {
        let (graph, _) = graph::build(&self.workspace);
        let Ok(selection) = graph.select(&self.patterns) else { return Vec::new() };
        let targets = graph.closure(selection.targets.iter().copied()).into_iter().map(|id| graph.target(id));
        targets.filter(|target| target.is_built()).map(|target| target.label.clone()).collect()
    }

    /// Whether what is built depends on what git says.
    pub fn asked_git(&self) -> bool {
        let beside = self.workspace.beside.iter().enumerate().map(|(at, it)| (Some(at), &it.settings));
        let mut all = std::iter::once((None, &self.workspace.settings)).chain(beside);
        self.stamped || all.any(|(at, settings)| marks::is_marked(&settings.tag) && self.takes_published(at))
    }

    /// Whether a workspace takes any of its own images as published.
    fn takes_published(&self, beside: Option<usize>) -> bool {
        let targets = self.workspace.packages.iter().flat_map(|package| &package.targets);
        targets.filter(|target| target.published).any(|target| {
            let home = self.workspace.home(&target.label.package);
            home.beside == beside && home.local(&target.label).package.external().is_none()
        })
    }

    /// The tags that images are published under, `tag` first, with what git says in them.
    pub fn tags(&self) -> Result<Vec<String>, CliError> {
        self.tags_of(self.workspace.home_at(None))
    }

    /// The same of any workspace.
    pub fn tags_of(&self, home: Home<'_>) -> Result<Vec<String>, CliError> {
        let (settings, sources) = (home.settings, &self.workspace.sources);
        let git = home.beside.map_or(&self.git, |at| &self.gits[at]);
        let tags = settings.tags.iter().map(|tag| ("tags", tag));
        let fill = |(key, text): (&str, &String)| {
            let span = settings.said.get(key).map(|said| said.value.span);
            stamp::text(text, span, sources, git).map_err(|mistakes| self.diagnosed(Exit::Usage, &mistakes))
        };
        std::iter::once(("tag", &settings.tag)).chain(tags).map(fill).collect()
    }

    /// The tag that published images are taken by: where there are none, git need not be asked.
    fn tag(&self, home: Home<'_>) -> Result<String, CliError> {
        let tags = if self.takes_published(home.beside) { self.tags_of(home)? } else { Vec::new() };
        Ok(tags.into_iter().next().unwrap_or_else(|| home.settings.tag.clone()))
    }

    /// The graph alone, for queries.
    pub fn graph(&self) -> Result<TargetGraph<'_>, CliError> {
        let (graph, found) = graph::build(&self.workspace);
        let errors: Vec<Diagnostic> = self.diagnostics.iter().chain(&found).cloned().collect();
        if has_errors(&errors) { Err(self.diagnosed(Exit::Usage, &errors)) } else { Ok(graph) }
    }

    /// The graph, or the first thing that is wrong, as a phrase.
    pub fn graph_or_mistake(&self) -> Result<TargetGraph<'_>, String> {
        let (graph, found) = graph::build(&self.workspace);
        let mut all = self.diagnostics.iter().chain(&found);
        let mistake = all.find(|diagnostic| diagnostic.severity == Severity::Error);
        mistake.map_or(Ok(graph), |mistake| Err(mistake.message.clone()))
    }

    /// The graph for whoever asks only how targets hang together, and the mistakes that bear on that: a label of the wrong
    /// kind of target, a circle and a damaged lock file do not.
    pub fn shape(&self) -> (TargetGraph<'_>, Vec<Diagnostic>) {
        let (graph, found) = graph::shape(&self.workspace);
        let of_lock = |span: Span| self.workspace.sources.get(span.file).path.file_name() == Some(lock_file::FILE_NAME);
        let bears = |it: &&Diagnostic| !primary(it).is_some_and(of_lock);
        let mistakes = self.diagnostics.iter().filter(bears).cloned().chain(found).collect();
        (graph, mistakes)
    }

    /// The graph, and the targets that the patterns mean; wildcards pass over what is taken as it is.
    pub fn select(&self, cx: &Context) -> Result<Selected<'_>, CliError> {
        self.select_where(cx, |target| !self.is_passed_over(&target.label))
    }

    /// The same with the images that are taken as they are, as far as they are locked or were built here.
    pub fn select_with_taken(&self, store: &Store, cx: &Context) -> Result<Selected<'_>, CliError> {
        let built = LastBuilt::new(store, self.workspace.root.as_std_path());
        let was_built = |label: &Label| built.image(label).is_ok_and(|image| image.is_some());
        let stays = |target: &Target| {
            let Target { label, published, local, .. } = target;
            let is_locked = || self.workspace.locked(label, true).is_some();
            *published && is_locked() || *local && was_built(label) || !self.is_passed_over(label)
        };
        self.select_where(cx, stays)
    }

    fn select_where(&self, cx: &Context, stays: impl Fn(&Target) -> bool) -> Result<Selected<'_>, CliError> {
        let (graph, found) = graph::build(&self.workspace);
        let mut errors: Vec<Diagnostic> = self.diagnostics.iter().chain(&found).cloned().collect();
        let selected = graph.select(&self.patterns);
        if has_errors(&errors) {
            let targets = match &selected {
                Ok(selection) => graph.closure(selection.targets.iter().copied()),
                Err(_) => graph.ids().collect(),
            };
            self.add_mistakes(&mut errors, &graph, &targets, cx);
        }
        match selected {
            Ok(selection) if !has_errors(&errors) => {
                errors.extend(selection.warnings);
                let mut targets = selection.targets;
                let some = !targets.is_empty();
                targets.retain(|target| stays(graph.target(*target)));
                if some && targets.is_empty() {
                    let message = "profile or local file take all of these as they are: nothing is built";
                    errors
                        .push(Diagnostic::warning(message).help("name an image by its label, or take another profile"));
                }
                self.warn(&errors);
                Ok(Selected { graph, targets, warnings: errors.len() })
            }
            Ok(_) => Err(self.diagnosed(Exit::Usage, &errors)),
            Err(select) => {
                let only_empty = select.iter().all(|error| matches!(error, SelectError::NothingBeneath { .. }));
                let exit = if only_empty && !has_errors(&errors) { Exit::NothingMatched } else { Exit::Usage };
                // With broken files, that a target isn't there is most likely their fault: saying so misleads.
                if !has_errors(&self.diagnostics) {
                    errors.extend(select.iter().map(SelectError::diagnostic));
                }
                Err(self.diagnosed(exit, &errors))
            }
        }
    }

    /// What the rules find wrong besides: nobody should have to mend one thing to be told of the next. Where there is no
    /// store to hash sources for, or settings are wrong, the rules have to wait.
    fn add_mistakes(&self, errors: &mut Vec<Diagnostic>, graph: &TargetGraph<'_>, targets: &[TargetId], cx: &Context) {
        let told: HashSet<Places> = errors.iter().map(places_of).collect();
        let found = open_store(cx)
            .and_then(|store| worlds::within(&self.known(cx)?, &store, cx, |worlds| mistakes(graph, targets, worlds)));
        let is_news = |mistake: &Diagnostic| mistake.primary.is_none() || !told.contains(&places_of(mistake));
        errors.extend(found.unwrap_or_default().into_iter().filter(is_news));
    }

    /// Shows on stderr what the files hold that is wrong or may surprise.
    pub fn show_findings(&self) {
        self.warn(&self.diagnostics);
    }

    /// Shows diagnostics on stderr.
    pub fn warn(&self, warnings: &[Diagnostic]) {
        for text in self.diagnosed(Exit::Done, warnings).diagnostics {
            self.err.line(text.trim_end());
        }
    }

    /// Diagnostics as the end of a command, in the order of their places.
    pub fn diagnosed(&self, exit: Exit, diagnostics: &[Diagnostic]) -> CliError {
        let mut seen = HashSet::new();
        let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
        sorted.sort_by_cached_key(|diagnostic| self.place(diagnostic));
        let shown: Vec<String> = sorted
            .iter()
            .map(|diagnostic| diagnostic.render(&self.workspace.sources, self.color))
            .filter(|text| seen.insert(text.clone()))
            .collect();
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        let mut error = CliError::diagnosed(exit, shown);
        if errors > 1 {
            error.message = format!("{errors} errors");
        }
        error
    }

    /// By file and line, whichever stage found it; what has no place comes first.
    fn place(&self, diagnostic: &Diagnostic) -> Option<(&Utf8Path, u32)> {
        let span = diagnostic.primary.as_ref()?.span;
        Some((&self.workspace.sources.get(span.file).path, span.start))
    }

    /// Where images are published.
    pub fn registry(&self, cx: &Context) -> Result<RegistryBase, CliError> {
        chosen_registry(&self.workspace.settings, cx)
    }

    /// Where a workspace publishes its images.
    pub fn registry_of(&self, home: Home<'_>, cx: &Context) -> Result<RegistryBase, CliError> {
        if home.name.is_some() { parsed_registry(&home.settings.registry) } else { self.registry(cx) }
    }

    /// Whether a target's own workspace is this one, or it is taken as another published it for this one.
    pub fn is_own(&self, target: &Target) -> bool {
        self.workspace.home(&target.label.package).name.is_none()
    }

    /// What wildcards pass over: what the profile takes as published or as it was built here, unless a pattern names just that.
    fn is_passed_over(&self, label: &Label) -> bool {
        self.workspace.settings.taken(label) != Taken::Built && !self.names(label)
    }

    /// Whether a pattern names just this target, and is none of a list that a program made.
    pub fn insists_on(&self, label: &Label) -> bool {
        !self.listed && self.names(label)
    }

    fn names(&self, label: &Label) -> bool {
        let names = |pattern: &TargetPattern| !pattern.negative && !pattern.is_wildcard() && pattern.names(label);
        self.patterns.iter().any(names)
    }

    /// What the workspace says for all targets.
    pub fn defaults(&self, cx: &Context) -> Result<Defaults, CliError> {
        self.defaults_of(self.workspace.home_at(None), cx)
    }

    /// What a workspace says for all its targets.
    pub fn defaults_of(&self, home: Home<'_>, cx: &Context) -> Result<Defaults, CliError> {
        let settings = home.settings;
        let registry = cx.globals.registry.as_ref().filter(|_| home.name.is_none());
        Ok(Defaults {
            place: home.name.map_or_else(Whose::default, |name| Whose::beside(name, home.folder)),
            compression: compression(settings)?,
            platform: settings.platform.clone(),
            registry: registry.unwrap_or(&settings.registry).clone(),
            tag: self.tag(home)?,
            profile: settings.profile.clone(),
            externals: settings.externals.clone(),
            build_base: settings.build_base.clone().map(|base| build_base(base, home)),
            epoch: epoch(settings, cx)?,
        })
    }

    /// The actions of the selected targets and all that they need.
    pub fn lower(&self, selected: &Selected<'_>, store: &Store, cx: &Context) -> Result<Lowered, CliError> {
        let lower = |worlds: &Worlds<'_>| lower(&selected.graph, &selected.targets, worlds);
        worlds::within(&self.known(cx)?, store, cx, lower)?.map_err(|errors| self.diagnosed(Exit::Usage, &errors))
    }

    /// The actions of all targets of a graph as far as they can be made, and what is wrong with the others.
    pub fn survey(
        &self,
        graph: &TargetGraph<'_>,
        store: &Store,
        cx: &Context,
    ) -> Result<(Lowered, BTreeMap<Label, Vec<Diagnostic>>), CliError> {
        let targets: Vec<_> = graph.ids().collect();
        worlds::within(&self.known(cx)?, store, cx, |worlds| survey(graph, &targets, worlds))
    }

    fn known(&self, cx: &Context) -> Result<worlds::Known<'_>, CliError> {
        let Project { workspace, observed, toolchains, revision, .. } = self;
        let homes = std::iter::once(None).chain((0..workspace.beside.len()).map(Some));
        let defaults = homes.map(|beside| self.defaults_of(workspace.home_at(beside), cx)).collect::<Result<_, _>>()?;
        Ok(worlds::Known { workspace, defaults, revision: revision.as_deref(), toolchains, observed })
    }

    /// Where images are published, and under which tags, as written: what git says in these is not filled in.
    pub fn places(&self, cx: &Context) -> [(&'static str, String); 3] {
        let Settings { registry, tag, tags, .. } = &self.workspace.settings;
        let registry = cx.globals.registry.as_ref().unwrap_or(registry);
        [("registry", registry.clone()), ("tag", marks::spelled(tag)), ("tags", marks::spelled(&tags.join(", ")))]
    }

    /// The workspace's root.
    pub fn root(&self) -> &Utf8PathBuf {
        &self.workspace.root
    }
}

/// What actions run over in a workspace, by the name that it has here.
fn build_base(base: Spanned<BuildBase>, home: Home<'_>) -> Spanned<BuildBase> {
    let value = match (base.value, home.name) {
        (BuildBase::Target(label), Some(outer)) => BuildBase::Target(label.within(outer)),
        (value, _) => value,
    };
    Spanned { value, span: base.span }
}

/// The registry of a call, else the settings'.
pub fn chosen_registry(settings: &Settings, cx: &Context) -> Result<RegistryBase, CliError> {
    let Some(text) = &cx.globals.registry else { return parsed_registry(&settings.registry) };
    text.parse().map_err(|error| CliError::usage(format!("--registry (or LAYERBUILD_REGISTRY): {error}")))
}

/// The registry of settings.
pub fn parsed_registry(text: &str) -> Result<RegistryBase, CliError> {
    text.parse().map_err(|error| CliError::usage(format!("`registry` of the workspace or profile: {error}")))
}

/// Where a mistake is shown: of one in a rule of the workspace's, the caller's place and the rule's line.
type Places = (Option<Span>, Option<Span>);

/// The place that is underlined first.
fn primary(diagnostic: &Diagnostic) -> Option<Span> {
    diagnostic.primary.as_ref().map(|place| place.span)
}

fn places_of(diagnostic: &Diagnostic) -> Places {
    let span = |place: &Place| place.span;
    (diagnostic.primary.as_ref().map(span), diagnostic.others.first().map(span))
}

/// Whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

fn compression(settings: &Settings) -> Result<Compression, CliError> {
    let Some(written) = &settings.compression else { return Ok(Compression::default()) };
    let (format, chunks) = match written.format {
        CompressionFormat::Gzip => (Format::Gzip { level: written.level.unwrap_or(Levels::gzip(true).usual) }, true),
        CompressionFormat::Zstd => (Format::Zstd { level: written.level.unwrap_or(Levels::zstd().usual) }, false),
        CompressionFormat::None => (Format::None, false),
    };
    Compression::new(format, written.chunks.unwrap_or(chunks))
        .map_err(|error| CliError::usage(format!("[workspace] compression: {error}")))
}

fn epoch(settings: &Settings, cx: &Context) -> Result<u64, CliError> {
    match settings.source_date_epoch {
        SourceDateEpoch::Fixed(seconds) => Ok(seconds),
        SourceDateEpoch::Env => {
            let what = "a number of seconds since 1970";
            cx.environment.parsed("SOURCE_DATE_EPOCH", what)?.ok_or_else(|| {
                CliError::usage("SOURCE_DATE_EPOCH is not set")
                    .hint("[workspace] source-date-epoch = \"env\" asks for it")
            })
        }
    }
}
