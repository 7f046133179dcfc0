//! Labels: the names of targets, `//package/path:name`.
//!
//! Parsed once; knows nothing of which packages and targets exist. Target patterns stand in `pattern`.

use std::fmt;
use std::sync::Arc;

/// A package: its folder relative to `[workspace] packages`, `/` between parts; empty for the root package.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PackagePath(Arc<str>);

/// The name of one target.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The package that declares it.
    pub package: PackagePath,
    /// Its name within the package; matches `[A-Za-z0-9][A-Za-z0-9._-]*`.
    pub name: Arc<str>,
}

/// Text that is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a label: {why}")]
pub struct LabelError {
    /// What was written.
    pub text: String,
    /// Why it is no label, as a phrase.
    pub why: String,
}

/// Whether a name matches `[A-Za-z0-9][A-Za-z0-9._-]*`.
pub fn is_name(text: &str) -> bool {
    let rest_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(rest_allowed)
}

impl PackagePath {
    /// A package's path; `None` where a part is no name.
    pub fn new(path: &str) -> Option<PackagePath> {
        (path.is_empty() || path.split('/').all(is_name)).then(|| PackagePath(path.into()))
    }

    /// The path, without the leading `//`; empty for the root package.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part, which `//a/b` names as target; empty for the root package.
    pub fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// Whether this is `other` or lies below it.
    pub fn is_below(&self, other: &PackagePath) -> bool {
        let (mine, theirs) = (self.as_str(), other.as_str());
        theirs.is_empty() || mine == theirs || (mine.starts_with(theirs) && mine.as_bytes()[theirs.len()] == b'/')
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "//{}", self.0)
    }
}

impl fmt::Debug for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Label {
    /// Parses `//package:name`, `//package` (its last part is the name), `:name` or `name` (both of package `here`).
    ///
    /// ```
    /// # use layerbuild::label::{Label, PackagePath};
    /// let here = PackagePath::new("datakits").unwrap();
    /// assert_eq!(Label::parse(":x", &here).unwrap().to_string(), "//datakits:x");
    /// assert_eq!(Label::parse("//a/b", &here).unwrap().to_string(), "//a/b:b");
    /// ```
    pub fn parse(text: &str, here: &PackagePath) -> Result<Label, LabelError> {
        let fail = |why: &str| LabelError { text: text.to_owned(), why: why.to_owned() };
        let (package, name) = match text.strip_prefix("//") {
            Some(rest) => {
                let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
                let package = PackagePath::new(path).ok_or_else(|| fail(BAD_PACKAGE))?;
                let name = name.map_or_else(|| package.last().to_owned(), str::to_owned);
                (package, name)
            }
            None => (here.clone(), text.strip_prefix(':').unwrap_or(text).to_owned()),
        };
        if !is_name(&name) {
            return Err(fail(if name.is_empty() { NO_NAME } else { BAD_NAME }));
        }
        Ok(Label { package, name: name.into() })
    }
}

const BAD_PACKAGE: &str =
    "each part of a package's path is letters, digits, `.`, `_` or `-`, beginning with a letter or digit";
const BAD_NAME: &str = "a name is letters, digits, `.`, `_` or `-`, beginning with a letter or digit";
const NO_NAME: &str = "the target's name is missing";

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.package, self.name)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_label_is_refused_with_a_reason() {
        for text in ["", ":", "//", "//a:", "//a b:c", "//a/:c", "///a", "//a:b:c", "-x", "a/b"] {
            assert!(Label::parse(text, &PackagePath::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sibling_package_with_the_same_prefix_is_not_below() {
        let package = |path| PackagePath::new(path).expect("a package");
        assert!(package("foo/bar").is_below(&package("foo")));
        assert!(!package("foox").is_below(&package("foo")));
    }
}
