//! Events, durations and sizes as text for people. Pure: knows nothing of streams or terminals.

use std::time::Duration;

use super::style::Style;
use crate::event::{Event, Outcome, Step, Summary};

/// The line that an event leaves behind; `None` where it leaves none. `verbose`: also for what was cached.
pub fn line(event: &Event, style: Style, verbose: bool) -> Option<String> {
    match event {
        Event::Finished { step, outcome: Outcome::Ran, elapsed, detail } => {
            let done = past(step.what);
            // `pushed //a:b push` would say it twice.
            let what = if done == "built" { named(step) } else { step.label.clone() };
            let head = format!("{} {what}", style.good(done));
            let time = duration(*elapsed);
            Some(joined(&[&head, detail, &style.dim(time)]))
        }
        Event::Finished { step, outcome: Outcome::Cached, detail, .. } if verbose => {
            Some(style.dim(joined(&[&format!("cached {}", named(step)), detail])))
        }
        Event::Known { step, detail } if verbose => {
            Some(style.dim(joined(&[&format!("cached {}", named(step)), detail])))
        }
        Event::Failed { step, .. } => Some(format!("{} {}", style.error("failed"), named(step))),
        Event::Skipped { step, because_of } => {
            Some(format!("{} {} because {because_of} failed", style.warning("skipped"), named(step)))
        }
        Event::Warning(message) => Some(warning(message, style)),
        Event::Done(summary) => Some(closing(summary)),
        Event::Printed { step, line } if verbose => Some(format!("{} {line}", style.dim(format!("{} |", step.label)))),
        Event::Known { .. }
        | Event::Printed { .. }
        | Event::Finished { .. }
        | Event::Planned { .. }
        | Event::Started(_)
        | Event::Transferred { .. } => None,
    }
}

/// A warning's line.
pub fn warning(message: &str, style: Style) -> String {
    format!("{} {message}", style.warning("warning:"))
}

/// Counts, elapsed time and critical path: `4 built, 12 cached in 0.53s; critical path 0.41s: //a:x → //b:y`.
pub fn closing(summary: &Summary) -> String {
    let mut counts = vec![format!("{} {}", summary.ran, summary.verb), format!("{} cached", summary.cached)];
    let bad = [(summary.failed, "failed"), (summary.skipped, "skipped")];
    counts.extend(bad.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    let mut line = format!("{} in {}", counts.join(", "), duration(summary.elapsed));
    if !summary.critical_path.is_empty() {
        line.push_str(&format!("; {}", critical_path(&summary.critical_path)));
    }
    line
}

/// How many labels of a critical path are shown.
const PATH_SHOWN: usize = 5;

/// The critical path as the closing line has it: its time, and its labels but for those in the middle of a long one.
pub fn critical_path(steps: &[(String, Duration)]) -> String {
    let total: Duration = steps.iter().map(|(_, time)| *time).sum();
    let mut labels: Vec<&str> = steps.iter().map(|(label, _)| label.as_str()).collect();
    labels.dedup();
    if labels.len() > PATH_SHOWN {
        let last = labels.split_off(labels.len() - 2);
        labels.truncate(PATH_SHOWN - 3);
        labels.push("…");
        labels.extend(last);
    }
    format!("critical path {}: {}", duration(total), labels.join(" → "))
}

/// `//a:b files`.
pub fn named(step: &Step) -> String {
    joined(&[&step.label, step.what])
}

/// What a step does while it runs.
pub fn present(what: &str) -> &'static str {
    match what {
        "push" => "pushing",
        "share" => "sharing",
        "record" => "recording",
        "pull" | "fetch" => "fetching",
        "lock" => "locking",
        "export" => "exporting",
        "load" => "loading",
        "promote" => "promoting",
        _ => "building",
    }
}

fn past(what: &str) -> &'static str {
    match what {
        "push" => "pushed",
        "share" => "shared",
        "record" => "recorded",
        "pull" | "fetch" => "fetched",
        "lock" => "locked",
        "export" => "exported",
        "load" => "loaded",
        "promote" => "promoted",
        "image_test" => "tested",
        _ => "built",
    }
}

fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// A time: `0.34s`, `12.3s`, `2m05s`, `1h02m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0..10 => format!("{seconds:.2}s"),
        10..60 => format!("{seconds:.1}s"),
        whole @ 60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        whole => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// A size in bytes, in decimal units: `812 B`, `1.2 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // From 999.95 on, one decimal would be written as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_a_fitting_unit() {
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950, 1_234_567].map(size).join(" "),
            "0 B 999 B 1.0 kB 999.9 kB 1.0 MB 1.2 MB"
        );
        let times = [0, 340, 12_345, 125_000, 3_720_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(times.join(" "), "0.00s 0.34s 12.3s 2m05s 1h02m");
    }

    #[test]
    fn nothing_to_do_closes_without_a_path() {
        let summary = Summary { verb: "built", cached: 12, ..Summary::default() };
        assert_eq!(closing(&summary), "0 built, 12 cached in 0.00s");
    }

    #[test]
    fn a_long_path_keeps_its_ends_and_a_label_stands_once() {
        let steps = ["a", "a", "b", "c", "d", "e", "f"].map(|label| (label.to_owned(), Duration::from_secs(1)));
        assert_eq!(critical_path(&steps), "critical path 7.00s: a → b → … → e → f");
    }
}
