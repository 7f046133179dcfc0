//! `from-registry`: images that the profile takes as published need nothing, and their packages need not be there.
//!
//! Works on what was read. Where such an image comes from is not known here.

use std::collections::BTreeMap;

use super::model::{Package, Target};
use super::schema::{Purpose, RuleSchema};
use super::settings::Settings;
use super::value::Table;
use crate::label::PackagePath;
use crate::pattern::PackageSelection;

/// Marks the images of a package that are taken as published, and takes their labels away: what they are made of is
/// neither read nor built.
pub fn mark(package: &mut Package, settings: &Settings) {
    if settings.from_registry.is_empty() {
        return;
    }
    for target in package.targets.iter_mut().filter(|target| target.rule.purpose == Purpose::Image) {
        if settings.is_from_registry(&target.label) {
            target.published = true;
            target.labels.clear();
        }
    }
}

/// Whether a package may hold something that is taken as published.
pub fn may_be_absent(package: &PackagePath, settings: &Settings) -> bool {
    settings.from_registry.iter().any(|pattern| match pattern.packages() {
        PackageSelection::One(one) => one == *package,
        PackageSelection::FirstOf(some) => some.contains(package),
        PackageSelection::Below(top) => package.is_below(&top),
    })
}

/// Adds the packages that aren't there, with the images that labels name in them and that are taken as published. They
/// stand where they are first named.
pub fn add_absent(packages: &mut Vec<Package>, settings: &Settings, schemas: &[&'static RuleSchema]) {
    let image = schemas.iter().find(|schema| schema.purpose == Purpose::Image);
    let (Some(rule), false) = (image, settings.from_registry.is_empty()) else { return };
    let mut absent: BTreeMap<PackagePath, Vec<Target>> = BTreeMap::new();
    for used in packages.iter().flat_map(|package| &package.targets).flat_map(|target| &target.labels) {
        let there = packages.iter().any(|package| package.path == used.label.package);
        if there || !used.purposes.contains(&Purpose::Image) || !settings.is_from_registry(&used.label) {
            continue;
        }
        let targets = absent.entry(used.label.package.clone()).or_default();
        if targets.iter().all(|target| target.label != used.label) {
            let (label, table, labels) = (used.label.clone(), Table::default(), Vec::new());
            let origin = None;
            targets.push(Target { label, rule, span: used.span, origin, table, labels, published: true, valid: true });
        }
    }
    packages.extend(absent.into_iter().map(|(path, mut targets)| {
        targets.sort_unstable_by(|a, b| a.label.cmp(&b.label));
        Package { path, targets, complete: true }
    }));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use crate::label::PackagePath;

    const ROOT: &str = "[workspace]\nname = \"x\"\n[profile.p]\nfrom-registry = [\"//low/...\", \"-//low:built\"]\n";
    const LOW: &str = "[image.taken]\nbase = \"//gone:x\"\n[image.built]\n[files.f]\ndest = \"/\"\n";
    const HIGH: &str = "[image.a]\nbase = \"//low:taken\"\nlayers = [\"//low:f\"]\n[image.b]\nbase = \"//low:built\"\n";

    fn load(files: &[(&str, &str)], profile: Option<&str>) -> (Vec<(String, bool)>, Vec<String>) {
        let (workspace, problems) = Tree::new(files).load_with(&PackagePath::default(), &["//high/..."], profile);
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        (targets.map(|target| (target.label.to_string(), target.published)).collect(), problems)
    }

    #[test]
    fn images_that_the_patterns_name_are_taken_as_published_and_need_nothing() {
        let files = [("layers.toml", ROOT), ("low/layers.toml", LOW), ("high/layers.toml", HIGH)];
        let (targets, problems) = load(&files, Some("p"));
        assert_eq!(problems, [""; 0]);
        let published: Vec<&str> =
            targets.iter().filter(|(_, published)| *published).map(|(label, _)| &**label).collect();
        assert_eq!(published, ["//low:taken"]);
        assert!(load(&files, None).0.iter().all(|(_, published)| !published));
    }

    #[test]
    fn a_package_that_is_taken_as_published_need_not_be_there() {
        let high = "[image.a]\nbase = \"//low/deep:taken\"\n[image.b]\nbase = \"//low/deep:taken\"\n";
        let files = [("layers.toml", ROOT), ("high/layers.toml", high)];
        let (targets, problems) = load(&files, Some("p"));
        assert_eq!(problems, [""; 0]);
        assert_eq!(targets[2], ("//low/deep:taken".to_owned(), true));
        assert_eq!(targets.len(), 3);
        assert_eq!(load(&files, None).0.len(), 2);
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        let root = "[workspace]\nname = \"x\"\n[profile.p]\nfrom-registry = [\"//a b\"]\n";
        let (_, problems) = load(&[("layers.toml", root), ("high/layers.toml", "")], None);
        expect(&problems, &[&["`//a b` is not a target pattern", "layers.toml:4:18"]]);
    }
}
