//! What `lock` says: a line for each entry that changed, a hint for each tag that could be pinned, and all that failed.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use super::project::Project;
use crate::diagnostic::Diagnostic;
use crate::event::{Event, Listener};
use crate::exit::Exit;
use crate::label::Label;
use crate::lock::LockError;
use crate::reference::Reference;
use crate::rules::pull::Source;
use crate::workspace::lock_file::LockedImage;

/// What became of one image.
pub struct Found<'a> {
    /// What was asked for.
    pub source: &'a Source,
    /// Its entry so far.
    pub before: Option<&'a LockedImage>,
    /// Its entry now.
    pub result: Result<LockedImage, LockError>,
    /// What to know of an entry that was kept.
    pub warning: Option<String>,
}

impl Found<'_> {
    /// Tells the warning.
    pub fn tell(&self, listener: &dyn Listener) {
        self.warning.iter().for_each(|warning| listener.event(Event::Warning(warning.clone())));
    }
}

/// All that is to be said.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    pins: Vec<String>,
    errors: Vec<Diagnostic>,
    environment: bool,
    kept: usize,
}

impl Report {
    /// Takes in an entry that is gone.
    pub fn dropped(&mut self, label: &Label, entry: Option<LockedImage>) {
        self.lines.extend(entry.map(|entry| format!("{label} {} {} dropped", entry.image, entry.digest)));
    }

    /// Takes in what was found; gives the entry to write, `None` where there is none.
    pub fn found(&mut self, found: &Found<'_>) -> Option<LockedImage> {
        let source = found.source;
        let now = match &found.result {
            Ok(now) => now.clone(),
            Err(error) => {
                self.failed(source, error);
                return None;
            }
        };
        let (label, image, digest) = (&source.label, &source.image, now.digest);
        match found.before {
            Some(before) if *before == now => self.kept += 1,
            Some(before) if before.digest != digest => {
                self.lines.push(format!("{label} {image} {} → {digest}", before.digest));
            }
            Some(_) => {
                let platforms: Vec<String> = now.platforms.keys().map(ToString::to_string).collect();
                self.lines.push(format!("{label} {image} {digest} for {}", platforms.join(", ")));
            }
            None => self.lines.push(format!("{label} {image} {digest}")),
        }
        if found.before.map(|before| before.digest) != Some(digest) {
            self.pins.extend(pin(source, &now));
        }
        Some(now)
    }

    /// Takes in a line of its own.
    pub fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Takes in an entry that stays.
    pub fn keep(&mut self) {
        self.kept += 1;
    }

    /// Takes in what failed; `environment`: the machine or the network is to blame.
    pub fn fail(&mut self, diagnostic: Diagnostic, environment: bool) {
        self.environment |= environment;
        self.errors.push(diagnostic);
    }

    fn failed(&mut self, source: &Source, error: &LockError) {
        let environment = error.is_environment();
        let diagnostic = Diagnostic::error(format!("{} can't be locked: {error}", source.label)).at(source.span, "");
        self.fail(error.hint().into_iter().fold(diagnostic, Diagnostic::help), environment);
    }

    /// Lines to stdout, hints to stderr; an error where anything failed.
    pub fn show(self, project: &Project, cx: &mut Context) -> Result<(), CliError> {
        for line in &self.lines {
            writeln!(cx.out, "{line}")?;
        }
        if cx.globals.verbosity != Verbosity::Quiet && !cx.globals.json {
            self.pins.iter().for_each(|pin| cx.err.line(pin));
            let (changed, kept) = (self.lines.len(), self.kept);
            cx.err.line(&format!("{changed} changed, {kept} unchanged in layers.lock"));
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        let exit = if self.environment { Exit::Environment } else { Exit::Usage };
        Err(project.diagnosed(exit, &self.errors))
    }
}

/// Of a pull that is named by a tag alone: what to write to pin it in the sources too.
fn pin(source: &Source, now: &LockedImage) -> Option<String> {
    if source.published || source.reference.digest.is_some() {
        return None;
    }
    let pinned = Reference { digest: Some(now.digest), ..source.reference.clone() };
    Some(format!("{}: to pin it in layers.toml as well, write image = \"{pinned}\"", source.label))
}
