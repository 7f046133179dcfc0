//! What is built, what is published, and whether the two are in step; whether bases are what their tags name.
//!
//! Takes digests and references, asks registries through [`Tags`], several at a time. A registry that can't be asked is
//! asked no more, and told once. Knows no target, no store and no lock file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::reference::{Reference, Registry};
use crate::registry::{Puller, RegistryError};

/// What tags name.
pub trait Tags: Sync {
    /// The digest that a reference names at this moment; `None`: it is not there.
    fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError>;
}

impl Tags for Puller {
    fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        self.head(reference)
    }
}

/// An image as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Its label.
    pub label: String,
    /// Of what the store has for the present sources, or of what is locked where it is taken as published; `None`: it
    /// would have to be built.
    pub built: Option<Digest>,
    /// Whether it is taken as published, and not built here.
    pub taken: bool,
    /// Whether it is taken as it was built here last, whatever its sources are by now.
    pub as_built: bool,
    /// Where it is published.
    pub published: Reference,
    /// The pulled base that it stands on; `None`: it stands on none.
    pub base: Option<Base>,
}

/// A pulled base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// As the workspace names it; with a digest it can't move.
    pub reference: Reference,
    /// What is locked.
    pub locked: Digest,
}

/// What a registry says of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// It names this.
    Names(Digest),
    /// It is not there.
    Nothing,
    /// The registry could not be asked.
    Unknown,
}

/// How an image and its tag stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The tag names what is built.
    InStep,
    /// The tag names something else.
    OutOfStep,
    /// Nothing is published under the tag.
    NotPublished,
    /// The present sources are not built, so nothing can be said.
    NotBuilt,
    /// The registry could not be asked.
    Unknown,
}

/// How a base stands to its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseState {
    /// There is none.
    None,
    /// The tag names what is locked, or the digest is written.
    UpToDate,
    /// The tag names another by now.
    Moved(Digest),
    /// The tag is not there any more.
    Gone,
    /// The registry could not be asked.
    Unknown,
}

/// One image's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is here.
    pub local: Local,
    /// What is published.
    pub published: Tagged,
    /// Both together.
    pub step: Step,
    /// Its base.
    pub base: BaseState,
}

/// All rows, in the order in which images were given, and why registries could not be asked.
#[derive(Debug, Default)]
pub struct Status {
    /// One for each image.
    pub rows: Vec<Row>,
    /// By registry.
    pub failures: BTreeMap<Registry, RegistryError>,
}

/// Asks for all tags, `parallel` at a time, each once.
pub fn status(images: Vec<Local>, tags: &dyn Tags, parallel: usize) -> Status {
    let bases = images.iter().filter_map(|image| image.base.as_ref()).map(|base| &base.reference);
    let movable = bases.filter(|reference| reference.digest.is_none());
    let mut wanted: Vec<&Reference> = images.iter().map(|image| &image.published).chain(movable).collect();
    wanted.sort();
    wanted.dedup();
    let asked = Asked { tags, wanted: &wanted, next: AtomicUsize::new(0), answers: Mutex::default() };
    std::thread::scope(|scope| {
        for _ in 0..parallel.clamp(1, wanted.len().max(1)) {
            scope.spawn(|| asked.work());
        }
    });
    let Answers { found, failures } = asked.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    let of = |reference: &Reference| found.get(reference).copied().unwrap_or(Tagged::Unknown);
    let rows = images.iter().map(|image| row(image, of)).collect();
    Status { rows, failures }
}

struct Asked<'a> {
    tags: &'a dyn Tags,
    wanted: &'a [&'a Reference],
    next: AtomicUsize,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    found: BTreeMap<Reference, Tagged>,
    failures: BTreeMap<Registry, RegistryError>,
}

impl Asked<'_> {
    /// One worker: asks until all was asked.
    fn work(&self) {
        while let Some(reference) = self.wanted.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let Some(registry) = &reference.registry else { continue };
            let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if answers().failures.contains_key(registry) {
                continue;
            }
            match self.tags.digest(reference) {
                Ok(Some(digest)) => drop(answers().found.insert((*reference).clone(), Tagged::Names(digest))),
                Ok(None) => drop(answers().found.insert((*reference).clone(), Tagged::Nothing)),
                Err(error) => drop(answers().failures.entry(registry.clone()).or_insert(error)),
            }
        }
    }
}

fn row(image: &Local, tagged: impl Fn(&Reference) -> Tagged) -> Row {
    let published = tagged(&image.published);
    let step = match (image.built, published) {
        (_, Tagged::Unknown) => Step::Unknown,
        (None, _) => Step::NotBuilt,
        (Some(_), Tagged::Nothing) => Step::NotPublished,
        (Some(built), Tagged::Names(digest)) if built == digest => Step::InStep,
        (Some(_), Tagged::Names(_)) => Step::OutOfStep,
    };
    let base = match &image.base {
        None => BaseState::None,
        Some(base) if base.reference.digest.is_some() => BaseState::UpToDate,
        Some(base) => match tagged(&base.reference) {
            Tagged::Names(digest) if digest == base.locked => BaseState::UpToDate,
            Tagged::Names(digest) => BaseState::Moved(digest),
            Tagged::Nothing => BaseState::Gone,
            Tagged::Unknown => BaseState::Unknown,
        },
    };
    Row { local: image.clone(), published, step, base }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers by the repository's path; counts questions.
    struct Memory(Mutex<Vec<String>>);

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    impl Tags for Memory {
        fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
            self.0.lock().unwrap().push(reference.to_string());
            match reference.path.as_str() {
                _ if reference.to_string().starts_with("dead") => {
                    Err(RegistryError::Client { cause: "nobody answers".into() })
                }
                "none" => Ok(None),
                path => Ok(Some(digest(path))),
            }
        }
    }

    fn image(published: &str, built: Option<&str>, base: Option<(&str, &str)>) -> Local {
        let base =
            base.map(|(reference, locked)| Base { reference: reference.parse().unwrap(), locked: digest(locked) });
        let (label, published) = (published.into(), published.parse().unwrap());
        Local { label, built: built.map(digest), taken: false, as_built: false, published, base }
    }

    #[test]
    fn an_image_is_held_against_its_tag_and_its_base_against_the_bases() {
        let pinned = format!("r.example/moved@{}", digest("x"));
        let images = vec![
            image("r.example/a:1", Some("a"), None),
            image("r.example/b:1", Some("other"), Some(("r.example/base:1", "base"))),
            image("r.example/none:1", Some("a"), Some(("r.example/moved:1", "before"))),
            image("r.example/c:1", None, Some(("r.example/none:1", "x"))),
            image("r.example/d:1", Some("d"), Some((&pinned, "x"))),
            image("dead.example/e:1", Some("e"), Some(("dead.example/base:1", "x"))),
        ];
        let memory = Memory(Mutex::default());
        let status = status(images, &memory, 4);
        let told: Vec<_> = status.rows.iter().map(|row| (row.step, row.base)).collect();
        let moved = BaseState::Moved(digest("moved"));
        let expected = [
            (Step::InStep, BaseState::None),
            (Step::OutOfStep, BaseState::UpToDate),
            (Step::NotPublished, moved),
            (Step::NotBuilt, BaseState::Gone),
            (Step::InStep, BaseState::UpToDate),
            (Step::Unknown, BaseState::Unknown),
        ];
        assert_eq!(told, expected);
        assert_eq!(status.failures.len(), 1);
    }

    #[test]
    fn each_tag_is_asked_for_once_and_a_dead_registry_no_more() {
        let base = Some(("r.example/base:1", "base"));
        let images = vec![
            image("dead.example/a:1", None, base),
            image("dead.example/b:1", None, base),
            image("r.example/c:1", None, base),
        ];
        let memory = Memory(Mutex::default());
        status(images, &memory, 1);
        assert_eq!(*memory.0.lock().unwrap(), ["dead.example/a:1", "r.example/base:1", "r.example/c:1"]);
    }
}
