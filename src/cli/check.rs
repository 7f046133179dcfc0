//! `check`: runs image tests: a row each on stdout. Builds what they look at, pushes and deploys nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::context::Context;
use super::error::CliError;
use super::patterns::{self, ListedPatterns};
use super::project::{Project, Selected};
use super::work::{Results, Work};
use super::{checks, dry_run, project};
use crate::build::error::BuildError;
use crate::digest::Digest;
use crate::event::{Event, Listener, Step};
use crate::graph::TargetId;
use crate::image_test::Finding;
use crate::reason::reason;
use crate::store::Store;
use crate::ui::check_report::{self, Fault, Row, Verdict};

/// Run image tests; builds what they look at, pushes nothing. Prints a row a check; ends with 3 where one failed
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to check: tests by label; wildcards take all tests that there are.
    #[command(flatten)]
    pub patterns: ListedPatterns,
    /// How to show what became of them. Default: table; with --json: json
    #[arg(long, value_enum)]
    pub output: Option<Output>,
}

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Columns for people.
    Table,
    /// An array of objects, with every finding.
    Json,
    /// JUnit's XML, for CI.
    Junit,
}

/// Checks what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let Some((patterns, listed)) = args.patterns.all(cx)? else { return Ok(()) };
    let mut project = project::open(&patterns, cx)?;
    project.listed = listed;
    let mut selected = project.select(cx)?;
    checks::only(&project, &mut selected)?;
    if listed && selected.targets.is_empty() {
        patterns::nothing_to_do(cx);
        return Ok(());
    }
    let store = project::open_store(cx)?;
    check(&project, &selected, &store, args.output, cx)?;
    Ok(store.finish()?)
}

/// Runs a selection of checks alone, all of them whatever fails.
pub fn check(
    project: &Project,
    selected: &Selected<'_>,
    store: &Store,
    output: Option<Output>,
    cx: &mut Context,
) -> Result<(), CliError> {
    let lowered = project.lower(selected, store, cx)?;
    let work = Work::new(project, selected, &lowered, store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    cx.globals.keep_going = true;
    let listener = cx.listener();
    let timed = Timed { to: &*listener, times: Mutex::default() };
    let (results, error) = work.build(cx, &timed)?;
    let rows: Vec<Row> = selected.targets.iter().map(|target| row(*target, &work, &results, &timed)).collect();
    timed.to.event(Event::Done(closing(&rows, &results)));
    drop(listener);
    match output.unwrap_or(if cx.globals.json { Output::Json } else { Output::Table }) {
        Output::Table => check_report::table(&rows, &mut cx.out)?,
        Output::Json => check_report::json(&rows, &mut cx.out)?,
        Output::Junit => check_report::junit(&rows, &mut cx.out)?,
    }
    error.map_or(Ok(()), Err)
}

fn closing(rows: &[Row], results: &Results) -> crate::event::Summary {
    let count = |verdicts: &[Verdict]| rows.iter().filter(|row| verdicts.contains(&row.verdict)).count();
    let mut summary = results.closing("passed", count(&[Verdict::Passed]), count(&[Verdict::Cached]));
    summary.failed = count(&[Verdict::Failed, Verdict::Error]);
    summary.skipped = count(&[Verdict::Skipped]);
    summary
}

fn row(target: TargetId, work: &Work<'_>, results: &Results, timed: &Timed<'_>) -> Row {
    let declared = work.selected.graph.target(target);
    let (label, elapsed) = (declared.label.to_string(), timed.of(&declared.label.to_string()));
    let id = work.lowered.action(target);
    let failure = id.and_then(|id| results.failure(id));
    let output = id.and_then(|id| results.output(id));
    let (verdict, detail, findings) = match (output, failure) {
        (Some(output), _) if elapsed.is_some() => (Verdict::Passed, output.digest().to_string(), Vec::new()),
        (Some(output), _) => (Verdict::Cached, output.digest().to_string(), Vec::new()),
        (None, Some(BuildError::Test { findings, .. })) => (Verdict::Failed, summed_up(findings), faults(findings)),
        (None, Some(error)) => (Verdict::Error, reason(error), Vec::new()),
        (None, None) => (Verdict::Skipped, "what it looks at could not be built".to_owned(), Vec::new()),
    };
    Row { label, rule: declared.rule.name, verdict, elapsed, detail, findings }
}

fn summed_up(findings: &[Finding]) -> String {
    let first = findings.first().map(|finding| format!("{}: {finding}", finding.attribute)).unwrap_or_default();
    match findings.len() {
        0 | 1 => first,
        more => format!("{first}, and {} more", more - 1),
    }
}

fn faults(findings: &[Finding]) -> Vec<Fault> {
    let fault = |finding: &Finding| Fault {
        attribute: finding.attribute.to_owned(),
        about: finding.about.clone(),
        expected: finding.expected.clone(),
        found: finding.found.clone(),
        from: finding.layer.clone(),
        text: format!("{}: {finding}", finding.attribute),
    };
    findings.iter().map(fault).collect()
}

/// Hands events on, and notes how long each test took that ran.
struct Timed<'a> {
    to: &'a dyn Listener,
    times: Mutex<HashMap<String, Time>>,
}

enum Time {
    Began(Instant),
    Took(Duration),
}

impl Timed<'_> {
    fn of(&self, label: &str) -> Option<Duration> {
        match self.times.lock().unwrap_or_else(PoisonError::into_inner).get(label)? {
            Time::Took(time) => Some(*time),
            Time::Began(_) => None,
        }
    }
}

impl Listener for Timed<'_> {
    fn event(&self, event: Event) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match &event {
            Event::Started(step) => _ = times.insert(step.label.clone(), Time::Began(Instant::now())),
            Event::Finished { step, .. } | Event::Failed { step, .. } => {
                if let Some(time) = times.get_mut(&step.label)
                    && let Time::Began(began) = time
                {
                    *time = Time::Took(began.elapsed());
                }
            }
            _ => {}
        }
        drop(times);
        self.to.event(event);
    }

    fn keyed(&self, step: &Step, key: &Digest, before: Option<&Digest>) {
        self.to.keyed(step, key, before);
    }
}
