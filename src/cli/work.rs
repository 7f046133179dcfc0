//! Building, as every verb that needs results does it: probe, dry run or run, notes for `explain`, the closing line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use super::as_built;
use super::build_record::Recorded;
use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use super::machine;
use super::project::{Project, Selected};
use super::remote::Remotes;
use super::shared::{self, Finished};
use crate::action::record::{Blob, Output};
use crate::action::{ActionId, Operation};
use crate::build::error::BuildError;
use crate::build::listings::Listings;
use crate::build::probe::{self, State};
use crate::build::scheduler::{self, Built, Failure};
use crate::build::{Workshop, probe::Probed};
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::event::{Event, Listener, Step, Summary};
use crate::exit::Exit;
use crate::graph::TargetId;
use crate::image_test::Finding;
use crate::plan::local;
use crate::plan::lower::Lowered;
use crate::reason::chain;
use crate::reference::Repository;
use crate::sandbox::host::Sandbox;
use crate::shared::cache::SharedCache;
use crate::store::Store;
use crate::workspace::Target;

/// Results of a build, by target.
pub struct Results {
    outputs: Vec<Option<Output>>,
    failures: Vec<Failure>,
    /// How many actions ran, for verbs that say what they did.
    pub summary: Summary,
    began: Instant,
}

impl Results {
    /// What an action gave; `None` where it failed.
    pub fn output(&self, id: ActionId) -> Option<&Output> {
        self.outputs[id.index()].as_ref()
    }

    /// Why an action failed; `None` for one that did not, or was not tried.
    pub fn failure(&self, id: ActionId) -> Option<&BuildError> {
        self.failures.iter().find(|failure| failure.id == id).map(|failure| &failure.error)
    }

    /// Everything that there is.
    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter().flatten()
    }

    /// The closing line of a verb that went on from here: with what it did, and with the time that all of it took.
    pub fn closing(&self, verb: &'static str, ran: usize, cached: usize) -> Summary {
        Summary { verb, ran, cached, elapsed: self.began.elapsed(), ..self.summary.clone() }
    }

    /// What a target gave.
    pub fn of(&self, target: TargetId, lowered: &Lowered) -> Option<&Output> {
        self.output(lowered.action(target)?)
    }
}

/// A build's surroundings.
pub struct Work<'a> {
    /// The workspace.
    pub project: &'a Project,
    /// The targets.
    pub selected: &'a Selected<'a>,
    /// Their actions.
    pub lowered: &'a Lowered,
    /// Where results are kept.
    pub store: &'a Store,
    /// What other machines built.
    pub shared: SharedCache<'a>,
    /// Where results are written to, for other machines; `None`: nowhere.
    pub cache_to: Option<Repository>,
}

impl<'a> Work<'a> {
    /// The building of targets; in a dry run, nothing that other machines built is kept.
    pub fn new(
        project: &'a Project,
        selected: &'a Selected<'a>,
        lowered: &'a Lowered,
        store: &'a Store,
        cx: &Context,
    ) -> Result<Work<'a>, CliError> {
        Work::over(project, selected, (lowered, store), !cx.globals.dry_run, cx)
    }

    /// The same for a verb that builds nothing.
    pub fn looking(
        project: &'a Project,
        selected: &'a Selected<'a>,
        lowered: &'a Lowered,
        store: &'a Store,
        cx: &Context,
    ) -> Result<Work<'a>, CliError> {
        Work::over(project, selected, (lowered, store), false, cx)
    }

    fn over(
        project: &'a Project,
        selected: &'a Selected<'a>,
        (lowered, store): (&'a Lowered, &'a Store),
        keep: bool,
        cx: &Context,
    ) -> Result<Work<'a>, CliError> {
        let (shared, cache_to) = (shared::open(project, store, keep, cx)?, shared::written_to(project, cx));
        Ok(Work { project, selected, lowered, store, shared, cache_to })
    }
}

impl Work<'_> {
    /// What is known before anything runs; damage is told.
    pub fn probe(&self, listener: &dyn Listener) -> Result<Vec<State>, CliError> {
        let Probed { states, warnings } = probe::probe(&self.lowered.graph, self.store, &self.shared)?;
        warnings.into_iter().for_each(|warning| listener.event(Event::Warning(warning)));
        tell_damage(self.store, listener);
        Ok(states)
    }

    /// Builds whatever is missing. With `--keep-going`, an error comes with all results that there are. What turns out
    /// damaged in the store on the way is removed, and the build begun once more.
    pub fn build(&self, cx: &Context, listener: &dyn Listener) -> Result<(Results, Option<CliError>), CliError> {
        let start = Instant::now();
        let states = self.probe(listener)?;
        self.tell_plan(&states, cx, listener);
        let actions = states.len();
        let mut built = self.run(states, cx, listener)?;
        if self.remove_damaged(&built.failures)? {
            built = self.run(self.probe(listener)?, cx, listener)?;
        }
        self.note(&built, listener)?;
        if let Some(to) = &self.cache_to {
            let (project, graph, shared) = (self.project, &self.lowered.graph, &self.shared);
            Finished { project, graph, built: &built, store: self.store, shared }.write(to, cx, listener)?;
        }
        self.shared.take_warnings().into_iter().for_each(|warning| listener.event(Event::Warning(warning)));
        tell_damage(self.store, listener);
        let summary = self.summary(&built, actions, start);
        let error = self.failed(&built.failures).or(self.record(&built, cx, listener).err());
        Ok((Results { outputs: built.outputs, failures: built.failures, summary, began: start }, error))
    }

    /// Writes the record for other machines, where one is asked for.
    fn record(&self, built: &Built, cx: &Context, listener: &dyn Listener) -> Result<(), CliError> {
        let Some(place) = &cx.globals.record else { return Ok(()) };
        let (project, graph, store) = (self.project, &self.lowered.graph, self.store);
        Recorded { project, graph, built, store }.write(place, cx, listener)
    }

    fn tell_plan(&self, states: &[State], cx: &Context, listener: &dyn Listener) {
        self.warn_of_the_host(states, listener);
        let hits = states.iter().filter(|state| state.output().is_some()).count();
        listener.event(Event::Planned { actions: states.len(), cached: hits });
        if cx.globals.verbosity != Verbosity::Verbose && !cx.globals.json {
            return;
        }
        for id in self.lowered.graph.ids() {
            let Some(output) = states[id.index()].output() else { continue };
            let action = self.lowered.graph.get(id);
            let step = Step { label: action.name(), what: action.operation.name() };
            listener.event(Event::Known { step, detail: output.digest().to_string() });
        }
    }

    /// One warning for all that will run without a sandbox.
    fn warn_of_the_host(&self, states: &[State], listener: &dyn Listener) {
        let graph = &self.lowered.graph;
        let runs = |id: &ActionId| states[id.index()].output().is_none() && !graph.get(*id).operation.is_portable();
        let labels: Vec<String> = graph.ids().filter(runs).map(|id| graph.get(id).name()).collect();
        if !labels.is_empty() {
            let text = "on this host and not in a sandbox: another machine may get something else";
            listener.event(Event::Warning(format!("{} runs {text}", labels.join(", "))));
        }
    }

    /// Whether an action failed because of a damaged blob, which is gone then.
    fn remove_damaged(&self, failures: &[Failure]) -> Result<bool, CliError> {
        let damaged: Vec<_> = failures.iter().filter_map(|failure| failure.error.damaged()).collect();
        damaged.iter().for_each(|digest| self.shared.distrust(digest, "it was damaged"));
        damaged.iter().try_for_each(|digest| self.store.blobs().remove_corrupt(digest))?;
        Ok(!damaged.is_empty())
    }

    fn run(&self, states: Vec<State>, cx: &Context, listener: &dyn Listener) -> Result<Built, CliError> {
        if states.iter().all(|state| state.output().is_some()) {
            return Ok(done(states));
        }
        let options = scheduler::Options { jobs: cx.globals.jobs, keep_going: cx.globals.keep_going };
        let built =
            self.in_shop(cx, |shop| Ok(scheduler::run(&self.lowered.graph, states, options, shop, listener)))?;
        self.store.actions().flush()?;
        Ok(built)
    }

    /// Does something with all that actions work with.
    pub fn in_shop<T>(
        &self,
        cx: &Context,
        work: impl FnOnce(&Workshop<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let workers = rayon::ThreadPoolBuilder::new().num_threads(cx.globals.jobs.get()).build();
        let workers = workers.map_err(|error| CliError::environment(format!("cannot start threads: {error}")))?;
        let (remote, listings) = (Remotes::new(self.project, cx)?, Listings::default());
        let (root, store, offline) = (self.project.root(), self.store, cx.globals.offline);
        let (sandbox, variable) = (Sandbox::default(), |name: &str| cx.environment.get(name).map(OsStr::to_owned));
        let (shared, machine) = (&self.shared, machine::of(self.project, cx));
        let sources = self.project.workspace.source_root();
        work(&Workshop {
            root,
            sources: &sources,
            store,
            workers: &workers,
            listings: &listings,
            offline,
            remote: &remote,
            shared,
            machine: &machine,
            toolchains: &self.project.toolchains,
            sandbox: &sandbox,
            told: &Mutex::default(),
            variable: &variable,
        })
    }

    /// Builds what one action stands on, and not the action itself.
    pub fn build_below(&self, id: ActionId, cx: &Context, listener: &dyn Listener) -> Result<Results, CliError> {
        let (start, mut states) = (Instant::now(), self.probe(listener)?);
        let nothing = Blob { digest: Digest::of(b""), size: 0 };
        states[id.index()] = State::Hit { key: nothing.digest, output: Output::File(nothing) };
        let actions = states.len();
        let built = self.run(states, cx, listener)?;
        self.failed(&built.failures).map_or(Ok(()), Err)?;
        let summary = self.summary(&built, actions, start);
        Ok(Results { outputs: built.outputs, failures: built.failures, summary, began: start })
    }

    /// Notes which action each target's last build was, for `explain`, for logs, and for whoever takes images as they are.
    fn note(&self, built: &Built, listener: &dyn Listener) -> Result<(), CliError> {
        let last = self.store.last_builds(self.project.root().as_std_path());
        let known = last.load()?;
        let mut names = BTreeMap::new();
        let result = |id: ActionId| Some((built.keys[id.index()]?, built.outputs[id.index()].as_ref()?));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        for id in self.lowered.graph.ids() {
            let (Some(key), Some(_)) = (built.keys[id.index()], &built.outputs[id.index()]) else { continue };
            if matches!(self.lowered.graph.get(id).operation, Operation::Local(_)) {
                continue;
            }
            names.extend(local::note(id, &self.lowered.graph, &result, (self.store, &known, now))?);
            let name = self.lowered.graph.note_name(id);
            if built.ran > 0 {
                let action = self.lowered.graph.get(id);
                let step = Step { label: action.name(), what: action.operation.name() };
                listener.keyed(&step, &key, known.get(&name));
            }
            match known.get(&name) {
                Some(before) if *before == key => {}
                Some(before) => {
                    names.insert(format!("{name} before"), *before);
                    names.insert(name, key);
                }
                None => {
                    names.insert(name, key);
                }
            }
        }
        if !names.is_empty() {
            last.record(names.iter().map(|(name, key)| (name.as_str(), *key)))?;
        }
        Ok(())
    }

    fn summary(&self, built: &Built, actions: usize, start: Instant) -> Summary {
        let label = |id: ActionId| self.lowered.graph.get(id).name();
        Summary {
            verb: "built",
            ran: built.ran,
            cached: actions - built.ran - built.failures.len() - built.skipped.len() - unfinished(built),
            failed: built.failures.len(),
            skipped: built.skipped.len() + unfinished(built),
            elapsed: start.elapsed(),
            critical_path: built.critical_path.iter().map(|(id, time)| (label(*id), *time)).collect(),
        }
    }

    /// Failures as one error, each underlined at its target.
    fn failed(&self, failures: &[Failure]) -> Option<CliError> {
        if failures.is_empty() {
            return None;
        }
        let environment = failures.iter().any(|failure| failure.error.is_environment());
        let exit = match failures.iter().all(|failure| failure.error.is_test()) {
            _ if environment => Exit::Environment,
            true => Exit::Partial,
            false => Exit::Failed,
        };
        let shown: Vec<Diagnostic> = failures.iter().map(|failure| self.diagnostic(failure)).collect();
        Some(self.project.diagnosed(exit, &shown))
    }

    fn diagnostic(&self, failure: &Failure) -> Diagnostic {
        let action = self.lowered.graph.get(failure.id);
        if let (BuildError::Test { image, findings }, Some(id)) =
            (&failure.error, self.selected.graph.id(&action.label))
        {
            return unmet(self.selected.graph.target(id), image, findings);
        }
        let mut diagnostic = Diagnostic::error(format!("{} failed: {}", action.name(), chain(&failure.error)));
        if let Some(target) = self.selected.graph.id(&action.label) {
            let target = self.selected.graph.target(target);
            diagnostic = target.traced(diagnostic.at(target.span, "this target"));
        }
        let advice = as_built::advice(failure, self.lowered, &self.project.workspace);
        failure.error.hint().into_iter().chain(advice).fold(diagnostic, Diagnostic::help)
    }
}

/// A test that failed, each finding at the attribute that asks for it.
pub fn unmet(test: &Target, image: &str, findings: &[Finding]) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(format!("{} failed: {image} is not as expected", test.label));
    for finding in findings {
        let span = test.attributes().key_span(finding.attribute).unwrap_or(test.span);
        diagnostic = match diagnostic.primary {
            None => diagnostic.at(span, finding.to_string()),
            Some(_) => diagnostic.also(span, finding.to_string()),
        };
    }
    diagnostic
}

/// Actions that were neither tried nor skipped: the build stopped before.
fn unfinished(built: &Built) -> usize {
    let open = built.outputs.iter().filter(|output| output.is_none()).count();
    open - built.failures.len() - built.skipped.len()
}

/// Everything was known.
fn done(states: Vec<State>) -> Built {
    let keys = states.iter().map(State::key).collect();
    let output = |state: State| if let State::Hit { output, .. } = state { Some(output) } else { None };
    Built { keys, outputs: states.into_iter().map(output).collect(), ..Built::default() }
}

fn tell_damage(store: &Store, listener: &dyn Listener) {
    for warning in store.take_warnings() {
        listener.event(Event::Warning(warning.to_string()));
    }
}
