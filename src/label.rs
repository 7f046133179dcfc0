//! Labels: the names of targets, `//package/path:name`, and `@workspace//package/path:name` of another workspace.
//!
//! Parsed once; knows nothing of which packages, targets and workspaces exist. Target patterns stand in `pattern`.

use std::fmt;
use std::sync::Arc;

/// A package: its folder relative to `[workspace] packages`, `/` between parts; empty for the root package. Those of
/// another workspace come after all of this one's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PackagePath {
    external: Option<Arc<str>>,
    path: Arc<str>,
}

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
        let is_path = path.is_empty() || path.split('/').all(is_name);
        is_path.then(|| PackagePath { external: None, path: path.into() })
    }

    /// The workspace that it is a package of, by the name that this one gives it; `None`: this workspace.
    pub fn external(&self) -> Option<&str> {
        self.external.as_deref()
    }

    /// The path within its workspace, without the leading `//`; empty for the root package.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The last part, which `//a/b` names as target; empty for the root package.
    pub fn last(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// Whether this is `other` or lies below it.
    pub fn is_below(&self, other: &PackagePath) -> bool {
        let (mine, theirs) = (self.as_str(), other.as_str());
        let path = || mine.starts_with(theirs) && mine.as_bytes()[theirs.len()] == b'/';
        self.external == other.external && (theirs.is_empty() || mine == theirs || path())
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.external.as_ref().map_or(Ok(()), |name| write!(f, "@{name}"))?;
        write!(f, "//{}", self.path)
    }
}

impl fmt::Debug for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Label {
    /// Parses `//package:name`, `//package` (its last part is the name), `:name` or `name` (both of package `here`);
    /// and behind `@workspace` the first two, or nothing: `@x` is `@x//:x`.
    ///
    /// ```
    /// # use layerbuild::label::{Label, PackagePath};
    /// let here = PackagePath::new("datakits").unwrap();
    /// assert_eq!(Label::parse(":x", &here).unwrap().to_string(), "//datakits:x");
    /// assert_eq!(Label::parse("//a/b", &here).unwrap().to_string(), "//a/b:b");
    /// assert_eq!(Label::parse("@low//a/b", &here).unwrap().to_string(), "@low//a/b:b");
    /// ```
    pub fn parse(text: &str, here: &PackagePath) -> Result<Label, LabelError> {
        let fail = |why: &str| LabelError { text: text.to_owned(), why: why.to_owned() };
        let (external, rest) = split_external(text).map_err(fail)?;
        let (package, name) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
                let package = PackagePath::new(path).ok_or_else(|| fail(BAD_PACKAGE))?;
                let name = name.map_or_else(|| package.last().to_owned(), str::to_owned);
                (PackagePath { external: external.map(Into::into), ..package }, name)
            }
            None if external.is_some() => {
                let package = PackagePath { external: external.map(Into::into), ..PackagePath::default() };
                (package, external.unwrap_or_default().to_owned())
            }
            None => (here.clone(), rest.strip_prefix(':').unwrap_or(rest).to_owned()),
        };
        if !is_name(&name) {
            return Err(fail(if name.is_empty() { NO_NAME } else { BAD_NAME }));
        }
        Ok(Label { package, name: name.into() })
    }
}

/// What stands behind `@`, and the rest: nothing, or what begins with `//`.
fn split_external(text: &str) -> Result<(Option<&str>, &str), &'static str> {
    let Some(behind) = text.strip_prefix('@') else { return Ok((None, text)) };
    let (name, rest) = behind.split_at(behind.find("//").unwrap_or(behind.len()));
    if is_name(name) { Ok((Some(name), rest)) } else { Err(BAD_EXTERNAL) }
}

const BAD_EXTERNAL: &str = "behind `@` stands the name of a workspace: letters, digits, `.`, `_` or `-`, and then `//`";
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
        for text in [
            "", ":", "//", "//a:", "//a b:c", "//a/:c", "///a", "//a:b:c", "-x", "a/b", "@", "@//a:b", "@x:b", "@x/a",
            "@x//",
        ] {
            assert!(Label::parse(text, &PackagePath::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_package_of_another_workspace_is_not_below_one_of_this_with_its_path() {
        let package = |text| Label::parse(text, &PackagePath::default()).expect("a label").package;
        assert!(!package("@x//a/b").is_below(&package("//a")));
        assert!(!package("//a/b").is_below(&package("@x//a")));
        assert!(package("@x//a/b").is_below(&package("@x//a")));
        assert_eq!(Label::parse("@x", &package("//a")).unwrap().to_string(), "@x//:x");
    }

    #[test]
    fn a_sibling_package_with_the_same_prefix_is_not_below() {
        let package = |path| PackagePath::new(path).expect("a package");
        assert!(package("foo/bar").is_below(&package("foo")));
        assert!(!package("foox").is_below(&package("foo")));
    }
}
