//! What to say of a label that names nothing.

use crate::diagnostic::nearest;
use crate::label::{Label, PackagePath};
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
        None => no_package(workspace, label),
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
    let file = workspace.settings.folder(&package.path).join(crate::workspace::root::FILE_NAME);
    match names().take(SOME + 1).collect::<Vec<_>>() {
        names if names.is_empty() => format!("`{file}` declares no targets"),
        names if names.len() > SOME => format!("`{file}` declares {} targets", package.targets.len()),
        names => format!("`{file}` declares {}", crate::workspace::schema::quoted(&names)),
    }
}

/// So many names can be read at a glance.
const SOME: usize = 8;

/// Words for a package that does not exist.
pub fn no_package(workspace: &Workspace, label: &Label) -> Missing {
    let file = workspace.settings.folder(&label.package).join(crate::workspace::root::FILE_NAME);
    let help = match nearest_package(workspace, label) {
        Some(meant) if workspace.package(meant).is_some_and(|package| package.target(&label.name).is_none()) => {
            format!("did you mean the package `{meant}`?")
        }
        Some(meant) => format!("did you mean `{meant}:{}`?", label.name),
        None => format!("a package is a folder with a layers.toml: add `{file}`, or mend the label"),
    };
    Missing {
        message: format!("no such package `{}`", label.package),
        why: format!("there is no `{file}`"),
        help: vec![help],
    }
}

/// The nearest path, else one with the same last part.
fn nearest_package<'w>(workspace: &'w Workspace, label: &Label) -> Option<&'w PackagePath> {
    let near = nearest(label.package.as_str(), workspace.known.iter().map(PackagePath::as_str));
    let fits = |known: &&PackagePath| match near {
        Some(near) => known.as_str() == near,
        None => known.last() == label.package.last(),
    };
    workspace.known.iter().find(fits)
}
