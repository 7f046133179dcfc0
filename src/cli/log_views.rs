//! A log as `log` shows it: what of it, as text, JSON or CSV.
//!
//! A view is rows of values under names: text formats them for people, the others leave them as they are.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::explanation::Cause;
use super::log_select::{End, Selected};
use super::project;
use crate::action::record::Record;
use crate::digest::Digest;
use crate::event::Summary;
use crate::event_log::critical_path::parts;
use crate::event_log::{Done, Outcome, Step};
use crate::oci::timestamp::rfc3339;
use crate::plan::why;
use crate::store::{Cache, Store};
use crate::ui::table::{Align, Table};
use crate::ui::text;

/// How a view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// An array of objects; of `last`, one object.
    Json,
    /// Comma-separated values below their names; of `last`, a line a value.
    Csv,
}

/// How people read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Count,
    Seconds,
    Bytes,
    /// Seconds since 1970.
    Moment,
}

struct View<const N: usize> {
    columns: [(&'static str, Kind); N],
    rows: Vec<[Value; N]>,
}

impl<const N: usize> View<N> {
    fn write(&self, output: Output, to: &mut dyn Write) -> Result<(), CliError> {
        match output {
            Output::Text => self.table().write(to)?,
            Output::Json => {
                let objects: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
                writeln!(to, "{}", Value::from(objects))?;
            }
            Output::Csv => {
                writeln!(to, "{}", self.columns.map(|(name, _)| name).join(","))?;
                self.rows.iter().try_for_each(|row| writeln!(to, "{}", row.each_ref().map(csv).join(",")))?;
            }
        }
        Ok(())
    }

    fn table(&self) -> Table<N> {
        let align = |(_, kind)| if matches!(kind, Kind::Text | Kind::Moment) { Align::Left } else { Align::Right };
        let mut table = Table::new(self.columns.map(align));
        if !self.rows.is_empty() {
            table.row(self.columns.map(|(name, _)| name.to_uppercase()));
        }
        for row in &self.rows {
            table.row(std::array::from_fn(|at| shown(&row[at], self.columns[at].1)));
        }
        table
    }

    fn object(&self, row: &[Value; N]) -> Value {
        let entries = self.columns.iter().zip(row).map(|((name, _), value)| ((*name).to_owned(), value.clone()));
        Value::Object(entries.collect::<Map<_, _>>())
    }
}

fn shown(value: &Value, kind: Kind) -> String {
    let number = value.as_f64();
    match (kind, number) {
        (Kind::Seconds, Some(seconds)) => time(seconds),
        (Kind::Bytes, Some(_)) => value.as_u64().filter(|bytes| *bytes > 0).map_or("-".into(), text::size),
        (Kind::Moment, Some(seconds)) => moment(seconds),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        },
    }
}

fn time(seconds: f64) -> String {
    text::duration(Duration::from_secs_f64(seconds.max(0.0)))
}

fn moment(seconds: f64) -> String {
    rfc3339(seconds as u64).unwrap_or_default()
}

/// As RFC 4180 has it.
fn csv(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

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
        let (ran, cached) = (log.ran().count(), cached(selected));
        let (id, end) = (&selected.id, selected.end.word());
        [json!(id), json!(log.begun.unix), json!(log.until), json!(end), json!(ran), json!(cached), json!(command)]
    };
    View { columns, rows: all.iter().map(row).collect() }.write(output, &mut cx.out)
}

/// Actions that the cache answered, before anything ran or since. What was answered at once has no plan, only figures.
fn cached(selected: &Selected) -> u64 {
    match selected.log.planned {
        Some((_, cached)) => cached + selected.log.cut_off,
        None => selected.log.done.as_ref().map_or(0, |done| done.cached),
    }
}

/// The command, how it ended, and its figures.
pub fn last(selected: &Selected, output: Output, cx: &mut Context) -> Result<(), CliError> {
    let facts = facts(selected);
    match output {
        Output::Text => {
            writeln!(cx.out, "{}: layerbuild {}", selected.id, selected.log.begun.command.join(" "))?;
            let mut table = Table::new([Align::Left; 2]);
            facts_for_people(selected).into_iter().for_each(|(name, text)| table.row([format!("  {name}"), text]));
            table.write(&mut cx.out)?;
        }
        Output::Json => {
            let object: Map<String, Value> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            writeln!(cx.out, "{}", Value::Object(object))?;
        }
        Output::Csv => {
            let rows = facts.into_iter().map(|(name, value)| [json!(name), flat(value)]).collect();
            View { columns: [("name", Kind::Text), ("value", Kind::Text)], rows }.write(output, &mut cx.out)?;
        }
    }
    Ok(())
}

/// A list as one text.
fn flat(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ").into()
        }
        other => other,
    }
}

fn facts(selected: &Selected) -> Vec<(&'static str, Value)> {
    let log = &selected.log;
    let count = |word: &str| log.steps.iter().filter(|step| step.outcome.word() == word).count();
    let critical: f64 =
        log.done.iter().flat_map(|done| &done.critical_path).map(|link| link.seconds).sum::<f64>() + 0.0;
    vec![
        ("id", json!(selected.id)),
        ("command", json!(log.begun.command)),
        ("directory", json!(log.begun.directory)),
        ("profile", json!(log.begun.profile)),
        ("version", json!(log.begun.version)),
        ("begun", json!(moment(log.begun.unix))),
        ("seconds", json!(log.until)),
        ("ended", json!(selected.end.word())),
        ("exit", json!(log.ended.as_ref().map(|ended| ended.exit))),
        ("actions", json!(log.planned.map(|(actions, _)| actions))),
        ("cached", json!(cached(selected))),
        ("ran", json!(count("ran"))),
        ("failed", json!(count("failed"))),
        ("skipped", json!(count("skipped"))),
        ("unfinished", json!(count("unfinished"))),
        ("bytes", json!(log.steps.iter().map(|step| step.bytes).sum::<u64>())),
        ("critical_path_seconds", json!(critical)),
        ("warnings", json!(log.warnings)),
        ("message", json!(message(selected))),
    ]
}

fn facts_for_people(selected: &Selected) -> Vec<(&'static str, String)> {
    let log = &selected.log;
    let place = if log.begun.directory.is_empty() { String::new() } else { format!(", in {}", log.begun.directory) };
    let profile = log.begun.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    let mut facts = vec![
        ("begun", format!("{}{place}{profile}, {} jobs", moment(log.begun.unix), log.begun.jobs)),
        ("ended", ending(selected)),
    ];
    if let Some((actions, _)) = log.planned.filter(|(actions, _)| *actions > 0) {
        let cached = cached(selected);
        facts.push(("cached", format!("{cached} of {actions} actions ({} %)", cached * 100 / actions)));
    }
    facts.extend(log.done.as_ref().map(|done| ("figures", text::closing(&summary(done)))));
    let open: Vec<&str> =
        log.steps.iter().filter(|step| step.outcome == Outcome::Unfinished).map(|step| &*step.label).collect();
    if !open.is_empty() {
        facts.push(("unfinished", open.join(", ")));
    }
    let bytes = log.steps.iter().map(|step| step.bytes).sum();
    if bytes > 0 {
        facts.push(("moved", text::size(bytes)));
    }
    facts.extend(log.warnings.iter().map(|warning| ("warning", warning.clone())));
    if log.cut {
        facts.push(("cut", "it was too long: events are missing".to_owned()));
    }
    let message = message(selected);
    facts.extend(message.lines().map(|line| ("error", line.to_owned())));
    facts
}

/// What was told of the failure, where no step says it.
fn message(selected: &Selected) -> &str {
    let by_step = selected.log.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(_)));
    selected.log.ended.as_ref().filter(|_| !by_step).map_or("", |ended| &ended.message)
}

fn ending(selected: &Selected) -> String {
    let took = time(selected.log.until);
    match selected.end {
        End::Failed(exit) => format!("failed, exit code {exit}, after {took}"),
        End::Killed => format!("killed, or crashed, after {took} or more"),
        End::Running => format!("not yet; last heard of after {took}"),
        end => format!("{}, after {took}", end.word()),
    }
}

/// The closing line's figures, as it takes them.
fn summary(done: &Done) -> Summary {
    const VERBS: [&str; 6] = ["built", "pushed", "loaded", "passed", "promoted", "exported"];
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let verb = VERBS.into_iter().find(|verb| *verb == done.verb).unwrap_or("done");
    let link = |link: &crate::event_log::Link| (link.label.clone(), Duration::from_secs_f64(link.seconds.max(0.0)));
    Summary {
        verb,
        ran: count(done.ran),
        cached: count(done.cached),
        failed: count(done.failed),
        skipped: count(done.skipped),
        elapsed: Duration::from_secs_f64(done.seconds.max(0.0)),
        critical_path: done.critical_path.iter().map(link).collect(),
    }
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
    message(selected).lines().try_for_each(|line| Ok(writeln!(cx.out, "{line}")?))
}

/// The chain of actions that took longest; its time is the one of the closing line.
pub fn critical_path(selected: &Selected, output: Output, cx: &mut Context) -> Result<(), CliError> {
    let columns = [("label", Kind::Text), ("kind", Kind::Text), ("seconds", Kind::Seconds), ("waited", Kind::Seconds)];
    let parts = parts(&selected.log);
    let row = |part: &crate::event_log::critical_path::Part<'_>| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        let cells = [json!("a"), json!("a,\"b\"\n"), json!(1.5), Value::Null];
        assert_eq!(cells.each_ref().map(csv).join(","), "a,\"a,\"\"b\"\"\n\",1.5,");
    }

    #[test]
    fn people_get_units_and_programs_the_number() {
        let columns =
            [("name", Kind::Text), ("seconds", Kind::Seconds), ("bytes", Kind::Bytes), ("begun", Kind::Moment)];
        let view = View { columns, rows: vec![[json!("x"), json!(0.25), json!(1500), json!(1_795_892_000.75)]] };
        let written = |output| {
            let mut text = Vec::new();
            view.write(output, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            written(Output::Text),
            "NAME  SECONDS   BYTES  BEGUN\nx       0.25s  1.5 kB  2026-11-28T18:53:20Z\n"
        );
        assert_eq!(
            written(Output::Json),
            "[{\"begun\":1795892000.75,\"bytes\":1500,\"name\":\"x\",\"seconds\":0.25}]\n"
        );
        assert_eq!(written(Output::Csv), "name,seconds,bytes,begun\nx,0.25,1500,1795892000.75\n");
    }
}
