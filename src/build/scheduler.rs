//! Decides which action runs when: as soon as its inputs are built, several at a time, big ones first.
//!
//! Each action is in one `Phase`; `Board::set` makes every change of phase and keeps all counters. Before an action
//! runs, its key is asked for once more: an input that came out as before makes it a hit (early cut-off).

use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::critical_path::critical_path;
use super::error::BuildError;
use super::probe::State;
use super::recall::{elsewhere, recall};
use super::upstream::Upstream;
use super::{
    Workshop, bring, cargo, debs, exec, fetch, files, image, image_test, index, pull, run as run_commands, tar,
};
use crate::action::key;
use crate::action::record::{Output, Record};
use crate::action::{Action, ActionGraph, ActionId, Archive, FileKind, Operation};
use crate::event::{Event, Listener, Outcome, Step};
use crate::reason::chain;

/// How a build is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Actions that run at once.
    pub jobs: NonZeroUsize,
    /// After a failure, go on with all that doesn't depend on it.
    pub keep_going: bool,
}

/// An action that failed.
#[derive(Debug)]
pub struct Failure {
    /// Which.
    pub id: ActionId,
    /// Why.
    pub error: BuildError,
}

/// What came of a build.
#[derive(Debug, Default)]
pub struct Built {
    /// By action; `None` for what failed or could not be tried.
    pub outputs: Vec<Option<Output>>,
    /// The key of each action that has an output and ran or was looked up in this build.
    pub keys: Vec<Option<crate::digest::Digest>>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// What could not be tried, and the action that failed before it.
    pub skipped: Vec<(ActionId, ActionId)>,
    /// How many actions ran.
    pub ran: usize,
    /// The chain of actions that took longest, first to last, with the time of each.
    pub critical_path: Vec<(ActionId, Duration)>,
    /// By action, how long it took; zero for what did not run. Empty where nothing did.
    pub times: Vec<Duration>,
}

/// Builds every action that the plan has no result for.
pub fn run(
    graph: &ActionGraph,
    states: Vec<State>,
    options: Options,
    shop: &Workshop<'_>,
    listener: &dyn Listener,
) -> Built {
    let board = Board::new(graph, states);
    let shared = Shared { graph, board: Mutex::new(board), changed: Condvar::new(), options, shop, listener };
    let open = shared.lock().open;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get().min(open) {
            scope.spawn(|| shared.work());
        }
    });
    shared.board.into_inner().unwrap_or_else(PoisonError::into_inner).finish(graph)
}

/// Where an action stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Some inputs aren't built: how many.
    Waiting(usize),
    /// All inputs are built; it is in the queue.
    Ready,
    /// A worker has it.
    Running,
    /// It has an output.
    Done(Output),
    /// It failed.
    Failed,
    /// An input failed: the first that did.
    Skipped(ActionId),
}

struct Board {
    phases: Vec<Phase>,
    keys: Vec<Option<crate::digest::Digest>>,
    dependants: Vec<Vec<ActionId>>,
    queue: BinaryHeap<(u64, std::cmp::Reverse<ActionId>)>,
    weights: Vec<u64>,
    times: Vec<Duration>,
    /// Actions that are neither done nor failed nor skipped.
    open: usize,
    ran: usize,
    stopped: bool,
    failures: Vec<Failure>,
}

impl Board {
    fn new(graph: &ActionGraph, states: Vec<State>) -> Board {
        let count = graph.actions.len();
        let mut board = Board {
            phases: Vec::with_capacity(count),
            keys: states.iter().map(State::key).collect(),
            dependants: vec![Vec::new(); count],
            queue: BinaryHeap::new(),
            weights: vec![0; count],
            times: vec![Duration::ZERO; count],
            open: 0,
            ran: 0,
            stopped: false,
            failures: Vec::new(),
        };
        board.phases.extend(states.into_iter().map(|state| match state {
            State::Hit { output, .. } => Phase::Done(output),
            State::Run { .. } | State::Waits => Phase::Waiting(0),
        }));
        for id in graph.ids() {
            if board.phases[id.index()] == Phase::Waiting(0) {
                board.admit(id, graph.get(id));
            }
        }
        board
    }

    fn admit(&mut self, id: ActionId, action: &Action) {
        self.open += 1;
        self.weights[id.index()] = weight(&action.operation);
        let inputs = action.operation.inputs();
        let missing: Vec<_> = inputs.into_iter().filter(|input| self.output(*input).is_none()).collect();
        for input in &missing {
            self.dependants[input.index()].push(id);
        }
        self.set(id, if missing.is_empty() { Phase::Ready } else { Phase::Waiting(missing.len()) });
    }

    /// Every change of phase.
    fn set(&mut self, id: ActionId, phase: Phase) {
        match &phase {
            Phase::Ready => self.queue.push((self.weights[id.index()], std::cmp::Reverse(id))),
            Phase::Done(_) | Phase::Failed | Phase::Skipped(_) => self.open -= 1,
            Phase::Waiting(_) | Phase::Running => {}
        }
        self.phases[id.index()] = phase;
    }

    fn finish_one(&mut self, id: ActionId, output: Output) {
        self.set(id, Phase::Done(output));
        for dependant in self.dependants[id.index()].clone() {
            match self.phases[dependant.index()] {
                Phase::Waiting(1) => self.set(dependant, Phase::Ready),
                Phase::Waiting(missing) => self.set(dependant, Phase::Waiting(missing - 1)),
                _ => {}
            }
        }
    }

    /// Gives what can't be tried any more.
    fn fail_one(&mut self, id: ActionId, error: BuildError) -> Vec<ActionId> {
        self.set(id, Phase::Failed);
        self.failures.push(Failure { id, error });
        let mut skipped = Vec::new();
        let mut stack = self.dependants[id.index()].clone();
        while let Some(next) = stack.pop() {
            if matches!(self.phases[next.index()], Phase::Waiting(_)) {
                self.set(next, Phase::Skipped(id));
                skipped.push(next);
                stack.extend(self.dependants[next.index()].iter().copied());
            }
        }
        skipped
    }

    fn finish(self, graph: &ActionGraph) -> Built {
        let critical_path = critical_path(graph, &self.times);
        let skipped = self.phases.iter().enumerate().filter_map(|(index, phase)| match phase {
            Phase::Skipped(because) => Some((ActionId(index as u32), *because)),
            _ => None,
        });
        Built {
            skipped: skipped.collect(),
            outputs: self
                .phases
                .into_iter()
                .map(|phase| if let Phase::Done(output) = phase { Some(output) } else { None })
                .collect(),
            keys: self.keys,
            failures: self.failures,
            ran: self.ran,
            critical_path,
            times: self.times,
        }
    }
}

impl Board {
    fn output(&self, id: ActionId) -> Option<&Output> {
        match &self.phases[id.index()] {
            Phase::Done(output) => Some(output),
            _ => None,
        }
    }
}

/// Bytes of sources: the biggest action starts first, so that it isn't what all wait for in the end.
fn weight(operation: &Operation) -> u64 {
    match operation {
        Operation::Files(layer) => layer
            .entries
            .values()
            .map(|entry| match &entry.kind {
                FileKind::Source(source) => source.size,
                _ => 0,
            })
            .sum(),
        Operation::Tar(layer) => match &layer.archive {
            Archive::Source(source) => source.size,
            Archive::Fetched(_) => 0,
        },
        Operation::Fetch(_) | Operation::Debs(_) | Operation::Run(_) | Operation::Exec(_) | Operation::Cargo(_) => {
            u64::MAX
        }
        Operation::Image(_)
        | Operation::Index(_)
        | Operation::Pull(_)
        | Operation::Local(_)
        | Operation::ImageTest(_) => 0,
    }
}

struct Shared<'a> {
    graph: &'a ActionGraph,
    board: Mutex<Board>,
    changed: Condvar,
    options: Options,
    shop: &'a Workshop<'a>,
    listener: &'a dyn Listener,
}

impl Shared<'_> {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker: takes actions until none is left.
    fn work(&self) {
        while let Some((id, inputs)) = self.next() {
            let start = Instant::now();
            let step = self.step(id);
            let result = self.perform(id, &inputs, &step);
            let elapsed = start.elapsed();
            self.settle(id, step, result, elapsed);
            self.changed.notify_all();
        }
    }

    /// The next ready action with what it stands on; waits for one. `None` when there will be none.
    fn next(&self) -> Option<(ActionId, Upstream)> {
        let mut board = self.lock();
        loop {
            if board.open == 0 || board.stopped {
                return None;
            }
            if let Some((_, std::cmp::Reverse(id))) = board.queue.pop() {
                board.set(id, Phase::Running);
                return Some((id, Upstream::gather(id, self.graph, |id| board.output(id))));
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn perform(
        &self,
        id: ActionId,
        inputs: &Upstream,
        step: &Step,
    ) -> Result<(Output, Outcome, crate::digest::Digest), BuildError> {
        let action = self.graph.get(id);
        let known = self.lock().keys[id.index()];
        let key = known.or_else(|| key::key(action, inputs)).expect("an action is ready when its inputs are built");
        let caches = (self.shop.store, self.shop.shared);
        if let (Some(output), _) = elsewhere(recall(&key, self.shop.store)?, &key, action, inputs, caches)? {
            return Ok((output, Outcome::Cached, key));
        }
        self.listener.event(Event::Started(step.clone()));
        let start = Instant::now();
        bring(action, inputs, self.shop)?;
        let told = |line: &str| self.listener.event(Event::Printed { step: step.clone(), line: line.to_owned() });
        let output = execute(action, inputs, self.shop, self.listener, &told)?;
        let components = key::components(action, inputs).expect("the key was made of the same inputs");
        let record = Record { output, components, shared: None, elapsed: Some(start.elapsed()) };
        crate::store::Cache::put(self.shop.store.actions(), &key, &record.encode())?;
        Ok((record.output, Outcome::Ran, key))
    }

    fn settle(
        &self,
        id: ActionId,
        step: Step,
        result: Result<(Output, Outcome, crate::digest::Digest), BuildError>,
        elapsed: Duration,
    ) {
        let mut board = self.lock();
        match result {
            Ok((output, outcome, key)) => {
                board.keys[id.index()] = Some(key);
                if outcome == Outcome::Ran {
                    board.ran += 1;
                    board.times[id.index()] = elapsed.max(Duration::from_nanos(1));
                }
                let detail = detail(&output);
                board.finish_one(id, output);
                drop(board);
                self.listener.event(Event::Finished { step, outcome, elapsed, detail });
            }
            Err(error) => {
                let message = chain(&error);
                let error = if self.listener.shows_lines() { error.without_lines() } else { error };
                // Whoever called mends the store and builds once more: nothing has failed yet.
                let lost = error.damaged().is_some();
                let skipped = board.fail_one(id, error);
                board.stopped |= !self.options.keep_going;
                drop(board);
                if lost {
                    return;
                }
                let because_of = step.label.clone();
                self.listener.event(Event::Failed { step, message });
                for id in skipped {
                    self.listener.event(Event::Skipped { step: self.step(id), because_of: because_of.clone() });
                }
            }
        }
    }

    fn step(&self, id: ActionId) -> Step {
        let action = self.graph.get(id);
        Step { label: action.name(), what: action.operation.name() }
    }
}

fn detail(output: &Output) -> String {
    output.digest().to_string()
}

/// Brings a large input into the store that only a shared cache has and that the action reads. Layers that commands run over
/// are brought where they are laid out.
fn bring(action: &Action, inputs: &Upstream, shop: &Workshop<'_>) -> Result<(), BuildError> {
    let (Operation::Tar(_), Some(Output::File(blob))) = (&action.operation, inputs.first()) else { return Ok(()) };
    bring::bring(blob.digest, blob.size, None, shop)
}

fn execute(
    action: &Action,
    inputs: &Upstream,
    shop: &Workshop<'_>,
    listener: &dyn Listener,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Output, BuildError> {
    match &action.operation {
        Operation::Files(layer) => files::run(&action.label, layer, shop),
        Operation::Tar(layer) => tar::run(&action.label, layer, inputs.first(), shop),
        Operation::Fetch(fetch) => fetch::run(fetch, shop),
        Operation::Image(image) => image::run(image, &inputs.parts(image), shop),
        Operation::Pull(pull) => pull::run(pull, shop),
        Operation::Local(local) => Err(BuildError::LocalGone { output: local.output.digest() }),
        Operation::Index(index) => index::run(index, &inputs.images(), shop),
        Operation::Debs(layer) => debs::run(&action.label, layer, shop, listener),
        Operation::Run(run) => run_commands::run(&action.label, run, inputs, shop, told),
        Operation::Cargo(cargo) => cargo::run(&action.label, cargo, inputs, shop, told),
        Operation::Exec(exec) => exec::run(&action.label, exec, inputs, shop, told),
        Operation::ImageTest(test) => image_test::run(test, inputs, shop),
    }
}
