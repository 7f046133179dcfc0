//! The images among the targets of a verb that publishes or exports: built, whole, and with their names.

use std::collections::BTreeMap;
use std::time::Instant;

use super::context::Context;
use super::error::CliError;
use super::project::{self, Project, Selected};
use super::remote::Remotes;
use super::work::{Results, Work};
use crate::action::record::{Blob, ImageOutput, LayerOutput, Output};
use crate::action::{ActionId, Operation};
use crate::base::counted::Counted;
use crate::base::fetch::Reader;
use crate::base::remote::RemoteBlob;
use crate::digest::DiffId;
use crate::effect::blobs::{audit, parts};
use crate::event::{Event, Listener, Outcome, Step};
use crate::graph::TargetId;
use crate::label::Label;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::manifest::Config;
use crate::reason::chain;
use crate::reference::{RegistryBase, Repository, RepositoryPath, Tag};
use crate::store::Store;
use crate::workspace::Target;
use crate::workspace::schema::Purpose;

/// An image or index that was built.
pub struct BuiltImage<'a> {
    /// Its label.
    pub label: &'a Label,
    /// Its manifest, or the index.
    pub top: Blob,
    /// The media type of `top`.
    pub media_type: &'a str,
    /// The image itself, or those of the index.
    pub images: &'a [ImageOutput],
    /// Whether it is an index.
    pub is_index: bool,
    /// Its action.
    pub action: ActionId,
    /// The layers of the pulled bases below it, and its own that only a shared cache has: the store may lack them.
    pub elsewhere: Vec<RemoteBlob>,
}

impl BuiltImage<'_> {
    /// Describes the manifest or index.
    pub fn descriptor(&self) -> Descriptor {
        descriptor(self.top, self.media_type)
    }
}

/// Describes a manifest.
pub fn descriptor(Blob { digest, size }: Blob, media_type: &str) -> Descriptor {
    Descriptor { media_type: media_type.to_owned(), digest, size, annotations: Default::default() }
}

/// Narrows a selection to images and indexes: wildcards pass over other targets, a label that names one is an error.
pub fn only_images(project: &Project, selected: &mut Selected<'_>, verb: &str) -> Result<(), CliError> {
    let is_image =
        |target: TargetId| !matches!(selected.graph.target(target).rule.purpose, Purpose::Layer | Purpose::Test);
    let mut others = selected.targets.iter().filter(|target| !is_image(**target));
    if let Some(other) = others.find(|target| project.insists_on(&selected.graph.target(**target).label)) {
        let Target { label, rule, .. } = selected.graph.target(*other);
        let is = rule.purpose.describe();
        return Err(CliError::usage(format!("{label} is {is}: only images can be {verb}")));
    }
    let images = selected.targets.iter().copied().filter(|target| is_image(*target)).collect();
    selected.targets = images;
    Ok(())
}

/// Narrows a selection of images to our own, in the same way.
pub fn only_ours(project: &Project, selected: &mut Selected<'_>) -> Result<(), CliError> {
    let is_ours = |target: &Target| target.rule.purpose.is_published();
    only(is_ours, "is somebody else's image, which is not published from here", project, selected)
}

/// Narrows a selection of images to our own that are built and published from here, in the same way.
pub fn only_built(project: &Project, selected: &mut Selected<'_>) -> Result<(), CliError> {
    only_ours(project, selected)?;
    only_here(project, selected)?;
    only(|target| !target.published, "is taken as published by the profile, and not built", project, selected)?;
    only(|target| !target.local, "is taken as it was built here last, and not built", project, selected)
}

/// Narrows a selection to what is of this workspace, in the same way: others publish their images themselves, wherever and
/// however their own settings say.
pub fn only_here(project: &Project, selected: &mut Selected<'_>) -> Result<(), CliError> {
    let is_here = |target: &Target| target.label.package.external().is_none();
    let mut targets = selected.targets.iter().map(|id| selected.graph.target(*id));
    let other = targets.find(|target| !is_here(target)).map(|target| project.workspace.home(&target.label.package));
    let folder = other.map(|home| home.folder).filter(|folder| !folder.as_str().is_empty());
    let refused = only(is_here, "is of another workspace, which publishes it itself", project, selected);
    let hint = |error, folder| CliError::hint(error, format!("call it there: `layerbuild -C {folder} …`"));
    refused.map_err(|error| folder.into_iter().fold(error, hint))
}

/// Narrows a selection to what can be built: not what another workspace published.
pub fn only_with_sources(project: &Project, selected: &mut Selected<'_>) -> Result<(), CliError> {
    let workspace = &project.workspace;
    let has_sources =
        |target: &Target| target.label.package.external().is_none() || workspace.is_beside(&target.label.package);
    only(has_sources, "is taken as another workspace published it, and not built", project, selected)
}

fn only(
    fits: impl Fn(&Target) -> bool,
    otherwise: &str,
    project: &Project,
    selected: &mut Selected<'_>,
) -> Result<(), CliError> {
    let mut others = selected.targets.iter().map(|id| selected.graph.target(*id)).filter(|target| !fits(target));
    if let Some(other) = others.find(|target| project.insists_on(&target.label)) {
        return Err(CliError::usage(format!("{} {otherwise}", other.label)));
    }
    let fitting = selected.targets.iter().copied().filter(|id| fits(selected.graph.target(*id))).collect();
    selected.targets = fitting;
    Ok(())
}

/// The images among a build's results, in the order of their labels.
pub fn built<'a>(work: &'a Work<'_>, results: &'a Results) -> Vec<BuiltImage<'a>> {
    let one = |target: &TargetId| {
        let action = work.lowered.action(*target)?;
        let label = &work.selected.graph.target(*target).label;
        let (top, media_type, images, is_index) = match results.output(action)? {
            Output::Image(image) => (image.manifest, &image.media_type, std::slice::from_ref(image), false),
            Output::Index(index) => (index.index, &index.media_type, index.images.as_slice(), true),
            Output::File(_) | Output::Layer(_) | Output::Passed(_) => return None,
        };
        let elsewhere = elsewhere(action, work, results);
        Some(BuiltImage { label, top, media_type, images, is_index, action, elsewhere })
    };
    work.selected.targets.iter().filter_map(one).collect()
}

/// The layers of the pulled bases below an image or the images of an index, of a base whose manifest is damaged none;
/// then those of our own that a shared cache has.
fn elsewhere(action: ActionId, work: &Work<'_>, results: &Results) -> Vec<RemoteBlob> {
    let graph = &work.lowered.graph;
    let mut found = Vec::new();
    for (base, pull) in graph.images_of(action).into_iter().filter_map(|image| graph.pulled_below(image)) {
        let Some(Output::Image(output)) = results.output(base) else { continue };
        let Ok((_, blobs)) = parts(output, work.store) else { continue };
        let layers = blobs.into_iter().skip(1);
        let away = |Blob { digest, size }| RemoteBlob { repository: pull.repository.clone(), digest, size };
        found.extend(layers.map(away));
    }
    found.extend(graph.layers_of(action).into_iter().filter_map(|layer| {
        let Some(Output::Layer(LayerOutput { blob: Blob { digest, size }, .. })) = results.output(layer) else {
            return None;
        };
        Some(RemoteBlob { repository: work.shared.elsewhere(digest)?, digest: *digest, size: *size })
    }));
    found
}

/// Fetches the layers that the store lacks, for whoever needs the files.
pub fn fetch_bases(
    images: &[BuiltImage<'_>],
    work: &Work<'_>,
    cx: &Context,
    listener: &dyn Listener,
) -> Result<(), CliError> {
    let remote = Remotes::new(work.project, cx)?;
    let reader = Reader { remote: &remote, store: work.store };
    images.iter().try_for_each(|image| fetch_layers(image.label, &image.elsewhere, &reader, listener))
}

/// Fetches those of some layers that the store lacks.
pub fn fetch_layers(
    label: &Label,
    layers: &[RemoteBlob],
    reader: &Reader<'_>,
    listener: &dyn Listener,
) -> Result<(), CliError> {
    let missing = reader.missing_blobs(layers)?;
    if missing.is_empty() {
        return Ok(());
    }
    let step = Step { label: label.to_string(), what: "fetch" };
    let begin = Instant::now();
    listener.event(Event::Started(step.clone()));
    let told = |bytes| listener.event(Event::Transferred { step: step.clone(), bytes });
    let counted = Counted { remote: reader.remote, told: &told };
    if let Err(error) = (Reader { remote: &counted, ..*reader }).fetch_blobs(&missing) {
        listener.event(Event::Failed { step: step.clone(), message: chain(&error) });
        return Err(CliError::from(error).of(label));
    }
    let detail = format!("{} layers", missing.len());
    listener.event(Event::Finished { step, outcome: Outcome::Ran, elapsed: begin.elapsed(), detail });
    Ok(())
}

/// Whether any blob of the images was damaged, or can't be had from the shared cache that has it. Building again makes
/// those anew.
pub fn was_damaged(
    images: &[BuiltImage<'_>],
    work: &Work<'_>,
    cx: &Context,
    listener: &dyn Listener,
) -> Result<bool, CliError> {
    let mut found = was_lost(images, work, cx)?;
    for image in images {
        let index = image.is_index.then_some(image.top);
        let elsewhere = image.elsewhere.iter().map(|blob| blob.digest).collect();
        for digest in audit(index, image.images, &elsewhere, work.store)? {
            found = true;
            let text = format!("{}: blob {digest} in the store was damaged; it is built again", image.label);
            listener.event(Event::Warning(text));
        }
    }
    Ok(found)
}

/// Fetches the layers that only a shared cache has. Whether any could not be had: it is not looked for there again.
fn was_lost(images: &[BuiltImage<'_>], work: &Work<'_>, cx: &Context) -> Result<bool, CliError> {
    let remote = Remotes::new(work.project, cx)?;
    let reader = Reader { remote: &remote, store: work.store };
    let mut found = false;
    let shared = images.iter().flat_map(|image| &image.elsewhere);
    for blob in shared.filter(|blob| work.shared.elsewhere(&blob.digest).is_some()) {
        if let Err(error) = reader.fetch_blobs(&reader.missing_blobs(std::slice::from_ref(blob))?) {
            found = true;
            work.shared.distrust(&blob.digest, &error.to_string());
        }
    }
    Ok(found)
}

/// The tags of a call, else the workspace's.
pub fn tags(written: &[String], project: &Project) -> Result<Vec<Tag>, CliError> {
    if written.is_empty() { setting_tags(project) } else { parsed_tags(written) }
}

/// The tags of settings, `tag` first, each once.
pub fn setting_tags(project: &Project) -> Result<Vec<Tag>, CliError> {
    parsed_tags_of(&project.tags()?)
}

/// Tags as settings have them, each once.
pub fn parsed_tags_of(texts: &[String]) -> Result<Vec<Tag>, CliError> {
    let mut tags = Vec::new();
    for text in texts {
        let tag =
            text.parse().map_err(|error| CliError::usage(format!("`tag` of the workspace or profile: {error}")))?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// The tags of a call.
pub fn parsed_tags(written: &[String]) -> Result<Vec<Tag>, CliError> {
    written.iter().map(|text| text.parse().map_err(|error| CliError::usage(format!("--tag: {error}")))).collect()
}

/// Where an image is published.
pub fn repository(label: &Label, registry: &RegistryBase) -> Result<Repository, CliError> {
    registry.repository(label).map_err(|error| CliError::usage(format!("{label}: {error}")))
}

/// Where the images that an image stands on are published.
pub fn below(image: ActionId, work: &Work<'_>, registry: &RegistryBase) -> Vec<RepositoryPath> {
    let graph = &work.lowered.graph;
    let base = |id: &ActionId| graph.get(*id).operation.stack().and_then(|(base, _)| base);
    let published = |id: ActionId| match &graph.get(id).operation {
        // Somebody else's image is only where it is pulled from.
        Operation::Pull(pull) => (pull.repository.registry == registry.registry).then(|| pull.repository.path.clone()),
        _ => {
            let label = &graph.get(id).label;
            let home = work.project.workspace.home(&label.package);
            let theirs = home.name.map(|_| project::parsed_registry(&home.settings.registry)).transpose().ok()?;
            let base = theirs.as_ref().unwrap_or(registry);
            (base.registry == registry.registry).then(|| base.repository(label).ok()).flatten().map(|it| it.path)
        }
    };
    let images = graph.images_of(image);
    let bases = images.iter().flat_map(|image| std::iter::successors(base(image), base));
    bases.filter_map(published).collect()
}

/// The whole references under which images would be published.
pub fn names(images: &[BuiltImage<'_>], work: &Work<'_>, cx: &Context) -> Result<Vec<String>, CliError> {
    let name = |image: &BuiltImage<'_>| {
        let home = work.project.workspace.home(&image.label.package);
        let (registry, tags) = (work.project.registry_of(home, cx)?, work.project.tags_of(home)?);
        let tag = tags.first().map_or("", String::as_str);
        Ok(format!("{}:{tag}", repository(image.label, &registry)?))
    };
    images.iter().map(name).collect()
}

/// An image's config.
pub fn config(image: &ImageOutput, store: &Store) -> Result<Config, CliError> {
    let config = store.blobs().read_verified(&image.config.digest, image.config.size)?;
    let damaged = |error| CliError::environment(format!("the config {} is damaged: {error}", image.config.digest));
    Config::parse(&config).map_err(damaged)
}

/// An image's layers, lowest first.
pub fn layers(image: &ImageOutput, store: &Store) -> Result<Vec<Layer>, CliError> {
    let (_, blobs) = parts(image, store)?;
    let diff_ids = config(image, store)?.rootfs.diff_ids;
    let layer = |(blob, diff_id)| Layer { descriptor: descriptor(blob, ""), diff_id };
    Ok(blobs.into_iter().skip(1).zip(diff_ids).map(layer).collect())
}

/// Uncompressed sizes in bytes of the layers of images, as far as they were built here.
pub fn uncompressed(images: &[BuiltImage<'_>], work: &Work<'_>, results: &Results) -> BTreeMap<DiffId, u64> {
    let layers = images.iter().flat_map(|image| work.lowered.graph.layers_of(image.action));
    let size = |id| match results.output(id) {
        Some(Output::Layer(layer)) => Some((layer.diff_id, layer.uncompressed)),
        _ => None,
    };
    layers.filter_map(size).collect()
}
