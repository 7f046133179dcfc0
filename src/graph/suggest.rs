//! What to say of a label that names nothing.

use crate::diagnostic::nearest;
use crate::label::{Label, PackagePath};
use crate::workspace::external;
use crate::workspace::{Package, Workspace};

/// A missing target or package, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub message: String,
    /// Why it is taken to be.
    pub why: String,
    /// What may have been meant, one sentence each.
    pub help: Vec<String>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.message, self.why)
    }
}

/// Words for a label that no package declares.
pub fn missing(workspace: &Workspace, label: &Label) -> Missing {
    match workspace.package(&label.package) {
        Some(package) => no_target(workspace, package, label),
        None => no_package(workspace, &label.package, Some(&label.name)),
    }
}

fn no_target(workspace: &Workspace, package: &Package, label: &Label) -> Missing {
    Missing {
        message: format!("no such target `{label}`"),
        why: format!("`{}` is not declared in the package `{}`", label.name, package.path),
        help: vec![nearest_target(workspace, package, label)],
    }
}

fn nearest_target(workspace: &Workspace, package: &Package, label: &Label) -> String {
    let names = || package.targets.iter().map(|target| &*target.label.name);
    if let Some(meant) = nearest(&label.name, names()) {
        return format!("did you mean `{}:{meant}`?", package.path);
    }
    let elsewhere = workspace.packages.iter().find_map(|other| other.target(&label.name));
    if let Some(target) = elsewhere {
        return format!("`{}` has this name", target.label);
    }
    let file = workspace.home(&package.path).folder_of(&package.path).join(crate::workspace::root::FILE_NAME);
    match names().take(SOME + 1).collect::<Vec<_>>() {
        names if names.is_empty() => format!("`{file}` declares no targets"),
        names if names.len() > SOME => format!("`{file}` declares {} targets", package.targets.len()),
        names => format!("`{file}` declares {}", crate::workspace::schema::quoted(&names)),
    }
}

/// So many names can be read at a glance.
const SOME: usize = 8;

/// Words for a package that does not exist. `name`: the target wanted of it; `None`: all.
pub fn no_package(workspace: &Workspace, path: &PackagePath, name: Option<&str>) -> Missing {
    if let Some(external) = path.external().filter(|_| !workspace.is_beside(path)) {
        return no_workspace(workspace, path, external);
    }
    let file = workspace.home(path).folder_of(path).join(crate::workspace::root::FILE_NAME);
    let help = match nearest_package(workspace, path) {
        Some(meant) => match name.and_then(|name| label_in(meant, path, name)) {
            Some(label) => format!("did you mean `{label}`?"),
            None => format!("did you mean the package `{}`?", meant.path),
        },
        None => format!("a package is a folder with a layers.toml: add `{file}`, or mend the label"),
    };
    Missing { message: format!("no such package `{path}`"), why: format!("there is no `{file}`"), help: vec![help] }
}

/// Words for a workspace that has no name where it is named.
fn no_workspace(workspace: &Workspace, path: &PackagePath, external: &str) -> Missing {
    let home = workspace.home(path);
    let name = external.rsplit('/').next().unwrap_or(external);
    let help = match home.name {
        None => external::suggestion(name, &home.settings.externals),
        Some(outer) => format!("in `@{outer}`, {}", external::suggestion(name, &home.settings.externals)),
    };
    let why = format!("there is no `[external.{name}]`");
    Missing { message: format!("no other workspace is named `{external}`"), why, help: vec![help] }
}

/// Words for a wildcard in a workspace whose targets are not known here; `None` where they are.
pub fn unknown_inside(workspace: &Workspace, path: &PackagePath) -> Option<Missing> {
    let external = path.external().filter(|_| !workspace.is_beside(path))?;
    let name = external.rsplit('/').next().unwrap_or(external);
    if !workspace.home(path).settings.externals.contains_key(name) {
        return Some(no_workspace(workspace, path, external));
    }
    Some(Missing {
        message: format!("what `{external}` holds is not known here"),
        why: "its images are taken as published".to_owned(),
        help: vec![format!("name each: `@{external}//package:name`; wildcards work where it is built from its `path`")],
    })
}

/// Whether a package is of a workspace that should be built from its folder and was not found there, which is told.
pub fn is_astray(workspace: &Workspace, path: &PackagePath) -> bool {
    let Some(external) = path.external().filter(|_| !workspace.is_beside(path)) else { return false };
    let name = external.rsplit('/').next().unwrap_or(external);
    workspace.home(path).settings.externals.get(name).is_some_and(|external| external.path.is_some())
}

/// The target of `meant` that a label into the package `written` was to name; `None` where none is like it.
fn label_in(meant: &Package, written: &PackagePath, name: &str) -> Option<String> {
    if meant.target(name).is_none() && name == written.last() && meant.target(meant.path.last()).is_some() {
        return Some(meant.path.to_string());
    }
    let names = meant.targets.iter().map(|target| &*target.label.name);
    nearest(name, names).map(|name| format!("{}:{name}", meant.path))
}

/// The nearest path, else one with the same last part.
fn nearest_package<'w>(workspace: &'w Workspace, path: &PackagePath) -> Option<&'w Package> {
    let known =
        || workspace.packages.iter().chain(&workspace.others).filter(|it| it.path.external() == path.external());
    let near = nearest(path.as_str(), known().map(|package| package.path.as_str()));
    known().find(|package| match near {
        Some(near) => package.path.as_str() == near,
        None => package.path.last() == path.last(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;

    fn help(pattern: &str) -> String {
        let tree = Tree::new(&[
            ("layers.toml", "[workspace]\nname = \"x\"\n"),
            ("hello/layers.toml", "[files.hello]\ndest = \"/\"\n[files.world]\ndest = \"/\"\n"),
            ("words/layers.toml", "[files.english]\ndest = \"/\"\n[image.bad]\nbase = \"//gone:x\"\n"),
        ]);
        let shown = tree.select("", &[pattern]).concat();
        shown.rsplit("; ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn only_what_exists_is_suggested_even_of_packages_that_nothing_asked_for() {
        assert_eq!(help("//helo"), "did you mean `//hello`?");
        assert_eq!(help("//helo:world"), "did you mean `//hello:world`?");
        assert_eq!(help("//helo:wrold"), "did you mean `//hello:world`?");
        assert_eq!(help("//helo:zebra"), "did you mean the package `//hello`?");
        assert_eq!(help("//wrods"), "did you mean the package `//words`?");
        assert_eq!(help("//helo:all"), "did you mean the package `//hello`?");
    }
}
