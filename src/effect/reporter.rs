//! What happens while images are published, as the command's events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::event::{Event, Listener, Outcome, Step};
use crate::reason::chain;
use crate::reference::{Repository, RepositoryPath};
use crate::registry::{BlobDescriptor, Notice, PushEvent, Pushed, RegistryError};

/// The registry's events as the command's.
pub(super) struct Reporter<'a> {
    what: &'static str,
    /// Each image's label and the repository that it goes to, in their order.
    images: Vec<(String, RepositoryPath)>,
    listener: &'a dyn Listener,
    start: Instant,
    /// How much of a blob was sent to a repository.
    progress: RefCell<BTreeMap<(RepositoryPath, BlobDescriptor), u64>>,
}

impl<'a> Reporter<'a> {
    /// Says that work on images began. `what`: is done with them.
    pub fn new(what: &'static str, images: Vec<(String, RepositoryPath)>, listener: &'a dyn Listener) -> Reporter<'a> {
        let reporter = Reporter { what, images, listener, start: Instant::now(), progress: RefCell::default() };
        reporter.images.iter().for_each(|(label, _)| listener.event(Event::Started(reporter.step(label))));
        reporter
    }

    /// Passes an event on.
    pub fn tell(&self, event: PushEvent) {
        match event {
            PushEvent::BlobProgress(repository, blob, sent) => self.progressed(&repository, blob, sent),
            PushEvent::Notice(Notice::Retrying { error, wait }) => {
                let text = format!("{error}; trying again in {:.1} s", wait.as_secs_f64());
                self.listener.event(Event::Warning(text));
            }
            _ => {}
        }
    }

    fn progressed(&self, repository: &Repository, blob: BlobDescriptor, sent: u64) {
        let before = self.progress.borrow_mut().insert((repository.path.clone(), blob), sent).unwrap_or(0);
        let Some((label, _)) = self.images.iter().find(|(_, path)| *path == repository.path) else { return };
        self.listener.event(Event::Transferred { step: self.step(label), bytes: sent.saturating_sub(before) });
    }

    /// Says what became of each image.
    pub fn close(&self, results: &[Result<Pushed, RegistryError>]) {
        for ((label, _), result) in self.images.iter().zip(results) {
            let step = self.step(label);
            self.listener.event(match result {
                Err(error) => Event::Failed { step, message: chain(error) },
                Ok(pushed) => Event::Finished {
                    step,
                    outcome: if pushed.unchanged { Outcome::Cached } else { Outcome::Ran },
                    elapsed: self.start.elapsed(),
                    detail: pushed.reference().to_string(),
                },
            });
        }
    }

    fn step(&self, label: &str) -> Step {
        Step { label: label.to_owned(), what: self.what }
    }
}
