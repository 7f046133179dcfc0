//! The Debian packages of `lock`: which targets ask for some, and what becomes of their entries.

use std::collections::BTreeMap;
use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::lock_report::Report;
use super::machine;
use super::project::{Project, Selected};
use crate::diagnostic::Diagnostic;
use crate::event::{Event, Listener, Outcome, Step};
use crate::exit::Exit;
use crate::label::Label;
use crate::lock::debs::{self, LockDebsError, WantedDebs};
use crate::plan::lower::debs as debs_of;
use crate::platform::Platform;
use crate::rules::Defaults;
use crate::rules::debs_source::{Locked, Source};
use crate::workspace::lock_debs::{LockedDeb, LockedDebs};
use crate::workspace::lock_file::{FILE_NAME, LockFile};

/// All targets that ask for packages.
pub struct Debs<'a> {
    project: &'a Project,
    sources: Vec<Source>,
    update: bool,
}

impl<'a> Debs<'a> {
    /// Those that are selected and all that they need.
    pub fn of(
        project: &'a Project,
        selected: &Selected<'_>,
        defaults: &Defaults,
        update: bool,
    ) -> Result<Debs<'a>, CliError> {
        let graph = &selected.graph;
        let (mut sources, mut errors) = (Vec::new(), Vec::new());
        let closure = graph.closure(selected.targets.iter().copied()).into_iter().map(|id| graph.target(id));
        for target in closure.filter(|target| project.is_own(target)) {
            match debs_of(graph, target, defaults) {
                Ok(source) => sources.extend(source),
                Err(found) => errors.extend(found),
            }
        }
        // What stands on another rests on more than that does.
        sources.sort_by_key(|source: &Source| (source.below.len(), source.label.clone()));
        if errors.is_empty() {
            Ok(Debs { project, sources, update })
        } else {
            Err(project.diagnosed(Exit::Usage, &errors))
        }
    }

    fn file(&self) -> &LockFile {
        &self.project.workspace.lock
    }

    fn is_fresh(&self, source: &Source, file: &LockFile) -> bool {
        let wanted = wanted(source, &|label| self.locked(label, file));
        file.debs.get(&source.label).is_some_and(|before| wanted.is_ok_and(|wanted| debs::is_fresh(&wanted, before)))
    }

    /// What is locked, in a file that is being written, or by another workspace.
    fn locked<'l>(&'l self, label: &Label, file: &'l LockFile) -> Option<&'l LockedDebs> {
        match label.package.external() {
            Some(_) => self.project.workspace.locked_debs(label),
            None => file.debs.get(label),
        }
    }

    /// Entries that no target of the workspace asks for.
    pub fn gone(&self, selected: &Selected<'_>) -> Vec<Label> {
        let is_debs = |label: &&Label| {
            let target = selected.graph.id(label).map(|id| selected.graph.target(id));
            target.is_some_and(|target| target.rule.name == "debs")
        };
        self.file().debs.keys().filter(|label| !is_debs(label)).cloned().collect()
    }

    /// Whatever a build would complain about.
    pub fn check(&self, gone: &[Label]) -> Vec<Diagnostic> {
        let locked = |label: &Label| self.locked(label, self.file());
        let judge =
            |source: &Source| source.platforms.iter().find_map(|platform| source.judge(&locked, platform).err());
        let left = gone.iter().map(|label| {
            let diagnostic = Diagnostic::error(format!("{FILE_NAME} has an entry for {label}, which nothing asks for"));
            diagnostic.help("run `layerbuild lock` to drop it")
        });
        self.sources.iter().filter_map(judge).chain(left).collect()
    }

    /// What would be looked up.
    pub fn announce(&self, gone: &[Label], cx: &mut Context) -> Result<(), CliError> {
        for source in &self.sources {
            let verdict = if self.is_fresh(source, self.file()) && !self.update { "HIT " } else { "LOCK" };
            writeln!(cx.out, "{verdict} {} {}", source.label, source.request())?;
        }
        gone.iter().try_for_each(|label| Ok(writeln!(cx.out, "DROP {label}")?))
    }

    /// Looks up what is stale, or everything with `--update`; puts it into the file and the report.
    pub fn write(
        &self,
        gone: &[Label],
        file: &mut LockFile,
        report: &mut Report,
        cx: &Context,
        listener: &dyn Listener,
    ) {
        for label in gone {
            file.debs.remove(label);
            report.line(format!("{label} dropped"));
        }
        let machine = machine::of(self.project, cx);
        for source in &self.sources {
            if self.is_fresh(source, file) && !self.update {
                report.keep();
                continue;
            }
            let step = Step { label: source.label.to_string(), what: "lock" };
            listener.event(Event::Started(step.clone()));
            let begin = std::time::Instant::now();
            let warn = |text| listener.event(Event::Warning(format!("{}: {text}", source.label)));
            let locked = wanted(source, &|label| self.locked(label, file)).and_then(|wanted| {
                debs::lock(&wanted, &machine, &warn)
                    .map_err(|error| Box::new((diagnostic(source, &error), error.is_environment())))
            });
            match locked {
                Ok(now) => {
                    let (elapsed, detail) = (begin.elapsed(), summary(&now));
                    listener.event(Event::Finished { step, outcome: Outcome::Ran, elapsed, detail });
                    tell(&source.label, file.debs.get(&source.label), &now, report);
                    file.debs.insert(source.label.clone(), now);
                }
                Err(error) => {
                    listener.event(Event::Failed { step, message: error.0.message.clone() });
                    report.fail(error.0, error.1);
                }
            }
        }
    }
}

/// What is to be locked, over what is locked of the layers below; or that one of these isn't, and whether the machine is to
/// blame.
fn wanted(source: &Source, locked: &Locked<'_>) -> Result<WantedDebs, Box<(Diagnostic, bool)>> {
    let below = source.below(locked).map_err(|label| {
        let diagnostic = Diagnostic::error(format!("{} can't be locked: {label} below it is not", source.label));
        Box::new((diagnostic.at(source.span, ""), false))
    })?;
    let layers: Vec<&LockedDebs> = source.below.iter().filter_map(locked).collect();
    let present = |platform: &Platform| -> Vec<LockedDeb> {
        layers.iter().filter_map(|layer| layer.platforms.get(platform)).flatten().cloned().collect()
    };
    let missing = source.below.iter().zip(&layers).find_map(|(label, layer)| {
        let platform = source.platforms.iter().find(|platform| !layer.platforms.contains_key(platform))?;
        Some(format!("{} can't be locked: {label} below it is not locked for {platform}", source.label))
    });
    if let Some(message) = missing {
        let diagnostic = Diagnostic::error(message).at(source.span, "").help("add it to that layer's `platforms`");
        return Err(Box::new((diagnostic, false)));
    }
    Ok(WantedDebs {
        request: source.request(),
        packages: source.packages.clone(),
        source: source.source.clone(),
        essential: source.essential,
        recommends: source.recommends,
        exclude: source.exclude.iter().cloned().collect(),
        below,
        present: source.platforms.iter().map(|platform| (platform.clone(), present(platform))).collect(),
        platforms: source.platforms.iter().cloned().collect(),
    })
}

fn diagnostic(source: &Source, error: &LockDebsError) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("{} can't be locked: {error}", source.label)).at(source.span, "");
    error.hint().into_iter().fold(diagnostic, Diagnostic::help)
}

/// A line for a new entry, or one for each package that is another.
fn tell(label: &Label, before: Option<&LockedDebs>, now: &LockedDebs, report: &mut Report) {
    let Some(before) = before else { return report.line(format!("{label} {}", summary(now))) };
    if before == now {
        return report.keep();
    }
    for (platform, debs) in &now.platforms {
        let old = by_name(before.platforms.get(platform).map_or(&[], Vec::as_slice));
        let new = by_name(debs);
        for (name, deb) in &new {
            match old.get(name) {
                Some(old) if old.version == deb.version => {}
                Some(old) => report.line(format!("{label} {name} {} → {}", old.version, deb.version)),
                None => report.line(format!("{label} {name} {}", deb.version)),
            }
        }
        let dropped = old.iter().filter(|(name, _)| !new.contains_key(*name));
        dropped.for_each(|(name, deb)| report.line(format!("{label} {name} {} dropped", deb.version)));
    }
}

fn by_name(debs: &[LockedDeb]) -> BTreeMap<&str, &LockedDeb> {
    debs.iter().map(|deb| (deb.name.as_str(), deb)).collect()
}

fn summary(locked: &LockedDebs) -> String {
    let all: Vec<&LockedDeb> = locked.platforms.values().flatten().collect();
    let size: u64 = all.iter().map(|deb| deb.size).sum();
    format!("{} packages, {:.1} MB", all.len(), size as f64 / 1e6)
}
