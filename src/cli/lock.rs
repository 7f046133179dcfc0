//! `lock`: what bases and packages are at this moment, written to layers.lock. The one verb that resolves a tag or a package.

use std::collections::BTreeSet;
use std::io::Write;

use rayon::prelude::*;

use super::context::Context;
use super::error::CliError;
use super::lock_debs::Debs;
use super::lock_report::{Found, Report};
use super::patterns;
use super::project::{self, Project, Selected};
use super::remote::Remotes;
use crate::base::counted::Counted;
use crate::base::fetch::Reader;
use crate::diagnostic::Diagnostic;
use crate::event::{Event, Listener, Outcome, Step};
use crate::exit::Exit;
use crate::label::{Label, PackagePath};
use crate::lock::{self, Wanted};
use crate::pattern::{Scope, TargetPattern};
use crate::plan::lower::pulled;
use crate::reason::chain;
use crate::rules::Defaults;
use crate::rules::pull::Source;
use crate::workspace::lock_file::{FILE_NAME, LockFile, LockedImage};
use crate::workspace::schema::Purpose;

/// Write the digests of bases and packages to layers.lock; prints one line `LABEL IMAGE OLD → NEW` for each that changed
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose bases: labels and patterns. Default: //..., and entries of targets that are gone are dropped
    #[arg(value_name = "PATTERN", value_parser = patterns::read)]
    pub patterns: Vec<String>,
    /// Move tags forward to what they name now
    #[arg(long)]
    pub update: bool,
    /// Change nothing; fail when layers.lock lacks something or is stale
    #[arg(long, conflicts_with = "update")]
    pub check: bool,
}

/// Locks what the patterns name and need.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let all = ["//...".to_owned()];
    let texts = if args.patterns.is_empty() { &all[..] } else { &args.patterns };
    let project = project::open(texts, cx)?;
    only_own(&project)?;
    let selected = project.select(cx)?;
    let defaults = project.defaults(cx)?;
    let job = Job {
        project: &project,
        defaults: &defaults,
        sources: sources(&project, &selected, &defaults)?,
        debs: Debs::of(&project, &selected, &defaults, args.update)?,
        update: args.update,
    };
    let gone = if is_everything(&project.patterns) { job.gone(&selected) } else { GoneEntries::default() };
    if args.check {
        return job.check(&gone, cx);
    }
    if cx.globals.dry_run {
        return job.announce(&gone, cx);
    }
    job.write(&gone, cx)
}

/// That nothing is named which another workspace locks itself.
fn only_own(project: &Project) -> Result<(), CliError> {
    let beside = &project.workspace.beside;
    let named = |pattern: &TargetPattern| beside.iter().find(|it| pattern.external() == Some(&*it.name));
    let Some((pattern, other)) = project.patterns.iter().find_map(|it| Some((it, named(it)?))) else { return Ok(()) };
    let message = format!("`{pattern}` is of another workspace, which has a lock file of its own");
    Err(CliError::usage(message).hint(format!("run `layerbuild -C {} lock`", other.folder)))
}

/// What the selected targets and all that they need take from registries, in the order of their labels.
fn sources(project: &Project, selected: &Selected<'_>, defaults: &Defaults) -> Result<Vec<Source>, CliError> {
    let graph = &selected.graph;
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    let closure = graph.closure(selected.targets.iter().copied()).into_iter().map(|id| graph.target(id));
    for target in closure.filter(|target| project.is_own(target)) {
        match pulled(target, defaults) {
            Ok(source) => sources.extend(source),
            Err(found) => errors.extend(found),
        }
    }
    sources.sort_by(|a: &Source, b: &Source| a.label.cmp(&b.label));
    if errors.is_empty() { Ok(sources) } else { Err(project.diagnosed(Exit::Usage, &errors)) }
}

fn is_everything(patterns: &[TargetPattern]) -> bool {
    let root = |pattern: &TargetPattern| matches!(&pattern.scope, Scope::Below(top) if *top == PackagePath::default());
    patterns.iter().all(|pattern| !pattern.negative) && patterns.iter().any(root)
}

/// An entry that nothing asks for: of a profile, or `None` for a pull.
type Gone = (Option<String>, Label);

/// Entries that nothing asks for.
#[derive(Default)]
struct GoneEntries {
    images: Vec<Gone>,
    debs: Vec<Label>,
}

struct Job<'a> {
    project: &'a Project,
    defaults: &'a Defaults,
    sources: Vec<Source>,
    debs: Debs<'a>,
    update: bool,
}

impl Job<'_> {
    fn file(&self) -> &LockFile {
        &self.project.workspace.lock
    }

    fn before(&self, source: &Source) -> Option<&LockedImage> {
        self.file().image(&source.label, source.section.as_deref())
    }

    fn wanted(&self, source: &Source) -> Wanted {
        Wanted {
            reference: source.reference.clone(),
            image: source.image.clone(),
            platforms: source.wanted_platforms(self.defaults),
            only_these: !source.platforms.is_empty(),
        }
    }

    /// Entries of targets that aren't there any more, and of profiles. A package that the profile takes as published may
    /// be absent, and keeps its entries.
    fn gone(&self, selected: &Selected<'_>) -> GoneEntries {
        let settings = &self.project.workspace.settings;
        let is_pull = |label: &Label| {
            let target = selected.graph.id(label).map(|id| selected.graph.target(id));
            target.is_some_and(|target| target.rule.purpose == Purpose::Base)
        };
        let published: BTreeSet<&Label> =
            self.sources.iter().filter(|source| source.published).map(|source| &source.label).collect();
        let is_used = |label: &Label| match label.package.external() {
            // Where it is taken from elsewhere, or built, what others need of it isn't known.
            Some(name) => {
                let is_built = settings.externals.get(name).is_some_and(|external| external.path.is_some());
                published.contains(label) || settings.lock_section(label).is_some() || is_built
            }
            None => is_pull(label) || settings.is_from_registry(label),
        };
        let pulls = self.file().pulls.keys().filter(|label| !is_used(label));
        let stays = |profile: &String, label: &Label| match settings.profile.as_ref() == Some(profile) {
            true => published.contains(label),
            false => settings.profiles.contains(profile),
        };
        let profiles = self.file().profiles.iter();
        let of_profiles = profiles.flat_map(|(profile, images)| images.keys().map(move |label| (profile, label)));
        let left = of_profiles.filter(|(profile, label)| !stays(profile, label));
        let left = left.map(|(profile, label)| (Some(profile.clone()), label.clone()));
        let images = pulls.map(|label| (None, label.clone())).chain(left).collect();
        GoneEntries { images, debs: self.debs.gone(selected) }
    }

    /// Fails where a build would, and where an entry is left over.
    fn check(&self, gone: &GoneEntries, cx: &mut Context) -> Result<(), CliError> {
        let judged = self.sources.iter().flat_map(|source| {
            let platforms = source.wanted_platforms(self.defaults).into_iter();
            let judge = |platform| source.judge(self.before(source), &platform, self.defaults).err();
            platforms.filter_map(judge).take(1)
        });
        let left = gone.images.iter().map(|(_, label)| {
            let diagnostic = Diagnostic::error(format!("{FILE_NAME} has an entry for {label}, which nothing asks for"));
            diagnostic.help("run `layerbuild lock` to drop it")
        });
        let errors: Vec<Diagnostic> = judged.chain(left).chain(self.debs.check(&gone.debs)).collect();
        if !errors.is_empty() {
            return Err(self.project.diagnosed(Exit::Usage, &errors));
        }
        let store = project::open_store(cx)?;
        let remote = Remotes::new(self.project, cx)?;
        let listener = cx.listener();
        let reader = Reader { remote: &remote, store: &store };
        let found = self.sources.par_iter().filter_map(|source| self.look(source, reader, cx)).collect::<Vec<_>>();
        found.into_iter().for_each(|warning| listener.event(Event::Warning(warning)));
        drop(listener);
        Ok(store.finish()?)
    }

    /// What would be looked up.
    fn announce(&self, gone: &GoneEntries, cx: &mut Context) -> Result<(), CliError> {
        for source in &self.sources {
            let fresh = self.before(source).is_some_and(|before| lock::is_fresh(&self.wanted(source), before));
            let verdict = if fresh && !self.update { "HIT " } else { "LOCK" };
            writeln!(cx.out, "{verdict} {} {}", source.label, source.reference)?;
        }
        for (_, label) in &gone.images {
            writeln!(cx.out, "DROP {label}")?;
        }
        self.debs.announce(&gone.debs, cx)
    }

    fn write(&self, gone: &GoneEntries, cx: &mut Context) -> Result<(), CliError> {
        let store = project::open_store(cx)?;
        let remote = Remotes::new(self.project, cx)?;
        let reader = Reader { remote: &remote, store: &store };
        let listener = cx.listener();
        let found: Vec<Found<'_>> =
            self.sources.par_iter().map(|source| self.one(source, reader, &*listener, cx)).collect();
        found.iter().for_each(|found| found.tell(&*listener));
        let mut file = self.file().clone();
        let mut report = Report::default();
        self.debs.write(&gone.debs, &mut file, &mut report, cx, &*listener);
        drop(listener);
        store.finish()?;
        for (profile, label) in &gone.images {
            let entries = match profile {
                Some(profile) => file.profiles.entry(profile.clone()).or_default(),
                None => &mut file.pulls,
            };
            report.dropped(label, entries.remove(label));
        }
        file.profiles.retain(|_, entries| !entries.is_empty());
        for found in found {
            let Some(locked) = report.found(&found) else { continue };
            let entries = match &found.source.section {
                Some(profile) => file.profiles.entry(profile.clone()).or_default(),
                None => &mut file.pulls,
            };
            entries.insert(found.source.label.clone(), locked);
        }
        if file != *self.file() {
            self.replace(&file)?;
        }
        report.show(self.project, cx)
    }

    /// One image, and whether its tag has moved where it was kept.
    fn one<'s>(&'s self, source: &'s Source, reader: Reader<'_>, listener: &dyn Listener, cx: &Context) -> Found<'s> {
        let before = self.before(source);
        let wanted = self.wanted(source);
        let fresh = !self.update && before.is_some_and(|before| lock::is_fresh(&wanted, before));
        let step = Step { label: source.label.to_string(), what: "lock" };
        if !fresh {
            listener.event(Event::Started(step.clone()));
        }
        let begin = std::time::Instant::now();
        let told = |bytes| listener.event(Event::Transferred { step: step.clone(), bytes });
        let counted = Counted { remote: reader.remote, told: &told };
        let result = lock::lock(&wanted, before, self.update, Reader { remote: &counted, ..reader });
        match &result {
            _ if fresh => {}
            Ok(locked) => {
                let (step, elapsed, detail) = (step.clone(), begin.elapsed(), locked.digest.to_string());
                listener.event(Event::Finished { step, outcome: Outcome::Ran, elapsed, detail });
            }
            Err(error) => listener.event(Event::Failed { step: step.clone(), message: chain(error) }),
        }
        let warning = if fresh { self.look(source, reader, cx) } else { None };
        Found { source, before, result, warning }
    }

    /// Whether the tag of what is locked names something else by now, as a warning. Nobody is asked with `--offline`.
    fn look(&self, source: &Source, reader: Reader<'_>, cx: &Context) -> Option<String> {
        let locked = self.before(source).filter(|_| !cx.globals.offline)?;
        let (label, image, digest) = (&source.label, &source.reference, locked.digest);
        match lock::current(&self.wanted(source), reader) {
            Ok(None) => None,
            Ok(Some(now)) if now == digest => None,
            Ok(Some(now)) => {
                let update = source.command().replacen("lock", "lock --update", 1);
                Some(format!(
                    "{label}: {image} names {now} now; {FILE_NAME} keeps {digest}, `{update}` takes the new one"
                ))
            }
            Err(error) => Some(format!("{label}: cannot tell whether {image} has moved: {error}")),
        }
    }

    /// The old file stands until the new one is whole.
    fn replace(&self, file: &LockFile) -> Result<(), CliError> {
        let root = self.project.root();
        let failed = |error: &std::io::Error| CliError::io(format!("cannot write {}", root.join(FILE_NAME)), error);
        let mut temporary = tempfile::NamedTempFile::new_in(root).map_err(|error| failed(&error))?;
        temporary.write_all(file.to_text().as_bytes()).map_err(|error| failed(&error))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        temporary.as_file().set_permissions(mode).map_err(|error| failed(&error))?;
        temporary.as_file().sync_all().map_err(|error| failed(&error))?;
        temporary.persist(root.join(FILE_NAME)).map(drop).map_err(|error| failed(&error.error))
    }
}
