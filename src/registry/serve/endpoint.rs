//! What a request's path asks for: `/v2/<repository>/…`, read from its end, since repositories are as deep as they like.
//!
//! Takes a decoded path, gives an endpoint or why there is none. Knows neither methods nor queries.

use super::refusal::{Code, Refusal};
use crate::digest::Digest;
use crate::reference::{RepositoryPath, Tag};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Whether this is a registry.
    Root,
    /// All repositories.
    Catalog,
    /// One manifest.
    Manifest(RepositoryPath, Pointer),
    /// One blob.
    Blob(RepositoryPath, Digest),
    /// Where uploads begin.
    Uploads(RepositoryPath),
    /// One upload, by the name that we gave it.
    Upload(RepositoryPath, String),
    /// A repository's tags.
    Tags(RepositoryPath),
    /// What has this manifest as its subject.
    Referrers(RepositoryPath, Digest),
}

/// How a manifest is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pointer {
    Tag(Tag),
    Digest(Digest),
}

impl Endpoint {
    pub(super) fn parse(path: &str) -> Result<Endpoint, Refusal> {
        let unknown =
            || Refusal::new(Code::NotFound, format!("`{path}` is not a path of this registry: they begin with /v2/"));
        let below = path.strip_prefix("/v2").ok_or_else(unknown)?;
        match below {
            "" | "/" => return Ok(Endpoint::Root),
            "/_catalog" => return Ok(Endpoint::Catalog),
            _ => {}
        }
        let parts: Vec<&str> = below.strip_prefix('/').ok_or_else(unknown)?.split('/').collect();
        match parts[..] {
            [ref name @ .., "blobs", "uploads"] | [ref name @ .., "blobs", "uploads", ""] => {
                Ok(Endpoint::Uploads(repository(name)?))
            }
            [ref name @ .., "blobs", "uploads", id] => Ok(Endpoint::Upload(repository(name)?, id.to_owned())),
            [ref name @ .., "blobs", text] => Ok(Endpoint::Blob(repository(name)?, digest(text)?)),
            [ref name @ .., "manifests", text] => Ok(Endpoint::Manifest(repository(name)?, pointer(text)?)),
            [ref name @ .., "tags", "list"] => Ok(Endpoint::Tags(repository(name)?)),
            [ref name @ .., "referrers", text] => Ok(Endpoint::Referrers(repository(name)?, digest(text)?)),
            _ => Err(unknown()),
        }
    }
}

pub(super) fn repository(parts: &[&str]) -> Result<RepositoryPath, Refusal> {
    parts.join("/").parse().map_err(|error| Refusal::new(Code::NameInvalid, error))
}

/// A digest as it stands in paths and queries.
pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error| Refusal::new(Code::DigestInvalid, error))
}

fn pointer(text: &str) -> Result<Pointer, Refusal> {
    if text.contains(':') {
        return digest(text).map(Pointer::Digest);
    }
    text.parse().map(Pointer::Tag).map_err(|error| Refusal::new(Code::ManifestInvalid, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepositoryPath {
        text.parse().unwrap()
    }

    #[test]
    fn repositories_are_as_deep_as_they_like_and_may_be_called_as_endpoints_are() {
        let tag = Pointer::Tag("1".parse().unwrap());
        let parse = |text: &str| Endpoint::parse(text).unwrap();
        assert_eq!(parse("/v2/a/b/c/d/manifests/1"), Endpoint::Manifest(path("a/b/c/d"), tag.clone()));
        assert_eq!(parse("/v2/a/blobs/uploads/manifests/1"), Endpoint::Manifest(path("a/blobs/uploads"), tag));
        assert_eq!(parse("/v2/tags/list/tags/list"), Endpoint::Tags(path("tags/list")));
        assert_eq!(parse("/v2/a/blobs/uploads/"), Endpoint::Uploads(path("a")));
        assert_eq!(parse("/v2/a/blobs/uploads/7f"), Endpoint::Upload(path("a"), "7f".into()));
        assert_eq!(
            (parse("/v2"), parse("/v2/"), parse("/v2/_catalog")),
            (Endpoint::Root, Endpoint::Root, Endpoint::Catalog)
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_code() {
        let code = |text: &str| Endpoint::parse(text).unwrap_err().code;
        for name in ["A", "a/../b", "a//b", "..", "a_", &"a".repeat(256)] {
            assert_eq!(code(&format!("/v2/{name}/tags/list")), Code::NameInvalid, "{name}");
        }
        assert_eq!(code("/v2/manifests/1"), Code::NameInvalid);
        assert_eq!(code("/v2/a/blobs/sha256:12"), Code::DigestInvalid);
        assert_eq!(code("/v2/a/manifests/sha512:12"), Code::DigestInvalid);
        assert_eq!(code("/v2/a/manifests/.1"), Code::ManifestInvalid);
        assert_eq!(
            (code("/"), code("/v1/_ping"), code("/v2/a"), code("/v22/")),
            (Code::NotFound, Code::NotFound, Code::NotFound, Code::NotFound)
        );
    }
}
