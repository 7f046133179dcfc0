//! One line for each thing that ended, and a closing line: for logs and pipes.

use super::stream::Stream;
use super::style::Style;
use super::text;
use crate::event::{Event, Listener};

/// Plain lines.
#[derive(Debug)]
pub struct Plain {
    to: Stream,
    style: Style,
    verbose: bool,
}

impl Plain {
    /// Shows on a stream. `verbose`: also a line for what was cached.
    pub fn new(to: Stream, style: Style, verbose: bool) -> Plain {
        Plain { to, style, verbose }
    }
}

impl Listener for Plain {
    fn event(&self, event: Event) {
        if let Some(line) = text::line(&event, self.style, self.verbose) {
            self.to.line(&line);
        }
    }

    fn shows_lines(&self) -> bool {
        self.verbose
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Outcome, Step, Summary};

    fn finished(label: &str, outcome: Outcome) -> Event {
        let step = Step { label: label.into(), what: "files" };
        Event::Finished { step, outcome, elapsed: Duration::from_millis(340), detail: "1.2 MB".into() }
    }

    fn shown(verbose: bool) -> String {
        let (stream, captured) = Stream::memory();
        let plain = Plain::new(stream, Style::default(), verbose);
        plain.event(Event::Planned { actions: 5, cached: 1 });
        plain.event(Event::Started(Step { label: "//a:x".into(), what: "files" }));
        plain.event(finished("//a:x", Outcome::Ran));
        plain.event(finished("//a:z", Outcome::Cached));
        plain.event(Event::Warning("a corrupt entry was rebuilt".into()));
        plain.event(Event::Failed { step: Step { label: "//a:f".into(), what: "tar" }, message: "why".into() });
        let step = Step { label: "//b:y".into(), what: "image" };
        plain.event(Event::Skipped { step, because_of: "//a:f".into() });
        let path = ["//a:x", "//b:y"].map(|label| (label.to_owned(), Duration::from_millis(205)));
        plain.event(Event::Done(Summary {
            verb: "built",
            ran: 1,
            cached: 2,
            failed: 1,
            skipped: 1,
            elapsed: Duration::from_millis(530),
            critical_path: path.to_vec(),
        }));
        captured.text()
    }

    #[test]
    fn each_thing_that_ended_has_a_line_and_what_was_cached_is_counted() {
        insta::assert_snapshot!(shown(false), @r"
        built //a:x files 1.2 MB 0.34s
        warning: a corrupt entry was rebuilt
        failed //a:f tar
        skipped //b:y image because //a:f failed
        1 built, 2 cached, 1 failed, 1 skipped in 0.53s; critical path 0.41s: //a:x → //b:y
        ");
    }

    #[test]
    fn verbose_names_what_was_cached() {
        assert!(shown(true).contains("\ncached //a:z files 1.2 MB\n"), "{}", shown(true));
    }
}
