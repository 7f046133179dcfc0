//! The process that a command runs in: environment, folder and streams as values; panics and interrupts.
//!
//! The one file that ends the process early: on Ctrl-C, since nothing can be lost (the store is valid at any moment). A verb
//! that runs until it is stopped asks to be told instead, once.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, Read};
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::environment::Environment;
use super::error::CliError;
use super::recorder::Recorder;
use crate::exit::Exit;
use crate::ui::stream::Stream;

/// What a command is given by the process that it runs in.
#[derive(Debug)]
pub struct Process {
    /// The variables.
    pub environment: Environment,
    /// The current folder; an error where it was deleted or can't be reached.
    pub directory: io::Result<PathBuf>,
    /// Results go here.
    pub out: Stream,
    /// All else goes here.
    pub err: Stream,
    /// What comes in.
    pub input: Input,
    /// What becomes of an interrupt.
    pub interrupts: Interrupts,
}

/// What comes in, for whoever asks.
pub struct Input(Box<dyn Read + Send + Sync>);

impl Input {
    /// Nothing.
    pub fn empty() -> Input {
        Input(Box::new(io::empty()))
    }

    /// All of it, which must be text.
    pub fn text(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.0.read_to_string(&mut text).map(|_| text)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

/// What becomes of SIGINT and SIGTERM: they end the process, unless somebody asked to be told of the next one.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    waiting: Arc<Mutex<Option<oneshot::Sender<()>>>>,
    /// The log of the command, which says how it ended.
    recorder: Arc<Mutex<Option<Recorder>>>,
}

impl Interrupts {
    /// Resolves at the next interrupt, which then does not end the process; the one after it does.
    pub fn next(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Names the log that is told when the process ends by an interrupt.
    pub fn record(&self, recorder: Recorder) {
        *self.recorder.lock().unwrap_or_else(PoisonError::into_inner) = Some(recorder);
    }

    /// What kept its trace from being written.
    fn close_log(&self) -> Option<CliError> {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).take();
        recorder?.interrupted().err()
    }

    /// Whether somebody was told.
    fn tell(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waiting.is_some_and(|waiting| waiting.send(()).is_ok())
    }
}

impl Process {
    /// With the process's own streams.
    pub fn new(environment: Environment, directory: io::Result<PathBuf>) -> Process {
        let (out, err, input) = (Stream::stdout(), Stream::stderr(), Input(Box::new(io::stdin())));
        Process { environment, directory, out, err, input, interrupts: Interrupts::default() }
    }

    /// Makes panics readable and interrupts end with their code.
    pub fn install_hooks(&self) {
        let err = self.err.clone();
        std::panic::set_hook(Box::new(move |info| err.line_if_free(&bug_report(info))));
        let (err, interrupts) = (self.err.clone(), self.interrupts.clone());
        // Without this thread an interrupt still ends the process, only with the system's own code.
        let _ = thread::Builder::new().name("interrupt".into()).spawn(move || end_when_interrupted(&err, &interrupts));
    }
}

/// What a user is told of a panic.
fn bug_report(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("an unknown panic");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "error: this is a bug in layerbuild {version}: {what} ({place})\n  hint: please report it where you got \
         layerbuild from, with the command and this message; RUST_BACKTRACE=1 shows more"
    );
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("\n{backtrace}"));
    }
    text
}

#[expect(clippy::exit, reason = "an interrupt ends the process whatever its threads do; the store is crash-safe")]
fn end_when_interrupted(err: &Stream, interrupts: &Interrupts) {
    if wait_for_signal(interrupts).is_ok() {
        err.line_if_free("\ninterrupted");
        interrupts.close_log().iter().for_each(|error| err.line_if_free(&format!("error: {}", error.message)));
        std::process::exit(i32::from(Exit::Interrupted.code()));
    }
}

/// Returns when the process is asked to end, by SIGINT or SIGTERM, and nobody else is told.
fn wait_for_signal(interrupts: &Interrupts) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        either(&mut interrupt, &mut terminate).await;
        while interrupts.tell() {
            either(&mut interrupt, &mut terminate).await;
        }
        Ok(())
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
