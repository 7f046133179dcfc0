//! `explain --cost`: time and bytes by target, slowest first, by kind, and what the cache saves. From what the store keeps
//! of builds; builds nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::as_built;
use super::context::Context;
use super::error::CliError;
use super::history::History;
use super::work::Work;
use crate::action::record::{Output, Record};
use crate::action::sizes::{self, Given};
use crate::action::{ActionGraph, ActionId};
use crate::build::probe::State;
use crate::ui::table::{Align, Table};
use crate::ui::text::{duration, size};

/// Shows what the targets and all that they need cost.
pub fn run(work: &Work<'_>, states: &[State], cx: &mut Context) -> Result<(), CliError> {
    let costs = costs(work, states)?;
    if cx.globals.json {
        return Ok(writeln!(cx.out, "{}", json(&costs))?);
    }
    table(&costs).write(&mut cx.out)?;
    writeln!(cx.out)?;
    kinds(&costs).write(&mut cx.out)?;
    writeln!(cx.out)?;
    for line in closing(&costs) {
        writeln!(cx.out, "{line}")?;
    }
    Ok(())
}

/// What one action costs.
#[derive(Debug, Clone)]
struct Cost {
    name: String,
    kind: &'static str,
    /// Whether its result is known.
    hit: bool,
    /// How long it took when it was last made here; `None`: that is not known.
    time: Option<Duration>,
    read: u64,
    given: Given,
}

fn costs(work: &Work<'_>, states: &[State]) -> Result<Vec<Cost>, CliError> {
    let graph = &work.lowered.graph;
    let history = History::open(work.store, work.project.root())?;
    let last = graph.ids().map(|id| last(id, work, states, &history)).collect::<Result<Vec<_>, _>>()?;
    let output = |id: ActionId| -> Option<&Output> {
        states[id.index()].output().or(last[id.index()].as_ref().map(|record| &record.output))
    };
    let cost = |id: ActionId| Cost {
        name: graph.get(id).name(),
        kind: graph.get(id).operation.name(),
        hit: states[id.index()].output().is_some(),
        time: last[id.index()].as_ref().and_then(|record| record.elapsed),
        read: sizes::read(id, graph, output),
        given: output(id).map(sizes::given).unwrap_or_default(),
    };
    let mut costs: Vec<Cost> = graph.ids().filter(|id| is_counted(*id, graph, states)).map(cost).collect();
    costs.sort_by(|one, other| (other.time, &one.name, one.kind).cmp(&(one.time, &other.name, other.kind)));
    Ok(costs)
}

/// Whether an action is a result of its own: a layer of an image that is taken as it was built here may be the result of another
/// action too.
fn is_counted(id: ActionId, graph: &ActionGraph, states: &[State]) -> bool {
    let is_part = |id: ActionId| as_built::is_part(&graph.get(id).operation);
    let key = |id: ActionId| states[id.index()].key();
    let comes_first = |other: &ActionId| !is_part(*other) || other.index() < id.index();
    !is_part(id)
        || key(id).is_none()
        || !graph.ids().filter(comes_first).any(|other| other != id && key(other) == key(id))
}

/// The record of an action's result, or of its last build's where it has none.
fn last(id: ActionId, work: &Work<'_>, states: &[State], history: &History<'_>) -> Result<Option<Record>, CliError> {
    let state = &states[id.index()];
    let key = state.key().filter(|_| state.output().is_some());
    let key = key.or_else(|| history.last(&work.lowered.graph.note_name(id)).copied());
    key.map_or(Ok(None), |key| history.record(&key))
}

/// What is not known is a dash.
fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), duration)
}

/// Nothing is a dash.
fn bytes(bytes: u64) -> String {
    if bytes == 0 { "-".to_owned() } else { size(bytes) }
}

fn table(costs: &[Cost]) -> Table<7> {
    use Align::{Left, Right};
    let mut table = Table::new([Right, Right, Right, Right, Left, Left, Left]);
    table.row(["TIME", "READS", "GIVES", "UNPACKED", "NOW", "KIND", "TARGET"].map(str::to_owned));
    for cost in costs {
        let Cost { name, kind, read, given, .. } = cost;
        let now = if cost.hit { "HIT" } else { "MISS" };
        let numbers = [time(cost.time), bytes(*read), bytes(given.stored), bytes(given.unpacked)];
        let [time, read, stored, unpacked] = numbers;
        table.row([time, read, stored, unpacked, now.to_owned(), (*kind).to_owned(), name.clone()]);
    }
    table
}

/// Sums over actions of one kind.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    actions: usize,
    time: Duration,
    read: u64,
    stored: u64,
    unpacked: u64,
}

fn sums(costs: &[Cost]) -> Vec<(&'static str, Sum)> {
    let mut sums: BTreeMap<&'static str, Sum> = BTreeMap::new();
    for cost in costs {
        let sum = sums.entry(cost.kind).or_default();
        sum.actions += 1;
        sum.time += cost.time.unwrap_or_default();
        sum.read += cost.read;
        sum.stored += cost.given.stored;
        sum.unpacked += cost.given.unpacked;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(kind, sum)| (std::cmp::Reverse(sum.time), *kind));
    sums
}

fn kinds(costs: &[Cost]) -> Table<6> {
    use Align::{Left, Right};
    let mut table = Table::new([Right, Right, Right, Right, Right, Left]);
    table.row(["TIME", "READS", "GIVES", "UNPACKED", "ACTIONS", "KIND"].map(str::to_owned));
    for (kind, sum) in sums(costs) {
        let numbers = [duration(sum.time), bytes(sum.read), bytes(sum.stored), bytes(sum.unpacked)];
        let [time, read, stored, unpacked] = numbers;
        table.row([time, read, stored, unpacked, sum.actions.to_string(), kind.to_owned()]);
    }
    table
}

/// Time of those whose result is known or not, and how many they are.
fn work(costs: &[Cost], hit: bool) -> (usize, Duration) {
    let those = || costs.iter().filter(|cost| cost.hit == hit);
    (those().count(), those().filter_map(|cost| cost.time).sum())
}

fn closing(costs: &[Cost]) -> Vec<String> {
    let ((hits, saved), (misses, left)) = (work(costs, true), work(costs, false));
    let mut lines =
        vec![format!("the cache has {hits} of {} results and saves {} of work", costs.len(), duration(saved))];
    if misses > 0 {
        lines.push(format!("a build would take about {} of work, by what it took last", duration(left)));
    }
    let unknown = costs.iter().filter(|cost| cost.time.is_none()).count();
    if unknown > 0 {
        lines.push(format!("of {unknown} the time is not known: they were not made here"));
    }
    lines
}

fn json(costs: &[Cost]) -> Value {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let target = |cost: &Cost| {
        json!({
            "label": cost.name, "kind": cost.kind, "verdict": if cost.hit { "HIT" } else { "MISS" },
            "microseconds": cost.time.map(micros), "reads": cost.read, "gives": cost.given.stored,
            "unpacked": cost.given.unpacked,
        })
    };
    let kind = |(kind, sum): &(&'static str, Sum)| {
        json!({
            "kind": kind, "actions": sum.actions, "microseconds": micros(sum.time), "reads": sum.read,
            "gives": sum.stored, "unpacked": sum.unpacked,
        })
    };
    json!({
        "targets": costs.iter().map(target).collect::<Vec<_>>(),
        "kinds": sums(costs).iter().map(kind).collect::<Vec<_>>(),
        "saved-microseconds": micros(work(costs, true).1),
        "left-microseconds": micros(work(costs, false).1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(name: &str, kind: &'static str, hit: bool, millis: Option<u64>) -> Cost {
        let given = Given { stored: 1_500, unpacked: 4_000 };
        Cost { name: name.into(), kind, hit, time: millis.map(Duration::from_millis), read: 4_000, given }
    }

    #[test]
    fn sums_are_by_kind_and_what_is_not_known_is_told() {
        let costs = [
            cost("//:a", "files", true, Some(2_000)),
            cost("//:b", "files", false, Some(500)),
            cost("//:c", "run", true, None),
        ];
        let sums = sums(&costs);
        assert_eq!((sums[0].0, sums[0].1.actions, sums[0].1.time.as_millis()), ("files", 2, 2_500));
        assert_eq!((sums[0].1.read, sums[0].1.stored, sums[0].1.unpacked), (8_000, 3_000, 8_000));
        insta::assert_snapshot!(closing(&costs).join("\n"), @r"
        the cache has 2 of 3 results and saves 2.00s of work
        a build would take about 0.50s of work, by what it took last
        of 1 the time is not known: they were not made here
        ");
    }
}
