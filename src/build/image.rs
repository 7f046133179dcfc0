//! Runs `image`: config and manifest over the base's, once no layer contradicts another.

use super::Workshop;
use super::error::BuildError;
use crate::action::ImageAction;
use crate::action::record::{Blob, ImageOutput, LayerOutput, Output};
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image::{Base, Image, NewLayer};
use crate::oci::listing::{Listed, Listing};
use crate::oci::overlay::{Conflict, ConflictKind, conflicts};
use crate::oci::tree::Kind;

/// A layer of the image or of what it stands on, and the target that made it.
pub struct Below<'a> {
    /// For messages.
    pub label: String,
    /// What it is.
    pub layer: &'a LayerOutput,
}

/// What the image is made of, built.
pub struct Parts<'a> {
    /// The base.
    pub base: Option<&'a ImageOutput>,
    /// All layers of the base, lowest first, as far as they are known.
    pub below: Vec<Below<'a>>,
    /// The image's own layers, lowest first.
    pub own: Vec<Below<'a>>,
}

/// Makes the image.
pub fn run(action: &ImageAction, parts: &Parts<'_>, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    check(parts, shop)?;
    let read = |blob: Blob| shop.store.blobs().read_verified(&blob.digest, blob.size);
    let base = parts.base.map(|base| Ok::<_, BuildError>((read(base.config)?, read(base.manifest)?))).transpose()?;
    let base = base.as_ref().map(|(config_json, manifest_json)| Base { config_json, manifest_json });
    let layers: Vec<NewLayer> = parts.own.iter().map(new_layer).collect();
    let image = Image::compose(base.as_ref(), &action.spec, &layers)?;
    let put = |bytes: &[u8]| -> Result<Blob, BuildError> {
        Ok(Blob { digest: shop.store.blobs().put_bytes(bytes)?, size: bytes.len() as u64 })
    };
    Ok(Output::Image(ImageOutput {
        config: put(&image.config)?,
        manifest: put(&image.manifest)?,
        media_type: image.manifest_descriptor.media_type,
    }))
}

/// The history says what made a layer, not which target: a renamed target gives the same image.
fn new_layer(below: &Below<'_>) -> NewLayer {
    let LayerOutput { blob, diff_id, media_type, .. } = below.layer;
    let descriptor = Descriptor {
        media_type: media_type.clone(),
        digest: blob.digest,
        size: blob.size,
        annotations: Default::default(),
    };
    NewLayer { layer: Layer { descriptor, diff_id: *diff_id }, created_by: Some("layerbuild".into()) }
}

/// Only an image's own layers can bring a new contradiction: those below were checked with their image.
fn check(parts: &Parts<'_>, shop: &Workshop<'_>) -> Result<(), BuildError> {
    if parts.own.is_empty() || parts.own.len() + parts.below.len() < 2 {
        return Ok(());
    }
    let layers: Vec<&Below<'_>> = parts.below.iter().chain(&parts.own).collect();
    let listing = |below: &&Below<'_>| shop.listings.get(&below.layer.listing, shop.store);
    let listings = layers.iter().map(listing).collect::<Result<Vec<_>, _>>()?;
    let listings: Vec<&Listing> = listings.iter().map(|listing| &**listing).collect();
    let found: Vec<String> = conflicts(&listings)
        .iter()
        .filter(|conflict| conflict.upper.layer >= parts.below.len())
        .map(|conflict| sentence(conflict, &layers))
        .collect();
    if found.is_empty() { Ok(()) } else { Err(BuildError::Conflicts(found)) }
}

/// What is wrong, between whom, and what to write instead.
fn sentence(conflict: &Conflict<'_>, layers: &[&Below<'_>]) -> String {
    let (lower, upper) = (conflict.lower.entry, conflict.upper.entry);
    let (below, above) = (&layers[conflict.lower.layer].label, &layers[conflict.upper.layer].label);
    let path = &lower.path;
    match conflict.kind {
        ConflictKind::TypeChange => {
            format!("{path} is {} in {above}, but {} in {below}", said(upper), said(lower))
        }
        ConflictKind::ThroughSymlink => format!(
            "{above} has a directory {path}, but {path} is {} in {below}: write the path that the link leads to",
            said(lower)
        ),
        ConflictKind::ImpliedDirectory => format!(
            "{above} would change {path} from {below} to mode {:04o} owner {}:{}: say dirs = {{ \"{path}\" = {{ mode = \"{:04o}\", owner = \"{}:{}\" }} }} in {above}",
            upper.mode, upper.uid, upper.gid, lower.mode, lower.uid, lower.gid
        ),
    }
}

fn said(entry: &Listed) -> String {
    match entry.kind {
        Kind::Symlink => format!("a symbolic link to {}", String::from_utf8_lossy(&entry.target)),
        kind => format!("a {kind}"),
    }
}
