//! The log of a command, read: lines of JSON, one an event → what happened. What is torn or unknown is passed over.
//!
//! The first line is `begun` {version, unix, command, directory, profile, jobs}. Then come the events that `--json` tells,
//! each with `at`, the seconds since: `planned`, `started`, `finished` (with the `bytes` that moved for it), `failed`,
//! `skipped`, `warning`, `done`; then, of what ran, `keyed` {label, what, key, before}; at the end `ended` {exit, message}, which
//! a command that was killed lacks. Knows no file, and nothing of how a log is shown.

pub mod critical_path;
pub mod trace;

use serde::Deserialize;

/// What happened in a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Log {
    /// The call.
    pub begun: Begun,
    /// All actions of the targets, and how many of them the cache answered; `None`: no plan stood yet.
    pub planned: Option<(u64, u64)>,
    /// Actions whose result turned out to be known when they were to run.
    pub cut_off: u64,
    /// Pieces of work, in the order in which they began.
    pub steps: Vec<Step>,
    /// What was warned of.
    pub warnings: Vec<String>,
    /// The closing line's figures; `None` where the command has none, or did not come so far.
    pub done: Option<Done>,
    /// How it ended; `None`: it was killed, or runs still.
    pub ended: Option<Ended>,
    /// Seconds from the beginning to the last line.
    pub until: f64,
    /// Whether events are missing, for want of room.
    pub cut: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Begun {
    /// Layerbuild's version.
    pub version: String,
    /// When, in seconds since 1970.
    pub unix: f64,
    /// Its words, secrets blotted out.
    pub command: Vec<String>,
    /// The folder that it was called in, relative to the workspace's root; empty: the root.
    pub directory: String,
    /// The profile that flag or variable named.
    pub profile: Option<String>,
    /// How many actions could run at once.
    pub jobs: u64,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The target, with the platform behind it where it has more than one.
    pub label: String,
    /// What is done for it: `files`, `image`, `push`, …
    pub what: String,
    /// Seconds from the command's beginning to its own.
    pub start: f64,
    /// How long it took, in seconds; until the log's end where it did not come to its own.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes that moved to or from a registry.
    pub bytes: u64,
    /// The action's key, and that of the build before; `None` where no action ran to its end.
    pub key: Option<String>,
    /// The key that the target's build before had; `None`: it was never built, or that is not known.
    pub before: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran, and gave this.
    Ran(String),
    /// Its result turned out to be known.
    Cached(String),
    /// Why it failed.
    Failed(String),
    /// The label that failed before it.
    Skipped(String),
    /// The command ended before it did.
    Unfinished,
}

/// The closing line's figures.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    /// What the figures count: `built`, `pushed`, …
    pub verb: String,
    /// How many ran.
    pub ran: u64,
    /// How many were known.
    pub cached: u64,
    /// How many failed.
    pub failed: u64,
    /// How many could not be tried.
    pub skipped: u64,
    /// How long the command took, as it said.
    pub seconds: f64,
    /// The chain of actions that took longest, first to last.
    pub critical_path: Vec<Link>,
}

/// An action of the critical path.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Link {
    /// The target.
    pub label: String,
    /// How long it took.
    pub seconds: f64,
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Ended {
    /// The exit code.
    pub exit: u8,
    /// What was told of a failure; may be empty.
    pub message: String,
}

/// What any line may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    event: String,
    at: f64,
    label: String,
    what: String,
    outcome: String,
    seconds: f64,
    detail: String,
    bytes: u64,
    message: String,
    because_of: String,
    key: Option<String>,
    before: Option<String>,
    actions: u64,
    cached: u64,
}

impl Log {
    /// Reads a log's text; `None` where it does not even say which command it is of.
    pub fn parse(text: &str) -> Option<Log> {
        let mut lines = text.lines();
        let begun = lines.next().filter(|line| line.contains("\"event\":\"begun\""))?;
        let mut log = Log { begun: serde_json::from_str(begun).ok()?, ..Log::default() };
        lines.for_each(|text| log.line(text));
        let until = log.until;
        for step in log.steps.iter_mut().filter(|step| step.outcome == Outcome::Unfinished) {
            step.seconds = until - step.start;
        }
        Some(log)
    }

    fn line(&mut self, text: &str) {
        let Ok(line) = serde_json::from_str::<Line>(text) else { return };
        self.until = self.until.max(line.at);
        match line.event.as_str() {
            "planned" => self.planned = Some((line.actions, line.cached)),
            "warning" => self.warnings.push(line.message),
            "done" => self.done = serde_json::from_str(text).ok(),
            "ended" => self.ended = serde_json::from_str(text).ok(),
            "cut" => self.cut = true,
            "keyed" => self.keyed(line),
            _ => self.step(line),
        }
    }

    fn step(&mut self, line: Line) {
        let Line { event, at, label, what, outcome, seconds, detail, bytes, message, because_of, .. } = line;
        let outcome = match (event.as_str(), outcome.as_str()) {
            ("started", _) => Outcome::Unfinished,
            ("finished", "cached") => Outcome::Cached(detail),
            ("finished", _) => Outcome::Ran(detail),
            ("failed", _) => Outcome::Failed(message),
            ("skipped", _) => Outcome::Skipped(because_of),
            _ => return,
        };
        let start = (at - seconds).max(0.0);
        let new = Step { label, what, start, seconds, outcome, bytes, key: None, before: None };
        let Some(open) = self.open(&new) else {
            self.cut_off += u64::from(matches!(new.outcome, Outcome::Cached(_)));
            return self.steps.push(new);
        };
        *open = match event.as_str() {
            // Begun once more, as something was damaged.
            "started" => new,
            // What fails does not say how long it took.
            _ if seconds == 0.0 => Step { start: open.start, seconds: at - open.start, ..new },
            _ => new,
        };
    }

    /// The step that was begun and is the same.
    fn open(&mut self, step: &Step) -> Option<&mut Step> {
        let same = |open: &&mut Step| open.label == step.label && open.what == step.what;
        self.steps.iter_mut().rev().filter(|open| open.outcome == Outcome::Unfinished).find(same)
    }

    fn keyed(&mut self, line: Line) {
        let same = |step: &&mut Step| step.label == line.label && step.what == line.what && step.outcome.is_ran();
        if let Some(step) = self.steps.iter_mut().rev().find(same) {
            (step.key, step.before) = (line.key, line.before);
        }
    }

    /// Actions that the cache answered, before anything ran or since. What was answered at once has no plan, only figures.
    pub fn cached(&self) -> u64 {
        match self.planned {
            Some((_, cached)) => cached + self.cut_off,
            None => self.done.as_ref().map_or(0, |done| done.cached),
        }
    }

    /// What was told of the failure, where no step says it; else empty.
    pub fn message(&self) -> &str {
        let by_step = self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(_)));
        self.ended.as_ref().filter(|_| !by_step).map_or("", |ended| &ended.message)
    }

    /// Steps that ran to a good end.
    pub fn ran(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.outcome.is_ran())
    }
}

impl Outcome {
    /// Whether it ran to a good end.
    pub fn is_ran(&self) -> bool {
        matches!(self, Outcome::Ran(_))
    }

    /// In a word, for people and programs.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Ran(_) => "ran",
            Outcome::Cached(_) => "cached",
            Outcome::Failed(_) => "failed",
            Outcome::Skipped(_) => "skipped",
            Outcome::Unfinished => "unfinished",
        }
    }

    /// What it gave, why it failed, or what failed before it.
    pub fn detail(&self) -> &str {
        match self {
            Outcome::Ran(text) | Outcome::Cached(text) | Outcome::Failed(text) | Outcome::Skipped(text) => text,
            Outcome::Unfinished => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build of two layers at once and an image; a second image fails, a third is not tried.
    pub const SAMPLE: &str = r#"{"event":"begun","version":"0.1.0","unix":1795892000.5,"command":["build","//..."],"directory":"","profile":null,"jobs":2}
{"event":"planned","at":0.01,"actions":6,"cached":1}
{"event":"started","at":0.1,"label":"//a:x","what":"files"}
{"event":"started","at":0.1,"label":"//a:y","what":"tar"}
{"event":"warning","at":0.2,"message":"careful"}
{"event":"finished","at":1.1,"label":"//a:x","what":"files","outcome":"ran","seconds":1.0,"detail":"sha256:x","bytes":10}
{"event":"finished","at":2.1,"label":"//a:y","what":"tar","outcome":"ran","seconds":2.0,"detail":"sha256:y"}
{"event":"started","at":2.6,"label":"//a:i","what":"image"}
{"event":"started","at":2.6,"label":"//a:j","what":"image"}
{"event":"failed","at":2.8,"label":"//a:j","what":"image","message":"no\nway"}
{"event":"skipped","at":2.8,"label":"//a:k","what":"index","because_of":"//a:j"}
{"event":"finished","at":3.1,"label":"//a:i","what":"image","outcome":"ran","seconds":0.5,"detail":"sha256:i"}
{"event":"keyed","at":3.2,"label":"//a:i","what":"image","key":"k2","before":"k1"}
{"event":"done","at":3.2,"verb":"built","ran":3,"cached":1,"failed":1,"skipped":1,"seconds":3.2,"critical_path":[{"label":"//a:y","seconds":2.0},{"label":"//a:i","seconds":0.5}]}
{"event":"ended","at":3.3,"exit":1,"message":""}
"#;

    #[test]
    fn a_log_is_read_whole() {
        let log = Log::parse(SAMPLE).unwrap();
        assert_eq!((log.planned, log.until, log.warnings.len()), (Some((6, 1)), 3.3, 1));
        let told: Vec<String> = log
            .steps
            .iter()
            .map(|step| {
                format!("{} {} {:.1}+{:.1} {}", step.label, step.outcome.word(), step.start, step.seconds, step.bytes)
            })
            .collect();
        assert_eq!(
            told,
            [
                "//a:x ran 0.1+1.0 10",
                "//a:y ran 0.1+2.0 0",
                "//a:i ran 2.6+0.5 0",
                "//a:j failed 2.6+0.2 0",
                "//a:k skipped 2.8+0.0 0"
            ]
        );
        assert_eq!(log.steps[3].outcome.detail(), "no\nway");
        assert_eq!((log.steps[2].key.as_deref(), log.steps[2].before.as_deref()), (Some("k2"), Some("k1")));
        assert_eq!(log.ended, Some(Ended { exit: 1, message: String::new() }));
        assert!(log.done.is_some_and(|done| done.critical_path.len() == 2));
    }

    #[test]
    fn cut_off_anywhere_it_is_read_as_far_as_it_goes() {
        let first = SAMPLE.find('\n').unwrap();
        for end in 0..SAMPLE.len() {
            assert_eq!(Log::parse(&SAMPLE[..end]).is_some(), end >= first, "{end}");
        }
        let log = Log::parse(&SAMPLE[..SAMPLE.find("{\"event\":\"finished\",\"at\":2.1").unwrap() + 30]).unwrap();
        assert_eq!((log.ended, log.done), (None, None));
        let open: Vec<(&str, f64)> = log
            .steps
            .iter()
            .filter(|step| step.outcome == Outcome::Unfinished)
            .map(|step| (&*step.label, step.seconds))
            .collect();
        assert_eq!(open, [("//a:y", 1.0)]);
    }

    #[test]
    fn an_action_that_turns_out_to_be_known_was_never_begun_and_a_push_was() {
        let known = r#"{"event":"finished","at":3.1,"label":"//a:k","what":"image","outcome":"cached","seconds":0.0}"#;
        let push = r#"{"event":"started","at":3.1,"label":"//a:i","what":"push"}
{"event":"finished","at":3.1,"label":"//a:i","what":"push","outcome":"cached","seconds":0.0}"#;
        let log = Log::parse(&format!("{SAMPLE}{known}\n{push}\n")).unwrap();
        assert_eq!(log.cut_off, 1);
        assert_eq!(log.steps.iter().filter(|step| step.outcome.word() == "cached").count(), 2);
    }

    #[test]
    fn what_is_begun_once_more_is_one_step() {
        let cut = SAMPLE.find("{\"event\":\"warning\"").unwrap();
        let again = SAMPLE[..cut].replace("0.1,", "0.5,").lines().skip(2).collect::<Vec<_>>().join("\n");
        let log = Log::parse(&format!("{}{again}\n{}", &SAMPLE[..cut], &SAMPLE[cut..])).unwrap();
        assert!(log.steps.len() == 5 && log.steps.iter().all(|step| step.outcome != Outcome::Unfinished), "{log:?}");
    }

    #[test]
    fn what_is_no_log_is_none() {
        assert_eq!(Log::parse(""), None);
        assert_eq!(Log::parse("{\"event\":\"done\"}\n"), None);
    }
}
