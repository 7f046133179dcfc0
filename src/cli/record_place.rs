//! Where the record of a build is: a file, or an artifact in a registry. Tells the two apart by how they are written.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;

use crate::reference::Reference;

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPlace {
    /// A path, relative to the folder that is worked in.
    File(Utf8PathBuf),
    /// A reference with a registry, and a tag or a digest.
    Published(Reference),
}

impl RecordPlace {
    /// Whether a record can be put there: what a digest names is there or never will be.
    pub fn is_writable(&self) -> bool {
        match self {
            RecordPlace::File(_) => true,
            RecordPlace::Published(reference) => reference.tag.is_some() && reference.digest.is_none(),
        }
    }
}

impl FromStr for RecordPlace {
    type Err = String;

    /// `HOST[:PORT]/PATH` with `:TAG` or `@DIGEST` is a reference, all else a path; one that begins with `.` or `/` is
    /// always a path.
    fn from_str(text: &str) -> Result<RecordPlace, String> {
        if text.is_empty() {
            return Err("write a path, or HOST[:PORT]/PATH:TAG".to_owned());
        }
        let whole = |reference: &Reference| {
            reference.registry.is_some() && (reference.tag.is_some() || reference.digest.is_some())
        };
        let reference = text.parse::<Reference>().ok().filter(|_| !text.starts_with(['.', '/'])).filter(whole);
        Ok(reference.map_or_else(|| RecordPlace::File(text.into()), RecordPlace::Published))
    }
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordPlace::File(path) => path.fmt(f),
            RecordPlace::Published(reference) => reference.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_a_registry_and_a_tag_and_all_else_is_a_path() {
        let place = |text: &str| text.parse::<RecordPlace>().unwrap();
        for text in ["registry.localhost/records/main:latest", "localhost:5000/r:1"] {
            assert!(matches!(place(text), RecordPlace::Published(_)), "{text}");
        }
        for text in ["ci.json", "out/ci.json", "./a.example/r:1", "/tmp/r:1", "a.example/r", "records/main:latest"] {
            assert!(matches!(place(text), RecordPlace::File(_)), "{text}");
            assert_eq!(place(text).to_string(), text);
        }
        assert!("".parse::<RecordPlace>().is_err());
        let digest = crate::digest::Digest::of(b"");
        let writable = |text: &str| place(text).is_writable();
        assert!(writable("localhost:5000/r:1") && writable("ci.json"));
        assert!(!writable(&format!("localhost:5000/r:1@{digest}")) && !writable(&format!("localhost:5000/r@{digest}")));
    }
}
