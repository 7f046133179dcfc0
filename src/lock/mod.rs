//! Images as they are found in their registries → entries of `layers.lock`. Resolves tags; nothing else here ever does.
//!
//! What is locked already and still asked for stays, unless it is to be moved forward. Knows nothing of targets but their
//! labels, and does not write the file.

mod error;

pub use error::LockError;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::fetch::{Origin, Reader};
use crate::base::narrow::narrow;
use crate::base::remote::Document;
use crate::digest::Digest;
use crate::oci::outline;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::workspace::lock_file::{LockedImage, LockedPlatform};

/// An image to be locked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it is, with its registry.
    pub reference: Reference,
    /// The same as the lock file has it.
    pub image: String,
    /// The platforms to lock it for; at least one.
    pub platforms: BTreeSet<Platform>,
    /// Whether these are all, so that others that are locked are dropped.
    pub only_these: bool,
}

/// Whether what is locked answers what is asked for: it was found by the same reference, or has the digest that is
/// written; and for every platform.
pub fn is_fresh(wanted: &Wanted, locked: &LockedImage) -> bool {
    is_same(wanted, locked) && wanted.platforms.iter().all(|platform| locked.platforms.contains_key(platform))
}

fn is_same(wanted: &Wanted, locked: &LockedImage) -> bool {
    locked.image == wanted.image || wanted.reference.digest == Some(locked.digest)
}

/// The entry of an image. `before`: its entry so far; `update`: look what the tag names, and take that.
pub fn lock(
    wanted: &Wanted,
    before: Option<&LockedImage>,
    update: bool,
    reader: Reader<'_>,
) -> Result<LockedImage, LockError> {
    let known = before.filter(|before| is_same(wanted, before));
    if let (Some(known), false) = (known, update) {
        if is_fresh(wanted, known) {
            return Ok(LockedImage { image: wanted.image.clone(), ..known.clone() });
        }
        // Another platform of what is locked, not of what the tag names meanwhile.
        let reference = Reference { digest: Some(known.digest), ..wanted.reference.clone() };
        return find(wanted, &reference, Some(known), reader);
    }
    find(wanted, &wanted.reference, before, reader)
}

/// What the tag of an image names at this moment; `None` where it has none, or a digest beside it.
pub fn current(wanted: &Wanted, reader: Reader<'_>) -> Result<Option<Digest>, LockError> {
    if wanted.reference.digest.is_some() {
        return Ok(None);
    }
    Ok(reader.remote.tag(&wanted.reference)?)
}

fn find(
    wanted: &Wanted,
    reference: &Reference,
    before: Option<&LockedImage>,
    reader: Reader<'_>,
) -> Result<LockedImage, LockError> {
    let document = reader.remote.document(reference)?;
    let kept = before.map(|before| before.platforms.keys().cloned().collect::<BTreeSet<_>>());
    let others = kept.filter(|_| !wanted.only_these).unwrap_or_default();
    let mut platforms = BTreeMap::new();
    for platform in wanted.platforms.union(&others) {
        match one(&document, reference, platform, before, reader) {
            Ok(locked) => _ = platforms.insert(platform.clone(), locked),
            // A platform that nobody asks for any more may be gone.
            Err(_) if !wanted.platforms.contains(platform) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(LockedImage { image: wanted.image.clone(), digest: document.digest, platforms })
}

fn one(
    document: &Document,
    reference: &Reference,
    platform: &Platform,
    before: Option<&LockedImage>,
    reader: Reader<'_>,
) -> Result<LockedPlatform, LockError> {
    let unusable = |why| LockError::unusable(reference, why);
    let manifest = match narrow(&document.bytes, platform).map_err(unusable)? {
        Some(manifest) => manifest.digest,
        None => document.digest,
    };
    if manifest == document.digest {
        // It is here already: kept, it is not asked for again.
        reader.store.blobs().put_bytes(&document.bytes)?;
    }
    let repository = reference.repository()?;
    let origin = Origin { repository, manifest };
    let image = reader.image(&origin, platform)?;
    if let Some(same) =
        before.and_then(|before| before.platforms.get(platform)).filter(|same| same.manifest == manifest)
    {
        return Ok(same.clone());
    }
    let (listing, digest) = reader.list(&origin, &image)?;
    Ok(LockedPlatform {
        manifest,
        config: image.config_descriptor.digest,
        listing: digest,
        outline: outline::to_lines(&outline::outline(&listing)),
    })
}
