//! What happens while a command works, as plain values. Made by `build` and `registry`, shown by `ui`.
//!
//! Knows nothing of terminals.

use std::time::Duration;

use crate::digest::Digest;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The plan stands: how many actions there are, and how many the cache already answers.
    Planned {
        /// All actions of the targets asked for.
        actions: usize,
        /// Those that need not run.
        cached: usize,
    },
    /// A result that was known before anything ran; told only where everything is.
    Known {
        /// What it would have been.
        step: Step,
        /// What it gives, such as a digest.
        detail: String,
    },
    /// Work on something began.
    Started(Step),
    /// Work on something ended well.
    Finished {
        /// What it was.
        step: Step,
        /// How it came to an end.
        outcome: Outcome,
        /// How long it took.
        elapsed: Duration,
        /// What it gave, such as a digest and a size; may be empty.
        detail: String,
    },
    /// Work on something failed; the error as a whole is the command's result.
    Failed {
        /// What it was.
        step: Step,
        /// Why, in the error's words.
        message: String,
    },
    /// Something that can't be done because of what failed before it.
    Skipped {
        /// What it was.
        step: Step,
        /// The label that failed.
        because_of: String,
    },
    /// Bytes moved to or from a registry.
    Transferred {
        /// What they belong to.
        step: Step,
        /// Since the last event of this step.
        bytes: u64,
    },
    /// A step's command printed a line; secrets are blotted out.
    Printed {
        /// What it belongs to.
        step: Step,
        /// Without its end.
        line: String,
    },
    /// Worth knowing; the command goes on.
    Warning(String),
    /// The command's work is over.
    Done(Summary),
}

/// One piece of work, as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// The target, with the platform behind it where it has more than one.
    pub label: String,
    /// What is done for it: `files`, `tar`, `image`, `push`, …
    pub what: &'static str,
}

/// How a step ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Ran,
    /// Its result was known already: an input came out as before, or another process was faster.
    Cached,
}

/// The closing line's figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// What the figures count: `built`, `pushed`, …
    pub verb: &'static str,
    /// Actions that ran.
    pub ran: usize,
    /// Actions whose result was known.
    pub cached: usize,
    /// Actions that failed.
    pub failed: usize,
    /// Actions that could not be tried.
    pub skipped: usize,
    /// Wall time of the whole command.
    pub elapsed: Duration,
    /// The chain of dependent steps that took longest, first to last, with the time of each. Empty where nothing ran.
    pub critical_path: Vec<(String, Duration)>,
}

/// Where events go. Called from several threads.
pub trait Listener: Sync {
    /// Takes one event.
    fn event(&self, event: Event);

    /// Takes note of the key under which an action ran, and of the one that its target's build before had; for logs, which
    /// say later why it ran.
    fn keyed(&self, _step: &Step, _key: &Digest, _before: Option<&Digest>) {}

    /// Whether people see each line that commands print: an error need not repeat the last ones.
    fn shows_lines(&self) -> bool {
        false
    }
}
