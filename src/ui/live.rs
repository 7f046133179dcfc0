//! Live lines on a terminal: finished lines scroll away above, what runs now and a counter stay below.
//!
//! Nothing is drawn before something starts, so a build that finds all in the cache shows its closing line only.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::stream::Stream;
use super::style::Style;
use super::terminal::Terminal;
use super::text;
use crate::event::{Event, Listener, Outcome, Step};

/// How often the live lines are drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// How many running steps have a line of their own.
const LINES: usize = 6;

/// Live lines.
#[derive(Debug)]
pub struct Live {
    to: Stream,
    style: Style,
    verbose: bool,
    bar: ProgressBar,
    state: Arc<Mutex<State>>,
}

/// What the live lines show.
#[derive(Debug, Default)]
struct State {
    actions: usize,
    ended: usize,
    cached: usize,
    /// In the order in which they started.
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    step: Step,
    since: Instant,
    bytes: u64,
}

impl Live {
    /// Shows on a stream that is a terminal. `verbose`: also a line for what was cached.
    pub fn new(to: Stream, style: Style, verbose: bool) -> Live {
        let state = Arc::new(Mutex::new(State::default()));
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Terminal::new(to.clone())), 20);
        let bar = ProgressBar::with_draw_target(None, target);
        let (shared, width) = (Arc::clone(&state), to.clone());
        let draw = move |_: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let columns = usize::from(width.size().columns);
            // A formatter that fails has nobody to tell.
            let _ = out.write_str(&locked(&shared).lines(columns, style));
        };
        let template = ProgressStyle::with_template("{live}").unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(template.with_key("live", draw));
        Live { to, style, verbose, bar, state }
    }

    fn begin_drawing(&self) {
        self.bar.enable_steady_tick(TICK);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener for Live {
    fn event(&self, event: Event) {
        let first = {
            let mut state = locked(&self.state);
            let idle = state.running.is_empty() && state.ended == state.cached;
            state.take(&event);
            idle && !state.running.is_empty()
        };
        if first {
            self.begin_drawing();
        }
        if matches!(event, Event::Done(_)) {
            self.bar.finish_and_clear();
        }
        let Some(line) = text::line(&event, self.style, self.verbose) else { return };
        // Not `println`: it fills lines with spaces up to the border, which whoever copies them would find.
        self.bar.suspend(|| self.to.line(&line));
    }

    fn shows_lines(&self) -> bool {
        self.verbose
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl State {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { actions, cached } => {
                (self.actions, self.ended, self.cached) = (*actions, *cached, *cached);
            }
            Event::Started(step) => {
                self.running.push(Running { step: step.clone(), since: Instant::now(), bytes: 0 });
            }
            Event::Finished { step, outcome, .. } => {
                self.cached += usize::from(*outcome == Outcome::Cached);
                self.end(step);
            }
            Event::Failed { step, .. } | Event::Skipped { step, .. } => self.end(step),
            Event::Transferred { step, bytes } => {
                let running = self.running.iter_mut().find(|running| running.step == *step);
                running.into_iter().for_each(|running| running.bytes += bytes);
            }
            Event::Known { .. } | Event::Printed { .. } | Event::Warning(_) | Event::Done(_) => {}
        }
    }

    fn end(&mut self, step: &Step) {
        self.ended += 1;
        self.running.retain(|running| running.step != *step);
    }

    /// What runs, oldest first, then the counter; no line is longer than the terminal is wide.
    fn lines(&self, columns: usize, style: Style) -> String {
        let mut lines: Vec<String> = self.running.iter().take(LINES).map(|running| running.line(columns)).collect();
        lines.push(style.dim(cut(&self.counter(), columns)));
        lines.join("\n")
    }

    /// `[12/40] 8 cached`; what runs without a line of its own is counted too.
    fn counter(&self) -> String {
        let mut line = String::new();
        if self.actions > 0 {
            let _ = write!(line, "[{}/{}] {} cached", self.ended, self.actions, self.cached);
        }
        if let more @ 1.. = self.running.len().saturating_sub(LINES) {
            let _ = write!(line, " … and {more} more running");
        }
        line
    }
}

impl Running {
    fn line(&self, columns: usize) -> String {
        let moved = if self.bytes > 0 { format!(" {}", text::size(self.bytes)) } else { String::new() };
        let elapsed = self.since.elapsed().as_secs_f64();
        let (doing, step) = (text::present(self.step.what), text::named(&self.step));
        cut(&format!("  {doing} {step}{moved} {elapsed:.1}s"), columns)
    }
}

/// At most so many characters, the last one `…` where something is left out.
fn cut(line: &str, columns: usize) -> String {
    // A line that fills the last column makes some terminals wrap.
    let limit = columns.saturating_sub(1).max(1);
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    line.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Summary;

    fn step(label: &str) -> Step {
        Step { label: label.into(), what: "files" }
    }

    fn finished(label: &str, outcome: Outcome) -> Event {
        Event::Finished { step: step(label), outcome, elapsed: Duration::ZERO, detail: String::new() }
    }

    #[test]
    fn the_counter_tells_cached_from_ended() {
        let mut state = State::default();
        for event in [
            Event::Planned { actions: 40, cached: 8 },
            Event::Started(step("//a:x")),
            Event::Started(step("//a:y")),
            finished("//a:x", Outcome::Ran),
            finished("//a:z", Outcome::Cached),
        ] {
            state.take(&event);
        }
        assert_eq!(state.counter(), "[10/40] 9 cached");
        let lines = state.lines(30, Style::default());
        assert!(lines.starts_with("  building //a:y files 0."), "{lines}");
    }

    #[test]
    fn more_than_fits_is_counted_and_long_lines_are_cut() {
        let mut state = State::default();
        (0..LINES + 3).for_each(|n| state.take(&Event::Started(step(&format!("//a/very/long/package:{n}")))));
        let lines = state.lines(20, Style::default());
        assert_eq!(lines.lines().count(), LINES + 1);
        assert!(lines.lines().all(|line| line.chars().count() < 20), "{lines}");
        assert!(state.counter().ends_with("and 3 more running"));
    }

    #[test]
    fn a_build_from_the_cache_shows_its_closing_line_only() {
        let (stream, captured) = Stream::memory();
        let live = Live::new(stream, Style::default(), false);
        live.event(Event::Planned { actions: 3, cached: 3 });
        live.event(Event::Done(Summary { verb: "built", cached: 3, ..Summary::default() }));
        drop(live);
        assert_eq!(captured.text(), "0 built, 3 cached in 0.00s\n");
    }

    #[test]
    fn finished_lines_scroll_and_live_lines_are_cleared_before_the_closing_one() {
        let (stream, captured) = Stream::memory();
        let live = Live::new(stream, Style::default(), false);
        live.event(Event::Planned { actions: 1, cached: 0 });
        live.event(Event::Started(step("//a:x")));
        live.event(finished("//a:x", Outcome::Ran));
        live.event(Event::Done(Summary { verb: "built", ran: 1, ..Summary::default() }));
        drop(live);
        let text = captured.text();
        assert!(text.contains("built //a:x files 0.00s"), "{text:?}");
        assert!(text.ends_with("1 built, 0 cached in 0.00s\n"), "{text:?}");
        let closing = text.rfind("1 built").unwrap();
        let (drawn, cleared) = (text[..closing].rfind("[1/1]"), text[..closing].rfind("\x1b[2K"));
        assert!(drawn.is_some() && drawn < cleared, "{text:?}");
    }
}
