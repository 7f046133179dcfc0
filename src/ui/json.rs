//! Events for programs: one JSON object a line, told apart by `event`. Times are in seconds.
//!
//! `planned` {actions, cached} · `started` {label, what} · `finished` {label, what, outcome: "ran"|"cached", seconds,
//! detail} · `failed` {label, what, message} · `skipped` {label, what, because_of} · `transferred` {label, what, bytes} ·
//! `printed` {label, what, line} · `warning` {message} · `done` {verb, ran, cached, failed, skipped, seconds, critical_path: [{label, seconds}]}.
//! Fields and events may be added; those that are here stay.

use std::time::Duration;

use serde_json::{Value, json};

use super::stream::Stream;
use crate::event::{Event, Listener, Outcome, Step, Summary};

/// JSON lines.
#[derive(Debug)]
pub struct Json {
    to: Stream,
}

impl Json {
    /// Shows on a stream.
    pub fn new(to: Stream) -> Json {
        Json { to }
    }
}

impl Listener for Json {
    fn event(&self, event: Event) {
        self.to.line(&object(&event).to_string());
    }
}

/// An event's object, of the shape that the module's documentation gives.
pub fn object(event: &Event) -> Value {
    match event {
        Event::Planned { actions, cached } => json!({"event": "planned", "actions": actions, "cached": cached}),
        Event::Known { step, detail } => of_step("known", step, json!({"detail": detail})),
        Event::Started(step) => of_step("started", step, json!({})),
        Event::Finished { step, outcome, elapsed, detail } => {
            let outcome = match outcome {
                Outcome::Ran => "ran",
                Outcome::Cached => "cached",
            };
            of_step("finished", step, json!({"outcome": outcome, "seconds": seconds(*elapsed), "detail": detail}))
        }
        Event::Failed { step, message } => of_step("failed", step, json!({"message": message})),
        Event::Skipped { step, because_of } => of_step("skipped", step, json!({"because_of": because_of})),
        Event::Transferred { step, bytes } => of_step("transferred", step, json!({"bytes": bytes})),
        Event::Printed { step, line } => of_step("printed", step, json!({"line": line})),
        Event::Warning(message) => json!({"event": "warning", "message": message}),
        Event::Done(summary) => of_summary(summary),
    }
}

fn of_step(event: &str, step: &Step, mut rest: Value) -> Value {
    rest["event"] = event.into();
    rest["label"] = step.label.as_str().into();
    rest["what"] = step.what.into();
    rest
}

fn of_summary(summary: &Summary) -> Value {
    let path = summary.critical_path.iter().map(|(label, time)| json!({"label": label, "seconds": seconds(*time)}));
    json!({
        "event": "done",
        "verb": summary.verb,
        "ran": summary.ran,
        "cached": summary.cached,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "seconds": seconds(summary.elapsed),
        "critical_path": path.collect::<Vec<_>>(),
    })
}

/// To the microsecond: more is noise.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_one_line_with_its_documented_fields() {
        let (stream, captured) = Stream::memory();
        let json = Json::new(stream);
        let step = Step { label: "//a:b".into(), what: "files" };
        let elapsed = Duration::from_millis(340);
        json.event(Event::Started(step.clone()));
        json.event(Event::Finished { step, outcome: Outcome::Ran, elapsed, detail: "two\nlines".into() });
        let critical_path = vec![("//a:b".to_owned(), elapsed)];
        json.event(Event::Done(Summary { verb: "built", ran: 1, elapsed, critical_path, ..Summary::default() }));
        insta::assert_snapshot!(captured.text(), @r#"
        {"event":"started","label":"//a:b","what":"files"}
        {"detail":"two\nlines","event":"finished","label":"//a:b","outcome":"ran","seconds":0.34,"what":"files"}
        {"cached":0,"critical_path":[{"label":"//a:b","seconds":0.34}],"event":"done","failed":0,"ran":1,"seconds":0.34,"skipped":0,"verb":"built"}
        "#);
    }
}
