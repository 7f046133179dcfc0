//! The tests before a promotion: held against what the registry has, which need not be what the workspace would build now.
//!
//! What passed before under the same digest is not looked at again. Promotes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::checks;
use super::context::Context;
use super::error::CliError;
use super::project::{self, Project, Selected};
use super::work::{Work, unmet};
use crate::action::key::{self, Inputs};
use crate::action::record::{Blob, ImageOutput, Output, Record};
use crate::action::{Action, ActionId, Expected, ImageTestAction, Operation};
use crate::base::fetch::{Origin, Reader};
use crate::base::remote::RemoteBlob;
use crate::build::Workshop;
use crate::build::error::BuildError;
use crate::build::image_test;
use crate::build::recall::{Recalled, recall};
use crate::build::upstream::{Tested, TestedBase};
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::effect::promote::Promotion;
use crate::exit::Exit;
use crate::graph::TargetId;
use crate::label::Label;
use crate::oci::descriptor::Descriptor;
use crate::oci::image::ImageError;
use crate::oci::index::Index;
use crate::oci::manifest::{Config, Manifest, ReadError, is_index};
use crate::plan::lower::Lowered;
use crate::platform::Platform;
use crate::reference::Repository;
use crate::registry::{ClientConfig, Puller};
use crate::rules;
use crate::store::Cache;

/// The promotions that tests allow, each of just what was tested; and an error that tells of the others.
pub fn allowed(
    promotions: Vec<Promotion>,
    project: &Project,
    selected: &Selected<'_>,
    client: &ClientConfig,
    cx: &Context,
) -> Result<(Vec<Promotion>, Option<CliError>), CliError> {
    let tests = |id: &TargetId| checks::before(*id, &selected.graph);
    if selected.targets.iter().all(|id| tests(id).is_empty()) {
        return Ok((promotions, None));
    }
    let asked = asked(selected).map_err(|errors| project.diagnosed(Exit::Usage, &errors))?;
    let (store, lowered) = (project::open_store(cx)?, Lowered::default());
    let work = Work::looking(project, selected, &lowered, &store, cx)?;
    let puller = Puller::new(client.clone())?;
    let judged = work.in_shop(cx, |shop| {
        let judge = Judge { selected, asked: &asked, shop, puller: &puller };
        let judged = promotions.into_iter().zip(&selected.targets);
        judged.map(|(promotion, id)| judge.promotion(promotion, *id, tests(id))).collect::<Result<Vec<_>, _>>()
    })?;
    store.actions().flush()?;
    store.finish()?;
    let (mut free, mut stopped, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for Judged { promotion, id, failed } in judged {
        if failed.is_empty() {
            free.push(promotion);
            continue;
        }
        let tests = failed.iter().map(|(test, _)| test.clone()).collect();
        stopped.push((selected.graph.target(id).label.clone(), tests));
        shown.extend(failed.iter().filter_map(|(test, error)| match error {
            BuildError::Test { image, findings } => {
                Some(unmet(selected.graph.target(selected.graph.id(test)?), image, findings))
            }
            _ => None,
        }));
    }
    let error = (!stopped.is_empty()).then(|| project.diagnosed(Exit::Failed, &shown));
    Ok((free, error.map(|error| checks::stopping(error, &stopped, "promoted"))))
}

/// What the tests of a selection ask for.
fn asked(selected: &Selected<'_>) -> Result<BTreeMap<TargetId, Expected>, Vec<Diagnostic>> {
    let (mut asked, mut errors) = (BTreeMap::new(), Vec::new());
    for test in selected.targets.iter().flat_map(|id| checks::before(*id, &selected.graph)) {
        match rules::image_test::asked(selected.graph.target(test).attributes()) {
            Ok(expected) => _ = asked.insert(test, expected),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors) }
}

/// A promotion, and the tests that what is promoted has failed.
struct Judged {
    promotion: Promotion,
    id: TargetId,
    failed: Vec<(Label, BuildError)>,
}

struct Judge<'a> {
    selected: &'a Selected<'a>,
    asked: &'a BTreeMap<TargetId, Expected>,
    shop: &'a Workshop<'a>,
    puller: &'a Puller,
}

impl Judge<'_> {
    fn promotion(&self, mut promotion: Promotion, id: TargetId, tests: BTreeSet<TargetId>) -> Result<Judged, CliError> {
        let mut failed = Vec::new();
        // What is not there, promoting itself tells best.
        if let (false, Ok(found)) = (tests.is_empty(), self.puller.resolve(&promotion.from)) {
            promotion.from.digest = Some(found.digest);
            let images = Published { label: &promotion.label, from: &found.from, shop: self.shop };
            for test in tests {
                let label = self.selected.graph.target(test).label.clone();
                match self.test(test, found.digest, || images.tested(found.digest, &found.bytes)) {
                    Ok(()) => {}
                    Err(error) if error.is_test() => failed.push((label, error)),
                    Err(error) => {
                        let exit = if error.is_environment() { Exit::Environment } else { Exit::Failed };
                        return Err(CliError::new(exit, error.to_string()).of(&label));
                    }
                }
            }
        }
        Ok(Judged { promotion, id, failed })
    }

    fn test(
        &self,
        test: TargetId,
        image: Digest,
        images: impl FnOnce() -> Result<Vec<Tested>, BuildError>,
    ) -> Result<(), BuildError> {
        let target = self.selected.graph.target(test);
        let expected = &self.asked[&test];
        let asked = ImageTestAction { image: ActionId(0), expected: expected.clone() };
        let operation = Operation::ImageTest(Box::new(asked));
        let action = Action { label: target.label.clone(), variant: None, operation };
        let inputs = Looked { image };
        let (Some(key), Some(components)) = (key::key(&action, &inputs), key::components(&action, &inputs)) else {
            unreachable!("its one input is known")
        };
        if let Recalled::Known(_) = recall(&key, self.shop.store)? {
            return Ok(());
        }
        image_test::test(expected, &images()?, self.shop)?;
        let record = Record { output: Output::Passed(image), components, shared: None, elapsed: None };
        Ok(self.shop.store.actions().put(&key, &record.encode())?)
    }
}

/// The one input of a test: an image as a registry has it.
struct Looked {
    image: Digest,
}

impl Inputs for Looked {
    fn digest(&self, _: ActionId) -> Option<Digest> {
        Some(self.image)
    }

    fn label(&self, _: ActionId) -> String {
        String::new()
    }
}

/// What a registry has of a target.
struct Published<'a> {
    label: &'a str,
    from: &'a Repository,
    shop: &'a Workshop<'a>,
}

impl Published<'_> {
    /// The image, or those of the index that run somewhere.
    fn tested(&self, digest: Digest, bytes: &[u8]) -> Result<Vec<Tested>, BuildError> {
        if !is_index(bytes).map_err(unreadable)? {
            let platform = self.platform(bytes)?;
            return Ok(vec![self.image(digest, platform, self.label.to_owned())?]);
        }
        let lines = Index::parse(bytes).map_err(unreadable)?.into_iter();
        let lines = lines.filter_map(|line| Some((line.descriptor.digest, line.platform?)));
        let lines = lines.filter(|(_, platform)| platform.os != "unknown");
        lines
            .map(|(digest, platform)| {
                let name = format!("{} [{platform}]", self.label);
                self.image(digest, platform, name)
            })
            .collect()
    }

    fn platform(&self, manifest: &[u8]) -> Result<Platform, BuildError> {
        let config = Manifest::parse(manifest).map_err(unreadable)?.config;
        let reader = self.reader();
        let blob = RemoteBlob::of(self.from, &config);
        reader.fetch_blobs(&reader.missing_blobs(&[blob])?)?;
        let bytes = self.shop.store.blobs().read_verified(&config.digest, config.size)?;
        Ok(Config::parse(&bytes).map_err(unreadable)?.platform)
    }

    fn image(&self, manifest: Digest, platform: Platform, name: String) -> Result<Tested, BuildError> {
        let origin = Origin { repository: self.from.clone(), manifest };
        let image = self.reader().image(&origin, &platform)?;
        let blob = |Descriptor { digest, size, .. }: &Descriptor| Blob { digest: *digest, size: *size };
        let output = ImageOutput {
            manifest: blob(&image.manifest_descriptor),
            config: blob(&image.config_descriptor),
            media_type: image.manifest_descriptor.media_type.clone(),
        };
        let base = TestedBase { name: self.label.to_owned(), origin, platform, listing: None };
        Ok(Tested { name, image: output, base: Some(base), layers: Vec::new() })
    }

    fn reader(&self) -> Reader<'_> {
        Reader { remote: self.shop.remote, store: self.shop.store }
    }
}

fn unreadable(error: ReadError) -> BuildError {
    BuildError::Image(ImageError::Manifest(error))
}
