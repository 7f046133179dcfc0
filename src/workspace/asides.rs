//! Labels that are only told, such as where an image's data goes to: those that can be judged are kept.
//!
//! Nothing is read for such a label, so that what it names can be at work on by others, or not be there at all. Knows
//! nothing of what is told.

use std::collections::BTreeSet;

use super::check::Naming;
use super::model::Package;
use super::published;
use super::settings::Settings;
use crate::label::PackagePath;

/// Forgets labels into packages that nothing else led to. `whole`: every package of the workspace was to be read, so that
/// one which was not is missing, and the label a mistake.
pub fn forget(packages: &mut [Package], whole: bool, settings: &Settings) {
    let read: BTreeSet<PackagePath> = packages.iter().map(|package| package.path.clone()).collect();
    let is_missing =
        |package: &PackagePath| whole && package.external().is_none() && !published::may_be_absent(package, settings);
    for target in packages.iter_mut().flat_map(|package| &mut package.targets) {
        target.labels.retain(|used| {
            let package = &used.label.package;
            used.naming != Naming::Aside || read.contains(package) || is_missing(package)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use crate::label::PackagePath;

    fn load(pattern: &str, other: &str) -> (Vec<String>, Vec<String>) {
        let root = ("layers.toml", "[workspace]\nname = \"x\"\n");
        let kits = ("kits/layers.toml", "[image.a]\nwrites = [\"//other:b\", \"//gone:c\", \":d\"]\n[image.d]\n");
        let tree = Tree::new(&[root, kits, ("other/layers.toml", other)]);
        let (workspace, problems) = tree.load_with(&PackagePath::default(), &[pattern], None);
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        (targets.flat_map(|target| &target.labels).map(|used| used.label.to_string()).collect(), problems)
    }

    #[test]
    fn nothing_is_read_for_what_is_only_told() {
        let (labels, problems) = load("//kits/...", "[image.b\n");
        assert_eq!((labels.as_slice(), problems.as_slice()), (["//kits:d".to_owned()].as_slice(), [].as_slice()));
    }

    #[test]
    fn where_all_is_read_what_is_told_is_judged() {
        let (labels, problems) = load("//...", "[image.b]\n");
        assert_eq!(labels, ["//other:b", "//gone:c", "//kits:d"]);
        expect(&problems, &[]);
    }
}
