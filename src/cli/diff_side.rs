//! What `diff` compares, by how it is written: a target, its build before, a reference, or a digest in the store.

use std::fmt;
use std::str::FromStr;

use super::error::CliError;
use super::work::{Results, Work};
use super::{images, patterns};
use crate::action::Operation;
use crate::action::record::Output;
use crate::build::recall::{Recalled, recall};
use crate::digest::{DiffId, Digest};
use crate::effect::inspect::{InspectError, Inspector, Subject};
use crate::exit::Exit;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Store, StoreError};

/// One side as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A target, and whether its build before the present one is meant.
    Target(String, bool),
    /// A manifest in the store.
    Kept(Digest),
    /// An image in a registry.
    Published(Reference),
}

/// What a target's build before is marked with.
const BEFORE: &str = "~1";

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Side, String> {
        let text = patterns::read(text)?;
        if text.starts_with("//") || text.starts_with([':', '@']) {
            return match text.split_once('~') {
                None => Ok(Side::Target(text, false)),
                Some((label, "1")) => Ok(Side::Target(label.to_owned(), true)),
                Some((_, other)) => Err(format!("`~{other}` names no build: only `{BEFORE}`, the one before, is kept")),
            };
        }
        if text.starts_with("sha256:") {
            return text.parse().map(Side::Kept).map_err(|error: crate::digest::DigestError| error.to_string());
        }
        published(&text).map(Side::Published)
    }
}

/// A whole reference, where a label could have been meant.
pub fn published(text: &str) -> Result<Reference, String> {
    let parsed = text.parse::<Reference>();
    let whole = parsed.and_then(|reference| reference.repository().map(|_| reference));
    whole.map_err(|error| format!("{error}; a label begins with `//` or `:`"))
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Target(label, false) => f.write_str(label),
            Side::Target(label, true) => write!(f, "{label}{BEFORE}"),
            Side::Kept(digest) => write!(f, "{digest}"),
            Side::Published(reference) => write!(f, "{reference}"),
        }
    }
}

/// The targets among the sides, built.
pub struct Local<'a> {
    /// The build.
    pub work: &'a Work<'a>,
    /// What it gave.
    pub results: &'a Results,
}

impl Local<'_> {
    /// The pulled bases: their layers, lowest first, and the listing that was locked.
    pub fn bases(&self, store: &Store) -> impl Iterator<Item = (Vec<DiffId>, Digest)> {
        let graph = &self.work.lowered.graph;
        graph.ids().filter_map(move |id| {
            let (Operation::Pull(pull), Some(Output::Image(image))) =
                (&graph.get(id).operation, self.results.output(id))
            else {
                return None;
            };
            Some((images::config(image, store).ok()?.rootfs.diff_ids, pull.image()?.listing))
        })
    }
}

impl Side {
    /// The label, of a target.
    pub fn target(&self) -> Option<&str> {
        match self {
            Side::Target(label, _) => Some(label),
            _ => None,
        }
    }

    /// What it is. `local` is there where any side is a target.
    pub fn subject(
        &self,
        inspector: &Inspector<'_>,
        platform: &Platform,
        local: Option<&Local<'_>>,
    ) -> Result<Subject, CliError> {
        let (label, before) = match self {
            Side::Published(reference) => return Ok(inspector.published(reference, platform)?),
            Side::Kept(digest) => {
                let gone = |error: &InspectError| matches!(error, InspectError::Store(StoreError::Missing { digest: lost }) if lost == digest);
                return inspector.kept(*digest, platform).map_err(|error| match gone(&error) {
                    true => CliError::usage(format!("the store has no image {digest}")),
                    false => error.into(),
                });
            }
            Side::Target(label, before) => (label, *before),
        };
        let local = local.ok_or_else(|| CliError::new(Exit::Bug, "a target was not built"))?;
        match local.output(label, before)? {
            Output::Image(image) => Ok(inspector.image(&image)?),
            Output::Layer(layer) => Ok(inspector.layer(&layer)),
            Output::Index(index) => Ok(inspector.kept(index.index.digest, platform)?),
            Output::File(_) | Output::Passed(_) => {
                Err(CliError::usage(format!("{label} is neither an image nor a layer")))
            }
        }
    }
}

impl Local<'_> {
    fn output(&self, text: &str, before: bool) -> Result<Output, CliError> {
        let Work { project, selected, lowered, store, .. } = self.work;
        let pattern = project.patterns.iter().find(|pattern| pattern.text == text);
        let selection = pattern.and_then(|pattern| selected.graph.select(std::slice::from_ref(pattern)).ok());
        let target = match selection.as_ref().map(|selection| selection.targets.as_slice()) {
            Some([target]) => *target,
            _ => return Err(CliError::usage(format!("`{text}` names several targets; diff takes one on each side"))),
        };
        let label = &selected.graph.target(target).label;
        let action = lowered.action(target);
        let action = action.ok_or_else(|| CliError::new(Exit::Bug, "the target has no action"))?;
        if !before {
            let output = self.results.output(action).cloned();
            return output.ok_or_else(|| CliError::new(Exit::Bug, "the target has no output"));
        }
        let last = store.last_builds(project.root().as_std_path()).load()?;
        let unknown = || CliError::usage(format!("no build of {label} before the present one is known here"));
        let key = last.get(&format!("{} before", lowered.graph.note_name(action))).ok_or_else(unknown)?;
        match recall(key, store)? {
            Recalled::Known(output) => Ok(output),
            Recalled::Unknown | Recalled::Damaged(_) => {
                Err(CliError::environment(format!("what {label}{BEFORE} was is no longer in the store")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_a_side_is_told_from_the_others() {
        let side = |text: &str| text.parse::<Side>().unwrap();
        assert_eq!(side("//a:b"), Side::Target("//a:b".into(), false));
        assert_eq!(side(":b~1"), Side::Target(":b".into(), true));
        assert!(matches!(side("localhost:5000/a/b:1"), Side::Published(_)));
        assert!(matches!(side(&Digest::of(b"").to_string()), Side::Kept(_)));
        for text in ["//a:b~2", "a/b", "sha256:no", "docker.io/A"] {
            assert!(text.parse::<Side>().is_err(), "{text}");
        }
        for text in ["//a:b", ":b~1", "localhost:5000/a/b:1"] {
            assert_eq!(side(text).to_string(), text);
        }
    }
}
