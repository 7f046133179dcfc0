//! Writes the log of a command while it works: its call, its events and its end, as lines of JSON.
//!
//! Lines wait in memory until something happens that is work, then each is written at once: a command that finds nothing
//! to do writes one small file at its end, and one that is killed leaves all that it did. What commands print is not
//! kept, nor are bytes that move one by one. A log that can't be written is a warning, once.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::error::CliError;
use super::global::Globals;
use super::trace_file;
use crate::digest::Digest;
use crate::event::{Event, Listener, Outcome, Step};
use crate::event_log::Log;
use crate::exit::Exit;
use crate::reason::reason;
use crate::store::{LogFile, LogKind, Logs};
use crate::ui::json::object;
use crate::workspace::root::find_root;

/// So much of an error's text is kept, in bytes.
const MESSAGE: usize = 16 << 10;

/// Which calls are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// Always, also when there was nothing to do.
    Always,
    /// When something was done.
    Work,
}

/// Writes one command's log; clones write to the same.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    logged: Logged,
    store: Utf8PathBuf,
    directory: Utf8PathBuf,
    /// Where a trace is wanted.
    profile_out: Option<Utf8PathBuf>,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is not written yet.
    lines: Vec<u8>,
    file: Option<LogFile>,
    /// Whether events come at all: before, a command only read what it was to do.
    listened: bool,
    /// Whether a line was left out for want of room.
    cut: bool,
    /// Whether nothing more is written: the log has its end, or can't be written.
    closed: bool,
    moved: HashMap<Step, u64>,
    ran: HashSet<Step>,
}

impl Recorder {
    /// For a call. `words`: as [`super::command_line`] gives them.
    pub fn new(logged: Logged, words: &[String], globals: &Globals) -> Recorder {
        let (store, directory) = (globals.cache_dir.clone(), globals.directory.clone());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let begun = json!({
            "event": "begun",
            "version": env!("CARGO_PKG_VERSION"),
            "unix": seconds(since),
            "command": words,
            "directory": "",
            "profile": globals.profile,
            "jobs": globals.jobs,
        });
        let state = State { lines: line(&begun), ..State::default() };
        let (profile_out, begun, state) = (globals.profile_out.clone(), Instant::now(), Mutex::new(state));
        Recorder(Arc::new(Shared { logged, store, directory, profile_out, begun, state }))
    }

    /// Hands events on to `to`, and logs them.
    pub fn listener(&self, to: Box<dyn Listener + Send>) -> Box<dyn Listener + Send> {
        self.lock().listened = true;
        Box::new(Recording { recorder: self.clone(), to })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event; the warning is that there will be no log.
    fn event(&self, event: &Event) -> Option<String> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let mut value = match event {
            Event::Transferred { step, bytes } => {
                *state.moved.entry(step.clone()).or_default() += bytes;
                return None;
            }
            Event::Printed { .. } | Event::Known { .. } => return None,
            event => object(event),
        };
        if let Event::Finished { step, outcome, .. } = event {
            value["bytes"] = state.moved.remove(step).unwrap_or_default().into();
            if *outcome == Outcome::Ran {
                state.ran.insert(step.clone());
            }
        }
        shorten(&mut value);
        state.add(value, self.0.begun.elapsed());
        let works =
            matches!(event, Event::Started(_) | Event::Finished { .. } | Event::Failed { .. } | Event::Skipped { .. });
        let write = works || state.file.is_some();
        if write { self.write(&mut state, LogKind::Work, false) } else { None }
    }

    fn keyed(&self, step: &Step, key: &Digest, before: Option<&Digest>) {
        let mut state = self.lock();
        if !state.closed && state.ran.contains(step) {
            let before = before.map(Digest::hex);
            let value =
                json!({"event": "keyed", "label": step.label, "what": step.what, "key": key.hex(), "before": before});
            state.add(value, self.0.begun.elapsed());
        }
    }

    /// The end of the command. `message`: what was told of a failure. The warning is that there is no log.
    pub fn end(&self, exit: Exit, message: &str) -> Option<String> {
        self.end_with(self.lock(), exit, message)
    }

    /// The end by an interrupt, whatever other threads do just now; with the trace, where one is wanted.
    pub fn interrupted(&self) -> Result<(), CliError> {
        let Some(state) = self.try_lock() else { return Ok(()) };
        self.end_with(state, Exit::Interrupted, "");
        let path = self.try_lock().and_then(|state| state.file.as_ref().map(|file| file.path.clone()));
        let log = path.and_then(|path| std::fs::read_to_string(path).ok()).and_then(|text| Log::parse(&text));
        log.zip(self.0.profile_out.as_ref()).map_or(Ok(()), |(log, to)| trace_file::write(&log, to))
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        (0..100).find_map(|_| {
            let state = self.0.state.try_lock().ok();
            if state.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            state
        })
    }

    fn end_with(&self, mut state: MutexGuard<'_, State>, exit: Exit, message: &str) -> Option<String> {
        let works = state.file.is_some();
        let is_logged = match exit {
            Exit::Done => state.listened,
            _ => true,
        };
        if state.closed || !is_logged || (!works && self.0.logged == Logged::Work) {
            return None;
        }
        // What was refused before anything began must not push out the logs of what was done.
        let idle = !works && (exit == Exit::Done || !state.listened);
        let mut value = json!({"event": "ended", "exit": exit.code(), "message": message});
        shorten(&mut value);
        state.add(value, self.0.begun.elapsed());
        let warning = self.write(&mut state, if idle { LogKind::Idle } else { LogKind::Work }, true);
        state.closed = true;
        warning
    }

    /// The log's text; `None` where there is none.
    pub fn text(&self) -> Option<String> {
        let path = self.lock().file.as_ref().map(|file| file.path.clone())?;
        std::fs::read_to_string(path).ok()
    }

    fn write(&self, state: &mut State, kind: LogKind, last: bool) -> Option<String> {
        match self.try_write(state, kind, last) {
            Ok(()) => None,
            Err(error) => {
                state.closed = true;
                Some(format!("this command leaves no log in {}: {}", self.0.store, reason(&error)))
            }
        }
    }

    fn try_write(&self, state: &mut State, kind: LogKind, last: bool) -> io::Result<()> {
        let lines = std::mem::take(&mut state.lines);
        if let Some(file) = &mut state.file {
            return append(file, &lines, last, &mut state.cut);
        }
        // Outside of a workspace, and without a store, there is no place for it.
        let Ok(root) = find_root(&self.0.directory) else {
            state.closed = true;
            return Ok(());
        };
        let Some(mut file) = Logs::of(self.0.store.as_std_path(), root.as_std_path()).create(kind)? else {
            state.closed = true;
            return Ok(());
        };
        let below = self.0.directory.strip_prefix(&root).map(|below| below.as_str()).unwrap_or_default();
        append(&mut file, &placed(&lines, below), last, &mut state.cut)?;
        state.file = Some(file);
        Ok(())
    }
}

/// Says, once, that there was no room for a line.
fn append(file: &mut LogFile, lines: &[u8], last: bool, cut: &mut bool) -> io::Result<()> {
    if !file.append(lines, last)? && !std::mem::replace(cut, true) {
        file.append(&line(&json!({"event": "cut"})), true)?;
    }
    Ok(())
}

/// The lines, with the folder in the first: only now is it known where the workspace is.
fn placed(lines: &[u8], directory: &str) -> Vec<u8> {
    let end = lines.iter().position(|byte| *byte == b'\n').unwrap_or(lines.len());
    let Ok(mut begun) = serde_json::from_slice::<Value>(&lines[..end]) else { return lines.to_vec() };
    begun["directory"] = directory.into();
    [&line(&begun)[..], &lines[(end + 1).min(lines.len())..]].concat()
}

impl State {
    fn add(&mut self, mut value: Value, at: Duration) {
        value["at"] = seconds(at).into();
        self.lines.extend(line(&value));
    }
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// Texts without bounds get some: the end of an error says most.
fn shorten(value: &mut Value) {
    if let Some(text) = value["message"].as_str().filter(|text| text.len() > MESSAGE) {
        let from = text.ceil_char_boundary(text.len() - MESSAGE);
        value["message"] = format!("…{}", &text[from..]).into();
    }
}

/// To the microsecond, as in events.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

struct Recording {
    recorder: Recorder,
    to: Box<dyn Listener + Send>,
}

impl Listener for Recording {
    fn event(&self, event: Event) {
        let warning = self.recorder.event(&event);
        self.to.event(event);
        if let Some(warning) = warning {
            self.to.event(Event::Warning(warning));
        }
    }

    fn keyed(&self, step: &Step, key: &Digest, before: Option<&Digest>) {
        self.recorder.keyed(step, key, before);
    }

    fn shows_lines(&self) -> bool {
        self.to.shows_lines()
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::super::global::Flags;
    use super::*;
    use crate::event_log::Outcome as Ended;
    use crate::store::{OpenMode, Store};

    struct Nobody;

    impl Listener for Nobody {
        fn event(&self, _: Event) {}
    }

    /// The log that these events leave.
    fn logged(events: Vec<Event>) -> (String, Log) {
        let folder = tempfile::tempdir().unwrap();
        let here = camino::Utf8Path::from_path(folder.path()).unwrap();
        std::fs::write(here.join("layers.toml"), "[workspace]\n").unwrap();
        let environment: Environment = [("HOME".into(), folder.path().into())].into_iter().collect();
        let globals = Flags::default().resolve(&environment, here).unwrap();
        Store::open(globals.cache_dir.as_std_path(), OpenMode { wait: false }).unwrap();
        let recorder = Recorder::new(Logged::Always, &["build".to_owned()], &globals);
        let listener = recorder.listener(Box::new(Nobody));
        events.into_iter().for_each(|event| listener.event(event));
        assert_eq!(recorder.end(Exit::Failed, "why"), None);
        let text = recorder.text().unwrap();
        let log = Log::parse(&text).unwrap();
        (text, log)
    }

    #[test]
    fn what_commands_print_is_not_kept_and_bytes_are_summed_up() {
        let step = || Step { label: "//:a".into(), what: "pull" };
        let (elapsed, detail) = (Duration::from_millis(5), "done".to_owned());
        let (text, log) = logged(vec![
            Event::Started(step()),
            Event::Transferred { step: step(), bytes: 3 },
            Event::Printed { step: step(), line: "printed".into() },
            Event::Transferred { step: step(), bytes: 4 },
            Event::Finished { step: step(), outcome: Outcome::Ran, elapsed, detail },
        ]);
        assert!(!text.contains("printed") && text.lines().count() == 4, "{text}");
        assert_eq!((log.steps.len(), log.steps[0].bytes), (1, 7));
        assert_eq!(log.ended.map(|ended| (ended.exit, ended.message)), Some((1, "why".to_owned())));
    }

    #[test]
    fn of_a_long_message_the_end_is_kept() {
        let step = Step { label: "//:a".into(), what: "run" };
        let message = format!("{}é the end", "é".repeat(MESSAGE));
        let (_, log) = logged(vec![Event::Failed { step, message }]);
        let Ended::Failed(message) = &log.steps[0].outcome else { panic!("{log:?}") };
        assert!(message.starts_with("…é") && message.ends_with("é the end") && message.len() <= MESSAGE + 3);
    }
}
