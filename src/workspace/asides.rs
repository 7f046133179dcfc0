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
    let is_missing = |package: &PackagePath| {
        whole && package.external().is_none() && !published::may_be_absent(package, settings)
    };
    for target in packages.iter_mut().flat_map(|package| &mut package.targets) {
        target.labels.retain(|used| {
            let package = &used.label.package;
            used.naming != Naming::Aside || read.contains(package) || is_missing(package)
        });
    }
}
