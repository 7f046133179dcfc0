//! Labels: the names of targets, `//package/path:name`, and `@workspace//package/path:name` of another workspace.
//!
//! Names are relative to the workspace in which they are written: in one that is called `@a` here, `//p:x` is `@a//p:x`
//! and `@b//p:x` is `@a/b//p:x`, the workspace that `a` calls `b`. Parsed once; knows nothing of which packages, targets
//! and workspaces exist. Target patterns stand in `pattern`.

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

    /// The workspace that it is a package of, by the name that this one gives it, or the names on the way to it, with
    /// `/` between; `None`: this workspace.
    pub fn external(&self) -> Option<&str> {
        self.external.as_deref()
    }

    /// The package with the same path of another workspace; `None`: of this one.
    #[must_use]
    pub fn of(&self, external: Option<&str>) -> PackagePath {
        PackagePath { external: external.map(Into::into), path: self.path.clone() }
    }

    /// What a package of the workspace `outer` is called here.
    #[must_use]
    pub fn within(&self, outer: &str) -> PackagePath {
        self.of(Some(&joined(Some(outer), self.external()).expect("it is within a workspace")))
    }

    /// What the workspace `outer` calls it; `None` where that has no name for it.
    pub fn seen_from(&self, outer: &str) -> Option<PackagePath> {
        let rest = self.external()?.strip_prefix(outer)?;
        let inner = rest.strip_prefix('/');
        (rest.is_empty() || inner.is_some()).then(|| self.of(inner))
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
        let workspace = joined(here.external(), external);
        let (package, name) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
                let package = PackagePath::new(path).ok_or_else(|| fail(BAD_PACKAGE))?;
                let name = name.map_or_else(|| package.last().to_owned(), str::to_owned);
                (package.of(workspace.as_deref()), name)
            }
            None if external.is_some() => {
                (PackagePath::default().of(workspace.as_deref()), external.unwrap_or_default().to_owned())
            }
            None => (here.clone(), rest.strip_prefix(':').unwrap_or(rest).to_owned()),
        };
        if !is_name(&name) {
            return Err(fail(if name.is_empty() { NO_NAME } else { BAD_NAME }));
        }
        Ok(Label { package, name: name.into() })
    }
}

/// What stands behind `@`, and the rest: nothing, or what begins with `//`. The error is why it is neither.
pub fn split_external(text: &str) -> Result<(Option<&str>, &str), &'static str> {
    let Some(behind) = text.strip_prefix('@') else { return Ok((None, text)) };
    let (name, rest) = behind.split_at(behind.find("//").unwrap_or(behind.len()));
    let names = |name: &str| if rest.is_empty() { is_name(name) } else { name.split('/').all(is_name) };
    if names(name) { Ok((Some(name), rest)) } else { Err(BAD_EXTERNAL) }
}

/// The name of a workspace that is called `inner` in one that is called `outer` here.
fn joined(outer: Option<&str>, inner: Option<&str>) -> Option<String> {
    match (outer, inner) {
        (Some(outer), Some(inner)) => Some(format!("{outer}/{inner}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

const BAD_EXTERNAL: &str = "behind `@` stands the name of a workspace: letters, digits, `.`, `_` or `-`, and then `//`";
const BAD_PACKAGE: &str =
    "each part of a package's path is letters, digits, `.`, `_` or `-`, beginning with a letter or digit";
const BAD_NAME: &str = "a name is letters, digits, `.`, `_` or `-`, beginning with a letter or digit";
const NO_NAME: &str = "the target's name is missing";

impl Label {
    /// What a target of the workspace `outer` is called here.
    #[must_use]
    pub fn within(&self, outer: &str) -> Label {
        Label { package: self.package.within(outer), name: self.name.clone() }
    }

    /// What the workspace `outer` calls it; `None` where that has no name for it.
    pub fn seen_from(&self, outer: &str) -> Option<Label> {
        Some(Label { package: self.package.seen_from(outer)?, name: self.name.clone() })
    }
}

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
    fn names_are_relative_to_the_workspace_that_they_are_written_in() {
        let here = Label::parse("@a//p:x", &PackagePath::default()).unwrap().package;
        for (text, meant) in [
            (":y", "@a//p:y"),
            ("//q:y", "@a//q:y"),
            ("@b//q:y", "@a/b//q:y"),
            ("@b", "@a/b//:b"),
            ("@b/c//q", "@a/b/c//q:q"),
        ] {
            let label = Label::parse(text, &here).unwrap();
            assert_eq!(label.to_string(), meant);
            let seen = label.package.seen_from("a").unwrap();
            assert_eq!(seen.within("a"), label.package, "{text}");
        }
        assert_eq!(here.seen_from("b"), None);
        assert_eq!(Label::parse("@ab//q", &PackagePath::default()).unwrap().package.seen_from("a"), None);
    }

    #[test]
    fn a_sibling_package_with_the_same_prefix_is_not_below() {
        let package = |path| PackagePath::new(path).expect("a package");
        assert!(package("foo/bar").is_below(&package("foo")));
        assert!(!package("foox").is_below(&package("foo")));
    }
}
