//! A path inside an image, normalised once and safe from then on.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path inside an image: no leading slash, no `.`, `..` or empty component, no NUL.
///
/// Bytes, not text: archives hold names that are no UTF-8. The root itself is the empty path. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LayerPath(Arc<[u8]>);

/// A path that can't stand in an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerPathError {
    /// It climbs out with `..`.
    #[error("`{name}` {}", self.problem(), name = .0)]
    Parent(String),
    /// It holds a NUL byte, which no file system takes.
    #[error("`{name}` {}", self.problem(), name = .0)]
    Nul(String),
}

impl LayerPathError {
    /// What is wrong with it; reads on after its name.
    pub fn problem(&self) -> &'static str {
        match self {
            LayerPathError::Parent(_) => "contains `..`",
            LayerPathError::Nul(_) => "contains a NUL byte",
        }
    }
}

impl LayerPath {
    /// Normalises: leading, trailing and doubled slashes and `.` components go; `..` is refused.
    ///
    /// ```
    /// # use layerbuild::layer_path::LayerPath;
    /// assert_eq!(LayerPath::new("/opt//app/./").unwrap().to_string(), "/opt/app");
    /// assert!(LayerPath::new("opt/../etc").is_err());
    /// ```
    pub fn new(path: impl AsRef<[u8]>) -> Result<LayerPath, LayerPathError> {
        let path = path.as_ref();
        let shown = || String::from_utf8_lossy(path).into_owned();
        if path.contains(&0) {
            return Err(LayerPathError::Nul(shown()));
        }
        let mut normal = Vec::with_capacity(path.len());
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
            if part == b".." {
                return Err(LayerPathError::Parent(shown()));
            }
            if !normal.is_empty() {
                normal.push(b'/');
            }
            normal.extend_from_slice(part);
        }
        Ok(LayerPath(normal.into()))
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root directory itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path below this one; `tail` is normalised as in [`LayerPath::new`].
    pub fn join(&self, tail: impl AsRef<[u8]>) -> Result<LayerPath, LayerPathError> {
        LayerPath::new([self.as_bytes(), b"/", tail.as_ref()].concat())
    }

    /// The directory that holds this path; the root for a top-level name, `None` for the root.
    pub fn parent(&self) -> Option<LayerPath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(LayerPath(self.0[..cut].into()))
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or(&[])
    }

    /// Whether this is `other` or lies below it.
    pub fn starts_with(&self, other: &LayerPath) -> bool {
        let (mine, theirs) = (self.as_bytes(), other.as_bytes());
        theirs.is_empty() || mine == theirs || (mine.starts_with(theirs) && mine[theirs.len()] == b'/')
    }
}

impl fmt::Display for LayerPath {
    /// With a leading slash; bytes that are no UTF-8 as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for LayerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LayerPath {
    /// UTF-8 as text, anything else as an array of bytes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LayerPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LayerPath, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Bytes(Vec<u8>),
        }
        let bytes = match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into_bytes(),
            Form::Bytes(bytes) => bytes,
        };
        LayerPath::new(bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> LayerPath {
        LayerPath::new(text).expect("a valid path")
    }

    #[test]
    fn parents_lead_to_the_root() {
        assert_eq!(path("/a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(path("/")));
        assert_eq!(path("").parent(), None);
    }

    #[test]
    fn a_sibling_with_the_same_prefix_is_not_below() {
        assert!(path("opt/app/x").starts_with(&path("opt/app")));
        assert!(!path("opt/apple").starts_with(&path("opt/app")));
    }
}
