//! Images as they are found in their registries → entries of `layers.lock`. Resolves tags; nothing else here ever does.
//!
//! What is locked already and still asked for stays, unless it is to be moved forward. Knows nothing of targets but their
//! labels, and does not write the file.

pub mod debs;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::testing::{self, Memory};
    use crate::store::Store;

    fn wanted(image: &str, platforms: &[&str]) -> Wanted {
        Wanted {
            reference: image.parse().unwrap(),
            image: image.to_owned(),
            platforms: platforms.iter().map(|text| text.parse().unwrap()).collect(),
            only_these: false,
        }
    }

    /// A registry with an index for two platforms under the tag `1`.
    fn registry() -> Memory {
        let mut memory = Memory::default();
        let manifests = ["amd64", "arm64"].map(|architecture| {
            let digest = memory.image(|_, config| config["architecture"] = architecture.into());
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
                "platform": {"os": "linux", "architecture": architecture}})
        });
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes();
        let digest = memory.blobs.add(index);
        memory.tags.insert("1".into(), digest);
        memory
    }

    fn lock_with(
        wanted: &Wanted,
        before: Option<&LockedImage>,
        update: bool,
        memory: &Memory,
        store: &Store,
    ) -> LockedImage {
        lock(wanted, before, update, Reader { remote: memory, store }).unwrap()
    }

    #[test]
    fn a_tag_is_resolved_once_and_stays_until_it_is_moved_forward() {
        let (mut memory, (store, _folder)) = (registry(), testing::store());
        let debian = wanted("registry.example/base:1", &["linux/amd64"]);
        let first = lock_with(&debian, None, false, &memory, &store);
        assert_eq!(first.digest, memory.tags["1"]);
        assert_eq!(first.platforms.len(), 1);
        let moved = memory.image(|_, config| config["created"] = "2026-01-01T00:00:00Z".into());
        memory.tags.insert("1".into(), moved);
        memory.take_asked();
        assert_eq!(lock_with(&debian, Some(&first), false, &memory, &store), first);
        assert_eq!(memory.take_asked(), [""; 0]);
        let reader = Reader { remote: &memory, store: &store };
        assert_eq!(current(&debian, reader).unwrap(), Some(moved));
        let second = lock_with(&debian, Some(&first), true, &memory, &store);
        assert_eq!(second.digest, moved);
        assert_ne!(first.platforms, second.platforms);
    }

    #[test]
    fn another_platform_is_added_from_what_is_locked_and_not_from_where_the_tag_went() {
        let (mut memory, (store, _folder)) = (registry(), testing::store());
        let first = lock_with(&wanted("registry.example/base:1", &["linux/amd64"]), None, false, &memory, &store);
        let moved = memory.image(|_, _| {});
        memory.tags.insert("1".into(), moved);
        let both = wanted("registry.example/base:1", &["linux/arm64"]);
        assert!(!is_fresh(&both, &first));
        let second = lock_with(&both, Some(&first), false, &memory, &store);
        assert_eq!((second.digest, second.platforms.len()), (first.digest, 2));
        let only = Wanted { only_these: true, ..both };
        assert_eq!(lock_with(&only, Some(&second), true, &registry(), &store).platforms.len(), 1);
    }

    #[test]
    fn a_digest_that_is_written_answers_for_any_tag_and_pins_what_is_locked() {
        let (memory, (store, _folder)) = (registry(), testing::store());
        let tagged = lock_with(&wanted("registry.example/base:1", &["linux/amd64"]), None, false, &memory, &store);
        let pinned = wanted(&format!("registry.example/base:2@{}", tagged.digest), &["linux/amd64"]);
        assert!(is_fresh(&pinned, &tagged));
        assert_eq!(lock_with(&pinned, Some(&tagged), false, &memory, &store).platforms, tagged.platforms);
        assert!(!is_fresh(&wanted("registry.example/base:2", &["linux/amd64"]), &tagged));
        assert_eq!(current(&pinned, Reader { remote: &memory, store: &store }).unwrap(), None);
    }

    #[test]
    fn a_platform_that_is_not_there_is_told_with_those_that_are() {
        let (memory, (store, _folder)) = (registry(), testing::store());
        let reader = Reader { remote: &memory, store: &store };
        let error = lock(&wanted("registry.example/base:1", &["linux/s390x"]), None, false, reader).unwrap_err();
        assert!(error.to_string().contains("not there for linux/s390x, but for linux/amd64, linux/arm64"), "{error}");
        assert!(!error.is_environment());
    }

    #[test]
    fn a_listing_is_made_once_for_each_manifest() {
        let (memory, (store, _folder)) = (registry(), testing::store());
        let debian = wanted("registry.example/base:1", &["linux/amd64", "linux/arm64"]);
        let first = lock_with(&debian, None, false, &memory, &store);
        let layers = |asked: Vec<String>| asked.iter().filter(|line| line.starts_with("blob")).count();
        assert_eq!(layers(memory.take_asked()), 4, "a config and a layer each");
        assert_eq!(lock_with(&debian, Some(&first), true, &memory, &store), first);
        assert_eq!(layers(memory.take_asked()), 0);
    }
}
