//! Target patterns: what a command line says to name several targets.
//!
//! Text and the package that it is relative to → what it can reach; parsing needs no packages. Knows nothing of which
//! packages and targets exist: `workspace` reads what a [`PackageSelection`] reaches, `graph` picks the targets.

use std::fmt;

use crate::label::{Label, PackagePath, is_name, split_external};

/// One pattern, perhaps taking away from what the ones before it named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPattern {
    /// As it was written, the minus included.
    pub text: String,
    /// Whether it subtracts.
    pub negative: bool,
    /// What it names.
    pub scope: Scope,
}

/// What a pattern names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One target.
    Target(Label),
    /// The first of these whose package exists; written relative and without a colon, such as `foo/bar`.
    FirstOf(Vec<Label>),
    /// Every target of one package, unless a target bears the wildcard's own name.
    Package(PackagePath, &'static str),
    /// Every target of a package and of all packages below it.
    Below(PackagePath),
}

/// Packages that a pattern can reach: what has to be read before it can be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSelection {
    /// This one.
    One(PackagePath),
    /// The first of these that exists.
    FirstOf(Vec<PackagePath>),
    /// This one, where it exists, and all below it.
    Below(PackagePath),
}

/// Text that is no target pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target pattern: {why}")]
pub struct PatternError {
    /// What was written.
    pub text: String,
    /// Why it is no pattern, as a phrase.
    pub why: String,
    /// What to write instead, one sentence.
    pub hint: String,
}

/// What stands behind the colon to mean every target; the longer words come from Bazel, where files are targets too.
const WILDCARDS: [&str; 3] = ["all", "*", "all-targets"];

impl TargetPattern {
    /// Parses one pattern, relative ones to package `here`.
    ///
    /// ```
    /// # use layerbuild::{label::PackagePath, pattern::{Scope, TargetPattern}};
    /// let here = PackagePath::new("datakits").unwrap();
    /// let pattern = TargetPattern::parse("-...", &here).unwrap();
    /// assert!(pattern.negative);
    /// assert_eq!(pattern.scope, Scope::Below(here));
    /// ```
    pub fn parse(text: &str, here: &PackagePath) -> Result<TargetPattern, PatternError> {
        let (negative, body) = text.strip_prefix('-').map_or((false, text), |body| (true, body));
        let scope = scope(body, here).map_err(|why| explain(text, body, why))?;
        Ok(TargetPattern { text: text.to_owned(), negative, scope })
    }

    /// Parses a list; all that are malformed are reported.
    pub fn parse_all<T: AsRef<str>>(texts: &[T], here: &PackagePath) -> Result<Vec<TargetPattern>, Vec<PatternError>> {
        let (mut patterns, mut errors) = (Vec::with_capacity(texts.len()), Vec::new());
        for text in texts {
            match TargetPattern::parse(text.as_ref(), here) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(patterns) } else { Err(errors) }
    }

    /// The pattern with its packages by other names.
    #[must_use]
    pub fn renamed(self, name: &dyn Fn(&PackagePath) -> PackagePath) -> TargetPattern {
        TargetPattern { scope: self.scope.renamed(name), ..self }
    }

    /// The workspace that it names something of, as [`PackagePath::external`] has it.
    pub fn external(&self) -> Option<&str> {
        match &self.scope {
            Scope::Target(label) => label.package.external(),
            Scope::FirstOf(labels) => labels.first().and_then(|label| label.package.external()),
            Scope::Package(package, _) | Scope::Below(package) => package.external(),
        }
    }

    /// The packages that it can reach.
    pub fn packages(&self) -> PackageSelection {
        match &self.scope {
            Scope::Target(label) => PackageSelection::One(label.package.clone()),
            Scope::FirstOf(labels) => {
                PackageSelection::FirstOf(labels.iter().map(|label| label.package.clone()).collect())
            }
            Scope::Package(package, _) => PackageSelection::One(package.clone()),
            Scope::Below(package) => PackageSelection::Below(package.clone()),
        }
    }

    /// Whether it names every target of a package that it reaches, and so may name none.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.scope, Scope::Package(..) | Scope::Below(_))
    }

    /// Whether it names this target, the minus left aside.
    pub fn names(&self, label: &Label) -> bool {
        match &self.scope {
            Scope::Target(one) => one == label,
            Scope::FirstOf(labels) => labels.contains(label),
            Scope::Package(package, _) => *package == label.package,
            Scope::Below(top) => label.package.is_below(top),
        }
    }

    /// Whether a list of patterns, applied left to right, names this target.
    pub fn pick(patterns: &[TargetPattern], label: &Label) -> bool {
        patterns.iter().rfind(|pattern| pattern.names(label)).is_some_and(|last| !last.negative)
    }

    /// Whether every target of the package is meant, whatever their names: of a package that is taken away whole,
    /// nothing needs to be read.
    pub fn covers(&self, package: &PackagePath) -> bool {
        matches!(&self.scope, Scope::Below(top) if package.is_below(top))
    }
}

impl Scope {
    fn renamed(self, name: &dyn Fn(&PackagePath) -> PackagePath) -> Scope {
        let label = |label: Label| Label { package: name(&label.package), ..label };
        match self {
            Scope::Target(target) => Scope::Target(label(target)),
            Scope::FirstOf(labels) => Scope::FirstOf(labels.into_iter().map(label).collect()),
            Scope::Package(package, wildcard) => Scope::Package(name(&package), wildcard),
            Scope::Below(package) => Scope::Below(name(&package)),
        }
    }
}

impl fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a pattern without its minus names; the error is why it is none.
fn scope(body: &str, here: &PackagePath) -> Result<Scope, String> {
    if body.starts_with('@') {
        return external(body);
    }
    let (path, name) = body.split_once(':').map_or((body, None), |(path, name)| (path, Some(name)));
    let wildcard = name.and_then(|name| WILDCARDS.into_iter().find(|wildcard| *wildcard == name));
    if let Some(top) = path.strip_suffix("...").filter(|top| top.is_empty() || top.ends_with('/')) {
        return match (name, wildcard) {
            (None, _) | (_, Some(_)) => Ok(Scope::Below(package(top, here)?)),
            (Some(name), None) => Err(format!("`...` names whole packages, so `:{name}` can't follow it")),
        };
    }
    match (name, wildcard) {
        _ if path.ends_with("...") => Err("`...` stands alone or after a slash".to_owned()),
        (_, Some(wildcard)) => Ok(Scope::Package(package(path, here)?, wildcard)),
        (Some(name), None) => Ok(Scope::Target(label(package(path, here)?, name)?)),
        (None, None) if path.starts_with("//") => {
            let package = package(path, here)?;
            let name = package.last().to_owned();
            Ok(Scope::Target(label(package, &name)?))
        }
        (None, None) => first_of(path.trim_end_matches('/'), here),
    }
}

/// Of another workspace: behind its name as of this one, from the top; or the name alone.
fn external(body: &str) -> Result<Scope, String> {
    let root = PackagePath::default();
    match split_external(body)? {
        (Some(workspace), rest) if !rest.is_empty() => {
            Ok(scope(rest, &root)?.renamed(&|package| package.of(Some(workspace))))
        }
        _ => Label::parse(body, &root).map(Scope::Target).map_err(|error| error.why),
    }
}

/// `foo/bar`: the target `bar` of package `foo/bar`, else of package `foo`.
fn first_of(path: &str, here: &PackagePath) -> Result<Scope, String> {
    let whole = package(path, here)?;
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok(Scope::FirstOf(vec![label(whole, name)?, label(package(parent, here)?, name)?]))
}

/// A package's path, absolute with `//`, else below `here`; one slash at the end is let pass, since shells complete it.
fn package(path: &str, here: &PackagePath) -> Result<PackagePath, String> {
    let parsed = match path.strip_prefix("//") {
        Some(rest) => PackagePath::new(rest.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(rest)),
        None => {
            let rest = path.strip_suffix('/').unwrap_or(path);
            let separator = if rest.is_empty() || here.as_str().is_empty() { "" } else { "/" };
            PackagePath::new(&format!("{}{separator}{rest}", here.as_str()))
        }
    };
    parsed.ok_or_else(|| {
        "each part of a package's path is letters, digits, `.`, `_` or `-`, beginning with a letter or digit".to_owned()
    })
}

fn label(package: PackagePath, name: &str) -> Result<Label, String> {
    match name {
        "" => Err("the target's name is missing".to_owned()),
        name if is_name(name) => Ok(Label { package, name: name.into() }),
        _ => Err("a name is letters, digits, `.`, `_` or `-`, beginning with a letter or digit".to_owned()),
    }
}

fn explain(text: &str, body: &str, why: String) -> PatternError {
    let hint = if body.starts_with("./") || body.starts_with("../") {
        "write it without dots, `foo/bar`, or from the top, `//foo/bar`"
    } else if body.starts_with('/') && !body.starts_with("//") {
        "a pattern from the top begins with two slashes, `//foo:bar`"
    } else if body.starts_with('@') {
        "write `@workspace//package:name`, or a pattern behind the name of a workspace that `[external.…]` names"
    } else if body == "//" {
        "`//...` is everything, `//:name` a target of the root package"
    } else {
        "write `//package:name`, `//package:all`, `//package/...`, or `:name` for the package that you are in"
    };
    PatternError { text: text.to_owned(), why, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let here = PackagePath::new("p").expect("a package");
        match TargetPattern::parse(text, &here).map(|pattern| pattern.scope) {
            Ok(Scope::Target(label)) => label.to_string(),
            Ok(Scope::FirstOf(labels)) => format!("{labels:?}"),
            Ok(Scope::Package(package, _)) => format!("{package}:*"),
            Ok(Scope::Below(package)) => format!("{package}/..."),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_form_names_what_bazel_says() {
        for (text, meant) in [
            ("//p:t", "//p:t"),
            ("//a/p", "//a/p:p"),
            ("//p/...", "//p/..."),
            ("//p/...:all", "//p/..."),
            ("//p/...:*", "//p/..."),
            ("//p:all", "//p:*"),
            ("//p:*", "//p:*"),
            ("//...", "///..."),
            ("//:all", "//:*"),
            ("//:t", "//:t"),
            (":t", "//p:t"),
            (":all", "//p:*"),
            ("...", "//p/..."),
            ("q/...", "//p/q/..."),
            ("q:t", "//p/q:t"),
            ("q", "[//p/q:q, //p:q]"),
            ("foo/bar/wiz", "[//p/foo/bar/wiz:wiz, //p/foo/bar:wiz]"),
            ("foo/", "[//p/foo:foo, //p:foo]"),
            ("@x", "@x//:x"),
            ("@x//p:t", "@x//p:t"),
            ("@x//...", "@x///..."),
            ("@x/y//p:all", "@x/y//p:*"),
        ] {
            assert_eq!(shown(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_with_a_hint() {
        let here = PackagePath::default();
        for text in [
            "",
            "-",
            "//",
            "/p:t",
            "./p",
            "../p",
            "//p:",
            "//p:a:b",
            "//p/...:t",
            "//p...",
            "///...",
            "//a//b",
            "a b",
            "--x",
        ] {
            let error = TargetPattern::parse(text, &here).expect_err(text);
            assert!(!error.hint.is_empty());
        }
        let error = TargetPattern::parse("/p:t", &here).expect_err("one slash");
        assert!(error.hint.contains("two slashes"), "{error}");
        assert!(error.to_string().starts_with("`/p:t` is not a target pattern: "), "{error}");
    }

    #[test]
    fn a_subtree_does_not_cover_a_sibling_with_the_same_prefix() {
        let pattern = TargetPattern::parse("//foo/...", &PackagePath::default()).expect("a pattern");
        let covers = |path| pattern.covers(&PackagePath::new(path).expect("a package"));
        assert!(covers("foo") && covers("foo/bar"));
        assert!(!covers("foox"));
    }

    #[test]
    fn all_malformed_patterns_of_a_list_are_reported() {
        let errors = TargetPattern::parse_all(&["//a:b", "/x", "//"], &PackagePath::default()).expect_err("two");
        assert_eq!(errors.len(), 2);
    }
}
