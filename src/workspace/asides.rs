//! Labels that are only told, such as where an image's data goes to: those that can be judged are kept.
//!
//! Nothing is read for such a label, so that what it names can be at work on by others, or not be there at all. Knows
//! nothing of what is told.

use std::collections::BTreeSet;

use super::check::{LabelUse, Naming};
use super::model::Package;
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::PackagePath;

/// Forgets labels into packages that nothing else led to. `whole`: every package of the workspace was to be read; then one
/// that is most likely misspelt is warned of.
pub fn forget(packages: &mut [Package], whole: bool) -> Vec<Diagnostic> {
    if !packages.iter().flat_map(|package| &package.targets).flat_map(|target| &target.labels).any(is_aside) {
        return Vec::new();
    }
    let read: BTreeSet<PackagePath> = packages.iter().map(|package| package.path.clone()).collect();
    let mut warnings = Vec::new();
    for target in packages.iter_mut().flat_map(|package| &mut package.targets) {
        let is_lost = |used: &LabelUse| is_aside(used) && !read.contains(&used.label.package);
        let lost = target.labels.iter().filter(|used| whole && is_lost(used));
        let misspelt: Vec<Diagnostic> = lost.filter_map(|used| misspelt(used, &read)).collect();
        target.labels.retain(|used| !is_lost(used));
        warnings.extend(misspelt.into_iter().map(|warning| target.traced(warning)));
    }
    warnings
}

fn is_aside(used: &LabelUse) -> bool {
    used.naming == Naming::Aside
}

/// A warning where a package that is there has a name like that.
fn misspelt(used: &LabelUse, read: &BTreeSet<PackagePath>) -> Option<Diagnostic> {
    let LabelUse { attribute, label, span, .. } = used;
    let own = read.iter().filter(|package| package.external().is_none() && label.package.external().is_none());
    let meant = nearest(label.package.as_str(), own.map(PackagePath::as_str))?;
    let message = format!("`{attribute}` tells of `{label}`, and there is no package `{}`", label.package);
    Some(Diagnostic::warning(message).at(*span, "").help(format!("did you mean `//{meant}:{}`?", label.name)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use crate::label::PackagePath;

    fn load(pattern: &str, other: &str) -> (Vec<String>, Vec<String>) {
        let root = ("layers.toml", "[workspace]\nname = \"x\"\n");
        let writes = "writes = [\"//other:b\", \"//gone:c\", \"//othr:b\", \":d\"]";
        let kits = format!("[image.a]\n{writes}\n[image.d]\n");
        let tree = Tree::new(&[root, ("kits/layers.toml", kits.as_str()), ("other/layers.toml", other)]);
        let (workspace, problems) = tree.load_with(&PackagePath::default(), &[pattern], None);
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        (targets.flat_map(|target| &target.labels).map(|used| used.label.to_string()).collect(), problems)
    }

    #[test]
    fn nothing_is_read_for_what_is_only_told() {
        let (labels, problems) = load("//kits/...", "[image.b\n");
        assert_eq!(labels, ["//kits:d"]);
        expect(&problems, &[]);
    }

    #[test]
    fn where_all_is_read_what_is_most_likely_misspelt_is_warned_of_and_all_else_need_not_be_there() {
        let (labels, problems) = load("//...", "[image.b]\n");
        assert_eq!(labels, ["//other:b", "//kits:d"]);
        expect(&problems, &[&["warning: `writes` tells of `//othr:b`", "did you mean `//other:b`?"]]);
    }
}
