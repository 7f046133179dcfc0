//! What `log last` says of a command: its call, how it ended, and its figures.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::log_select::{End, Selected};
use super::log_table::{Kind, Output, View, moment, time};
use crate::event::Summary;
use crate::event_log::{Done, Link, Outcome};
use crate::ui::table::{Align, Table};
use crate::ui::text;

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
        ("cached", json!(log.cached())),
        ("ran", json!(count("ran"))),
        ("failed", json!(count("failed"))),
        ("skipped", json!(count("skipped"))),
        ("unfinished", json!(count("unfinished"))),
        ("bytes", json!(log.steps.iter().map(|step| step.bytes).sum::<u64>())),
        ("critical_path_seconds", json!(critical)),
        ("warnings", json!(log.warnings)),
        ("message", json!(log.message())),
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
        let cached = log.cached();
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
    let message = log.message();
    facts.extend(message.lines().map(|line| ("error", line.strip_prefix("error: ").unwrap_or(line).to_owned())));
    facts
}

fn ending(selected: &Selected) -> String {
    let took = time(selected.log.until);
    match selected.end {
        End::Failed(exit) => format!("failed, exit code {exit}, after {took}"),
        End::Refused(exit) => format!("refused, exit code {exit}, after {took}: nothing was begun"),
        End::Killed => format!("killed, or crashed, after {took} or more"),
        End::Running => format!("not yet; last heard of after {took}"),
        end => format!("{}, after {took}", end.word()),
    }
}

/// The closing line's figures, as it takes them.
pub fn summary(done: &Done) -> Summary {
    const VERBS: [&str; 6] = ["built", "pushed", "loaded", "passed", "promoted", "exported"];
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let verb = VERBS.into_iter().find(|verb| *verb == done.verb).unwrap_or("done");
    let link = |link: &Link| (link.label.clone(), Duration::from_secs_f64(link.seconds.max(0.0)));
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
