//! Labels and target patterns → targets and files of a packed graph. Relative ones are taken from a package.
//!
//! `:*`, `:all-targets` mean targets and files, `:all` and `...` targets alone. A label means the target, where a file bears
//! its name too. Words an error shortly: whoever has the workspace can say more.

use super::graph::{Id, ResolveError};
use super::packed::Packed;
use crate::diagnostic::nearest;
use crate::label::{Label, PackagePath};
use crate::pattern::{Scope, TargetPattern};

/// Why a word names nothing; with the pattern where it is one, so that more can be said of it.
pub type Unresolved = Box<(ResolveError, Option<TargetPattern>)>;

/// The ids that a word means.
pub fn resolve(packed: &Packed<'_>, here: &PackagePath, text: &str) -> Result<Vec<Id>, Unresolved> {
    if let Some(id) = spelled_out(packed, here, text) {
        return Ok(vec![id]);
    }
    let pattern = TargetPattern::parse(text, here).map_err(|error| {
        let is_none = || ResolveError { message: error.to_string(), help: Some(error.hint.clone()) };
        Box::new((no_file(packed, here, text).unwrap_or_else(is_none), None))
    })?;
    let found = of_scope(packed, here, &pattern);
    found.filter(|ids| !ids.is_empty()).ok_or_else(|| Box::new((ResolveError::new(missing(&pattern)), Some(pattern))))
}

/// The pattern whose packages have to be read for a word of a query; `None` where it can mean nothing. Of a file's label,
/// which is no target pattern, that of its package.
pub fn wanted(text: &str, here: &PackagePath) -> Option<TargetPattern> {
    let pattern = TargetPattern::parse(text, here);
    match pattern {
        Ok(TargetPattern { scope: Scope::FirstOf(_), text, negative }) => {
            // Of the labels, only the packages matter here: in one of them, the name may be that of a file.
            let labels = relative(&text, here).into_iter().map(|(package, _)| Label { package, name: "x".into() });
            Some(TargetPattern { scope: Scope::FirstOf(labels.collect()), text, negative })
        }
        Ok(pattern) => Some(pattern),
        Err(_) => whole_package(text.split_once(':')?.0, here),
    }
}

/// Of a label that can only be a file's: that no target names it.
fn no_file(packed: &Packed<'_>, here: &PackagePath, text: &str) -> Option<ResolveError> {
    let (path, name) = text.split_once(':').filter(|(_, name)| name.contains('/'))?;
    let Scope::Package(package, _) = whole_package(path, here)?.scope else { return None };
    let members = packed.find_package(&package).map(|index| packed.members(index)).unwrap_or_default();
    let meant = nearest(name, members.map(|id| packed.name(id)));
    let message = format!("no such source file `{text}`: no target of `{package}` names it");
    Some(ResolveError { message, help: meant.map(|meant| format!("did you mean `{package}:{meant}`?")) })
}

fn missing(pattern: &TargetPattern) -> String {
    let text = &pattern.text;
    match pattern.scope {
        Scope::Below(_) | Scope::Package(..) => format!("no targets found beneath `{text}`"),
        _ => format!("no such target `{text}`"),
    }
}

/// The target or file of a label with a colon.
fn spelled_out(packed: &Packed<'_>, here: &PackagePath, text: &str) -> Option<Id> {
    let (path, name) = text.split_once(':')?;
    match whole_package(path, here)?.scope {
        Scope::Package(package, _) => packed.find(packed.find_package(&package)?, name),
        _ => None,
    }
}

fn whole_package(path: &str, here: &PackagePath) -> Option<TargetPattern> {
    TargetPattern::parse(&format!("{path}:all"), here).ok()
}

/// What `a/b/c` may mean: target `c` of the package `a/b/c`, else what is `c` in `a/b`, else `b/c` in `a`, and so on.
fn relative(text: &str, here: &PackagePath) -> Vec<(PackagePath, String)> {
    let text = text.trim_end_matches('/');
    let path = if here.as_str().is_empty() { text.to_owned() } else { format!("{}/{text}", here.as_str()) };
    let last = path.rsplit('/').next().unwrap_or(&path);
    let cuts = path.match_indices('/').rev().map(|(at, _)| (&path[..at], &path[at + 1..]));
    let all = [(&*path, last)].into_iter().chain(cuts).chain([("", &*path)]);
    all.filter_map(|(package, name)| Some((PackagePath::new(package)?, name.to_owned()))).collect()
}

fn of_scope(packed: &Packed<'_>, here: &PackagePath, pattern: &TargetPattern) -> Option<Vec<Id>> {
    let with_files = [":*", ":all-targets"].iter().any(|end| pattern.text.ends_with(end));
    let is_meant = |id: &Id| with_files || !packed.role(*id).is_file();
    match &pattern.scope {
        Scope::Target(label) => Some(vec![packed.find(packed.find_package(&label.package)?, &label.name)?]),
        Scope::FirstOf(_) => {
            let possible = relative(&pattern.text, here).into_iter();
            let mut there = possible.filter_map(|(package, name)| Some((packed.find_package(&package)?, name)));
            let (package, name) = there.next()?;
            Some(vec![packed.find(package, &name)?])
        }
        Scope::Package(package, wildcard) => {
            let index = packed.find_package(package)?;
            match packed.find(index, wildcard) {
                Some(id) => Some(vec![id]),
                None => Some(packed.members(index).filter(is_meant).collect()),
            }
        }
        Scope::Below(top) => {
            let packages = (0..packed.packages()).filter(|index| is_below(packed.package(*index), top));
            Some(packages.flat_map(|index| packed.members(index)).filter(is_meant).collect())
        }
    }
}

/// Whether a package, by workspace and path, is `top` or below it, and of its workspace.
fn is_below((external, path): (&str, &str), top: &PackagePath) -> bool {
    let below = |rest: &str| top.as_str().is_empty() || rest.is_empty() || rest.starts_with('/');
    external == top.external().unwrap_or_default() && path.strip_prefix(top.as_str()).is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::super::toy;
    use super::*;

    const GRAPH: &str = "//a:app image -> //a:lib //a/b:src/x; //a:lib layer; //a/b:b layer -> //a/b:src/x; \
                         //a/b:src/x source; //ax:all layer -> //a:lib; @low//p:q image";

    fn meant(text: &str, here: &str) -> String {
        let bytes = toy::bytes(GRAPH);
        let packed = Packed::read(&bytes).unwrap();
        let label = |id: Id| {
            let (external, path) = packed.package(packed.package_of(id));
            let at = if external.is_empty() { "" } else { "@" };
            format!("{at}{external}//{path}:{}", packed.name(id))
        };
        match resolve(&packed, &PackagePath::new(here).unwrap(), text) {
            Ok(ids) => ids.into_iter().map(label).collect::<Vec<_>>().join(" "),
            Err(unresolved) => unresolved.0.message,
        }
    }

    #[test]
    fn wildcards_with_a_star_mean_files_too_and_the_others_targets() {
        assert_eq!(meant("//a/...", ""), "//a:app //a:lib //a/b:b");
        assert_eq!(meant("//a/b:all", ""), "//a/b:b");
        assert_eq!(meant("//a/b:*", ""), "//a/b:b //a/b:layers.toml //a/b:src/x");
        assert_eq!(meant("...:all-targets", "a/b"), "//a/b:b //a/b:layers.toml //a/b:src/x");
        assert_eq!(meant("//...", ""), "//a:app //a:lib //a/b:b //ax:all");
        assert_eq!(meant("//ax:all", ""), "//ax:all");
        assert_eq!(meant("@low//...", ""), "@low//p:q");
        assert_eq!(meant("@low//p/...", "a"), "@low//p:q");
        assert_eq!(meant("@low//a/...", ""), "no targets found beneath `@low//a/...`");
    }

    #[test]
    fn files_are_named_from_the_top_and_relative_to_a_package() {
        assert_eq!(meant("//a/b:src/x", ""), "//a/b:src/x");
        assert_eq!(meant(":src/x", "a/b"), "//a/b:src/x");
        assert_eq!(meant("src/x", "a/b"), "//a/b:src/x");
        assert_eq!(meant("a/b/src/x", ""), "//a/b:src/x");
        assert_eq!(meant("b", "a"), "//a/b:b");
        assert_eq!(meant("lib", "a"), "//a:lib");
        assert_eq!(meant("@low//p:q", ""), "@low//p:q");
    }

    #[test]
    fn what_means_nothing_is_said() {
        assert_eq!(meant("//a:nope", ""), "no such target `//a:nope`");
        assert_eq!(meant("//zzz/...", ""), "no targets found beneath `//zzz/...`");
        assert_eq!(meant("//a/b:src/y", ""), "no such source file `//a/b:src/y`: no target of `//a/b` names it");
        assert!(meant("/a:b", "").contains("is not a target pattern"));
    }
}
