//! Images that are taken as published, or as this machine has them, need nothing, and their packages need not be there:
//! under a profile those of `from-registry` and `local`, and those of another workspace that is not built from its folder.
//!
//! Works on what was read. Where such an image comes from is not known here.

use std::collections::BTreeMap;

use super::check::LabelUse;
use super::model::{Package, Target};
use super::schema::{Purpose, RuleSchema};
use super::settings::Settings;
use super::taken::{Taken, may_hold_taken};
use super::value::Table;
use crate::label::{Label, PackagePath};
use crate::pattern::{Scope, TargetPattern};
use crate::span::Span;

/// Marks the images of a package that are taken as they are, and takes their labels away: what they are made of is
/// neither read nor built.
pub fn mark(package: &mut Package, settings: &Settings) {
    if settings.taken.is_empty() {
        return;
    }
    for target in package.targets.iter_mut().filter(|target| target.rule.purpose == Purpose::Image) {
        let taken = settings.taken(&target.label);
        (target.published, target.local) = (taken == Taken::Published, taken == Taken::Local);
        if !target.is_built() {
            target.labels.clear();
        }
    }
}

/// Whether a package may hold something that is taken as it is.
pub fn may_be_absent(package: &PackagePath, settings: &Settings) -> bool {
    if let Some(name) = package.external() {
        return settings.externals.contains_key(name);
    }
    may_hold_taken(&settings.taken, package)
}

/// Adds the packages that aren't there, with what labels and patterns name in them and is taken as it is: images
/// under the profile, and all that is of a workspace that is taken as published. They stand where they are first named; what only a pattern
/// names, where its workspace is declared.
pub fn add_absent(
    packages: &mut Vec<Package>,
    wanted: &[TargetPattern],
    settings: &Settings,
    schemas: &[&'static RuleSchema],
) {
    let image = schemas.iter().find(|schema| schema.purpose == Purpose::Image);
    let Some(rule) = image.filter(|_| !settings.taken.is_empty() || !settings.externals.is_empty()) else {
        return;
    };
    let mut absent: BTreeMap<Label, Span> = BTreeMap::new();
    let used = packages.iter().flat_map(|package| &package.targets).flat_map(Target::followed);
    for used in used.filter(|used| is_taken(used, packages, settings)) {
        absent.entry(used.label.clone()).or_insert(used.span);
    }
    for (label, span) in wanted.iter().filter_map(|pattern| named(pattern, settings)) {
        absent.entry(label).or_insert(span);
    }
    let mut added: BTreeMap<PackagePath, Vec<Target>> = BTreeMap::new();
    for (label, span) in absent {
        let (table, labels, origin) = (Table::default(), Vec::new(), None);
        let local = label.package.external().is_none() && settings.taken(&label) == Taken::Local;
        let target = Target { label, rule, span, origin, table, labels, published: !local, local, valid: true };
        added.entry(target.label.package.clone()).or_default().push(target);
    }
    packages.extend(added.into_iter().map(|(path, targets)| Package { path, targets, complete: true }));
}

fn is_taken(used: &LabelUse, packages: &[Package], settings: &Settings) -> bool {
    if let Some(name) = used.label.package.external() {
        return takes(name, settings);
    }
    let absent = || packages.iter().all(|package| package.path != used.label.package);
    used.purposes.contains(&Purpose::Image) && settings.taken(&used.label) != Taken::Built && absent()
}

/// What a pattern names in another workspace, and where that is declared.
fn named(pattern: &TargetPattern, settings: &Settings) -> Option<(Label, Span)> {
    let Scope::Target(label) = &pattern.scope else { return None };
    let name = label.package.external().filter(|name| takes(name, settings))?;
    Some((label.clone(), settings.externals.get(name)?.span))
}

/// Whether another workspace is taken as published.
fn takes(name: &str, settings: &Settings) -> bool {
    settings.externals.get(name).is_some_and(|external| external.path.is_none())
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
