//! A log as a trace that Chrome (`chrome://tracing`) and Perfetto show: a lane a worker, a bar a step, how many run.
//!
//! The format is Chrome's "Trace Event Format": an object with `traceEvents`. Times are in microseconds.

use serde_json::{Value, json};

use super::{Log, Outcome, Step};

const PROCESS: u32 = 1;

/// The trace.
pub fn trace(log: &Log) -> Value {
    let title = format!("layerbuild {}", log.begun.command.join(" "));
    let shown: Vec<(&Step, usize)> = lanes(log);
    let mut events = vec![named("process_name", 0, &title)];
    let count = shown.iter().map(|(_, lane)| lane + 1).max().unwrap_or(0);
    events.extend((0..count).map(|lane| named("thread_name", lane + 1, &format!("worker {}", lane + 1))));
    events.extend(shown.iter().map(|(step, lane)| bar(step, lane + 1)));
    events.extend(running(&shown));
    json!({
        "displayTimeUnit": "ms",
        "otherData": {"command": title, "version": log.begun.version, "exit": log.ended.as_ref().map(|ended| ended.exit)},
        "traceEvents": events,
    })
}

fn named(what: &str, lane: usize, name: &str) -> Value {
    json!({"ph": "M", "name": what, "pid": PROCESS, "tid": lane, "ts": 0, "args": {"name": name}})
}

fn bar(step: &Step, lane: usize) -> Value {
    json!({
        "ph": "X",
        "name": step.label,
        "cat": step.what,
        "ts": micros(step.start),
        "dur": micros(step.seconds),
        "pid": PROCESS,
        "tid": lane,
        "args": {
            "label": step.label,
            "kind": step.what,
            "outcome": step.outcome.word(),
            "hit": matches!(step.outcome, Outcome::Cached(_)),
            "detail": step.outcome.detail(),
            "bytes": step.bytes,
        },
    })
}

/// Steps that took time, each with a lane that is free while it runs: as few as there were at once.
fn lanes(log: &Log) -> Vec<(&Step, usize)> {
    let tried = log.steps.iter().filter(|step| !matches!(step.outcome, Outcome::Skipped(_)));
    let mut steps: Vec<&Step> = tried.collect();
    steps.sort_by(|a, b| a.start.total_cmp(&b.start));
    let mut free_from: Vec<u64> = Vec::new();
    let mut placed = Vec::with_capacity(steps.len());
    for step in steps {
        let lane = free_from.iter().position(|free| *free <= micros(step.start)).unwrap_or(free_from.len());
        if lane == free_from.len() {
            free_from.push(0);
        }
        free_from[lane] = micros(step.start) + micros(step.seconds);
        placed.push((step, lane));
    }
    placed
}

/// How many steps run, whenever that changes.
fn running(shown: &[(&Step, usize)]) -> Vec<Value> {
    let begin = shown.iter().map(|(step, _)| (micros(step.start), 1));
    let end = shown.iter().map(|(step, _)| (micros(step.start) + micros(step.seconds), -1));
    let mut changes: Vec<(u64, i64)> = begin.chain(end).collect();
    // What ends makes room for what begins at the same moment.
    changes.sort_unstable();
    let mut count = 0;
    let counter = |(at, change): (u64, i64)| {
        count += change;
        json!({"ph": "C", "name": "running", "pid": PROCESS, "tid": 0, "ts": at, "args": {"steps": count}})
    };
    changes.into_iter().map(counter).collect()
}

fn micros(seconds: f64) -> u64 {
    // Negative ones become 0.
    (seconds * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::tests::SAMPLE;
    use super::*;

    fn of(phase: &str) -> Vec<Value> {
        let mut trace = trace(&Log::parse(SAMPLE).unwrap());
        let Value::Array(events) = trace["traceEvents"].take() else { panic!("{trace}") };
        events.into_iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn steps_that_run_at_once_lie_in_lanes_of_their_own_and_none_overlap() {
        let bars = of("X");
        let lanes: Vec<u64> = bars.iter().map(|bar| bar["tid"].as_u64().unwrap()).collect();
        assert_eq!(lanes, [1, 2, 1, 2]);
        assert_eq!(
            (&bars[0]["ts"], &bars[0]["dur"], &bars[0]["cat"]),
            (&json!(100_000), &json!(1_000_000), &json!("files"))
        );
        assert_eq!((&bars[3]["args"]["outcome"], &bars[3]["args"]["detail"]), (&json!("failed"), &json!("no\nway")));
        let names: Vec<Value> = of("M").iter().map(|event| event["args"]["name"].clone()).collect();
        assert_eq!(names, ["layerbuild build //...", "worker 1", "worker 2"]);
    }

    #[test]
    fn the_counter_rises_and_falls_to_nothing() {
        let counts: Vec<i64> = of("C").iter().map(|event| event["args"]["steps"].as_i64().unwrap()).collect();
        assert_eq!(counts, [1, 2, 1, 0, 1, 2, 1, 0]);
    }
}
