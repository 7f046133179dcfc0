//! What a verb works with: settings, folder, streams and variables, all as values.
//!
//! Knows no verb.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::environment::Environment;
use super::error::CliError;
use super::global::{Flags, Globals, Verbosity, is_dumb};
use super::process::{Input, Interrupts, Process};
use super::recorder::Recorder;
use crate::event::{Event, Listener};
use crate::exit::Exit;
use crate::ui::{self, stream::Stream, style::Style};

/// What a verb works with.
#[derive(Debug)]
pub struct Context {
    /// The global flags.
    pub globals: Globals,
    /// The variables, as they were when the command began.
    pub environment: Environment,
    /// Results go here; buffered, flushed when the verb is over.
    pub out: Stream,
    /// All else goes here.
    pub err: Stream,
    /// What comes in.
    pub input: Input,
    /// For verbs that run until they are stopped.
    pub interrupts: Interrupts,
    /// Writes the command's log; `None` where it leaves none.
    pub recorder: Option<Recorder>,
}

impl Context {
    /// Settles the flags; goes into `-C DIR` where one is given.
    pub fn new(flags: Flags, process: Process) -> Result<Context, CliError> {
        let gone = |error| CliError::io("cannot read the current folder's path", &error);
        let here = Utf8PathBuf::from_path_buf(process.directory.map_err(gone)?)
            .map_err(|path| CliError::usage(format!("the current folder's path is not UTF-8: {}", path.display())))?;
        let mut globals = flags.resolve(&process.environment, &here)?;
        if !globals.directory.is_dir() {
            return Err(CliError::usage(format!("no such folder: {} (from -C)", globals.directory)));
        }
        // Without `..` and the like: what the store keeps of a workspace goes by its root's path.
        globals.directory = globals.directory.canonicalize_utf8().map_err(gone)?;
        let Process { environment, out, err, input, interrupts, .. } = process;
        Ok(Context { globals, environment, out, err, input, interrupts, recorder: None })
    }

    /// The folder that relative labels, patterns and paths are taken from; absolute.
    pub fn directory(&self) -> &Utf8Path {
        &self.globals.directory
    }

    /// A path of the command line, made absolute.
    pub fn path(&self, written: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        self.globals.directory.join(written)
    }

    /// Whether diagnostics and progress on stderr are coloured.
    pub fn err_style(&self) -> Style {
        Style { color: self.globals.color.wants(self.err.is_terminal(), &self.environment) }
    }

    /// Whether results on stdout are coloured.
    pub fn out_style(&self) -> Style {
        Style { color: self.globals.color.wants(self.out.is_terminal(), &self.environment) }
    }

    /// Shows events on stderr, in the way that flags and terminal ask for, and logs them. One for a command: it closes when
    /// it drops.
    pub fn listener(&self) -> Box<dyn Listener + Send> {
        let shown = ui::listener(self.mode(), self.err.clone(), self.err_style());
        match &self.recorder {
            Some(recorder) => recorder.listener(shown),
            None => shown,
        }
    }

    /// Tells a person or a program of something past the listener, when the command is over.
    pub fn warn(&self, message: &str) {
        ui::listener(self.mode(), self.err.clone(), self.err_style()).event(Event::Warning(message.to_owned()));
    }

    fn mode(&self) -> ui::Mode {
        let verbose = self.globals.verbosity == Verbosity::Verbose;
        match self.globals.verbosity {
            _ if self.globals.json => ui::Mode::Json,
            Verbosity::Quiet => ui::Mode::Quiet,
            _ if self.err.is_terminal() && !is_dumb(&self.environment) => ui::Mode::Live { verbose },
            _ => ui::Mode::Plain { verbose },
        }
    }

    /// Tells a person or a program how the command failed, after all results; gives the exit code.
    pub fn fail(&mut self, error: &CliError) -> Exit {
        let _ = self.out.flush();
        if self.globals.json {
            error.show_json(&self.err)
        } else {
            error.show(&self.err, self.err_style())
        }
        error.exit
    }
}
