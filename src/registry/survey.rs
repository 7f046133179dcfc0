//! What repositories hold: each tag with its digest and how much there is to pull.
//!
//! Takes repositories, asks for their tags and for each tag's manifest, several at once. Knows nothing of where the names of
//! repositories come from.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::document::Document;
use super::error::RegistryError;
use super::pull::Puller;
use crate::digest::Digest;
use crate::oci::index::Index;
use crate::oci::manifest::{Manifest, ReadError, is_index};
use crate::reference::{Reference, Repository, Tag};

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// What it points to.
    pub digest: Digest,
    /// The media type of that.
    pub media_type: String,
    /// How many bytes a pull of all of it moves, all platforms of an index together: manifests, configs and layers, each once.
    pub size: u64,
}

/// What was found, in the order of repositories and tags.
#[derive(Debug, Default)]
pub struct Survey {
    /// Tags that could be read.
    pub tags: Vec<Surveyed>,
    /// Repositories that hold no tag.
    pub untagged: Vec<Repository>,
    /// What could not be read.
    pub failures: Vec<RegistryError>,
}

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// Looks at every tag of the repositories. What is gone, or was never there, is left out.
pub fn survey(puller: &Puller, repositories: &[Repository]) -> Result<Survey, RegistryError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(AT_ONCE).build();
    let pool = pool.map_err(|error| RegistryError::Client { cause: error.to_string() })?;
    Ok(pool.install(|| look(puller, repositories)))
}

fn look(puller: &Puller, repositories: &[Repository]) -> Survey {
    let mut survey = Survey::default();
    let lists: Vec<_> = repositories.par_iter().map(|repository| (repository, puller.tags(repository))).collect();
    let mut wanted = Vec::new();
    for (repository, list) in lists {
        match list {
            Ok(tags) if tags.is_empty() => survey.untagged.push(repository.clone()),
            Ok(tags) => wanted.extend(sorted(&tags).into_iter().map(|tag| (repository, tag))),
            Err(error) if error.is_missing() => {}
            Err(error) => survey.failures.push(error),
        }
    }
    let found: Vec<_> = wanted.into_par_iter().map(|(repository, tag)| one(puller, repository, tag)).collect();
    for found in found {
        match found {
            Ok(tag) => survey.tags.push(tag),
            Err(error) if error.is_missing() => {}
            Err(error) => survey.failures.push(error),
        }
    }
    survey
}

/// Tags by name; a text that is no tag names nothing that could be asked for.
fn sorted(texts: &[String]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    tags.sort();
    tags
}

fn one(puller: &Puller, repository: &Repository, tag: Tag) -> Result<Surveyed, RegistryError> {
    let document = resolve(puller, repository, Some(tag.clone()), None)?;
    let mut parts = BTreeMap::new();
    measure(puller, repository, &document, &mut parts)?;
    let Document { digest, media_type, .. } = document;
    Ok(Surveyed { repository: repository.clone(), tag, digest, media_type, size: parts.values().sum() })
}

/// Notes the size of everything that a manifest or index names, and its own.
fn measure(
    puller: &Puller,
    repository: &Repository,
    document: &Document,
    parts: &mut BTreeMap<Digest, u64>,
) -> Result<(), RegistryError> {
    parts.insert(document.digest, document.bytes.len() as u64);
    let unread =
        |error: ReadError| RegistryError::Client { cause: format!("{repository}@{}: {error}", document.digest) };
    if !is_index(&document.bytes).map_err(unread)? {
        let manifest = Manifest::parse(&document.bytes).map_err(unread)?;
        let all = manifest.layers.iter().chain([&manifest.config]);
        parts.extend(all.map(|part| (part.digest, part.size)));
        return Ok(());
    }
    for entry in Index::parse(&document.bytes).map_err(unread)? {
        let digest = entry.descriptor.digest;
        if !parts.contains_key(&digest) {
            let document = resolve(puller, repository, None, Some(digest))?;
            measure(puller, repository, &document, parts)?;
        }
    }
    Ok(())
}

fn resolve(
    puller: &Puller,
    repository: &Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
) -> Result<Document, RegistryError> {
    let Repository { registry, path } = repository.clone();
    puller.resolve(&Reference { registry: Some(registry), path, tag, digest })
}
