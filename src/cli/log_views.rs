//! What `log` says of steps: which ran and why, which failed, which took long; and of all commands, one a row.

use std::io::Write;

use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::explanation::Cause;
use super::log_last::summary;
use super::log_select::{End, Selected};
use super::log_table::{Kind, Output, View, time};
use super::project;
use crate::action::record::Record;
use crate::digest::Digest;
use crate::event_log::critical_path::{Part, parts};
use crate::event_log::{Outcome, Step};
use crate::plan::why;
use crate::store::{Cache, Store};
use crate::ui::text;

/// All commands.
pub fn list(all: &[Selected], output: Output, cx: &mut Context) -> Result<(), CliError> {
    use Kind::{Count, Moment, Seconds, Text};
    let columns = [
        ("id", Text),
        ("begun", Moment),
        ("seconds", Seconds),
        ("ended", Text),
        ("ran", Count),
        ("cached", Count),
        ("command", Text),
    ];
    let row = |selected: &Selected| {
        let log = &selected.log;
        let command = format!("layerbuild {}", log.begun.command.join(" "));
        let (ran, cached) = (log.ran().count(), log.cached());
        let (id, end) = (&selected.id, selected.end.word());
        [json!(id), json!(log.begun.unix), json!(log.until), json!(end), json!(ran), json!(cached), json!(command)]
    };
    View { columns, rows: all.iter().map(row).collect() }.write(output, &mut cx.out)
}

/// Steps that ran, in the order in which they began, and why.
pub fn what_ran(selected: &Selected, output: Output, cx: &mut Context) -> Result<(), CliError> {
    use Kind::{Bytes, Seconds, Text};
    let columns =
        [("label", Text), ("kind", Text), ("start", Seconds), ("seconds", Seconds), ("bytes", Bytes), ("why", Text)];
    let store = if selected.log.ran().any(|step| step.key.is_some()) { Some(project::open_store(cx)?) } else { None };
    let row = |step: &Step| {
        let why = store.as_ref().and_then(|store| why(step, store));
        [json!(step.label), json!(step.what), json!(step.start), json!(step.seconds), json!(step.bytes), json!(why)]
    };
    View { columns, rows: selected.log.ran().map(row).collect() }.write(output, &mut cx.out)
}

/// Why an action ran: the first difference between its key's components and those of the build before. `None` where that is
/// not known, or no longer.
fn why(step: &Step, store: &Store) -> Option<String> {
    let now = Digest::from_hex(step.key.as_deref()?)?;
    let Some(before) = &step.before else { return Cause::New.headline() };
    let before = Digest::from_hex(before)?;
    if before == now {
        return Cause::Gone.headline();
    }
    let record = |key: &Digest| Record::decode(&store.actions().get(key).ok()??).ok();
    let changes = why::changes(&record(&before)?.components, &record(&now)?.components);
    Cause::Changed(changes).headline()
}

/// Steps that failed, what could not be tried, and what was not finished.
pub fn what_failed(selected: &Selected, output: Output, cx: &mut Context) -> Result<(), CliError> {
    let bad = |step: &&Step| !matches!(step.outcome, Outcome::Ran(_) | Outcome::Cached(_));
    let steps: Vec<&Step> = selected.log.steps.iter().filter(bad).collect();
    if output != Output::Text {
        let columns = [
            ("label", Kind::Text),
            ("kind", Kind::Text),
            ("outcome", Kind::Text),
            ("seconds", Kind::Seconds),
            ("detail", Kind::Text),
        ];
        let row = |step: &&Step| {
            [
                json!(step.label),
                json!(step.what),
                json!(step.outcome.word()),
                json!(step.seconds),
                json!(step.outcome.detail()),
            ]
        };
        return View { columns, rows: steps.iter().map(row).collect() }.write(output, &mut cx.out);
    }
    for step in steps {
        let Step { label, what, .. } = step;
        match &step.outcome {
            Outcome::Skipped(label_before) => writeln!(cx.out, "skipped {label} {what} because {label_before} failed")?,
            Outcome::Unfinished => writeln!(cx.out, "unfinished {label} {what} after {}", time(step.seconds))?,
            outcome => {
                writeln!(cx.out, "failed {label} {what} after {}", time(step.seconds))?;
                outcome.detail().lines().try_for_each(|line| writeln!(cx.out, "  {line}"))?;
            }
        }
    }
    if let End::Refused(exit) = selected.end {
        writeln!(cx.out, "refused layerbuild {}, exit code {exit}", selected.log.begun.command.join(" "))?;
    }
    selected.log.message().lines().try_for_each(|line| Ok(writeln!(cx.out, "{line}")?))
}

/// The chain of actions that took longest; its time is the one of the closing line.
pub fn critical_path(selected: &Selected, output: Output, cx: &mut Context) -> Result<(), CliError> {
    let columns = [("label", Kind::Text), ("kind", Kind::Text), ("seconds", Kind::Seconds), ("waited", Kind::Seconds)];
    let parts = parts(&selected.log);
    let row = |part: &Part<'_>| {
        [json!(part.label), json!(part.step.map(|step| &step.what)), json!(part.seconds), json!(part.waited)]
    };
    View { columns, rows: parts.iter().map(row).collect() }.write(output, &mut cx.out)?;
    let Some(done) = selected.log.done.as_ref().filter(|_| output == Output::Text && !parts.is_empty()) else {
        return Ok(());
    };
    let waited = parts.iter().map(|part| part.waited).sum();
    let path = text::critical_path(&summary(done).critical_path);
    let path = path.split_once(':').map_or(&*path, |(head, _)| head).to_owned();
    Ok(writeln!(cx.out, "{path}, and {} of waiting, of {}", time(waited), time(selected.log.until))?)
}

/// The steps that took longest.
pub fn slowest(selected: &Selected, top: usize, output: Output, cx: &mut Context) -> Result<(), CliError> {
    use Kind::{Bytes, Seconds, Text};
    let columns = [("label", Text), ("kind", Text), ("outcome", Text), ("seconds", Seconds), ("bytes", Bytes)];
    let mut steps: Vec<&Step> = selected.log.steps.iter().collect();
    steps.retain(|step| !matches!(step.outcome, Outcome::Skipped(_) | Outcome::Cached(_)));
    steps.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let row = |step: &&Step| {
        [json!(step.label), json!(step.what), json!(step.outcome.word()), json!(step.seconds), json!(step.bytes)]
    };
    View { columns, rows: steps.iter().take(top).map(row).collect() }.write(output, &mut cx.out)
}
