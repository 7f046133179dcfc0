//! `[workspace] build-base`: an edge of every target whose rule runs over it and that names no other.
//!
//! Works on what was read. What it is used for is not known here.

use super::check::{LabelUse, Naming};
use super::model::Package;
use super::schema::{BUILD_BASE, Purpose};
use super::settings::{BuildBase, Settings};

/// What a build base may be.
pub const PURPOSES: &[Purpose] = &[Purpose::Image, Purpose::Base, Purpose::Layer];

/// Adds the workspace's build base to the labels of a package's targets that stand on it.
pub fn imply(package: &mut Package, settings: &Settings) {
    let Some(base) = &settings.build_base else { return };
    let BuildBase::Target(label) = &base.value else { return };
    for target in &mut package.targets {
        let asks = target.rule.attributes.iter().any(|attribute| attribute.name == BUILD_BASE);
        if asks && target.table.get(BUILD_BASE).is_none() {
            let (label, span) = (label.clone(), base.span);
            target.labels.push(LabelUse {
                attribute: BUILD_BASE,
                label,
                span,
                purposes: PURPOSES,
                naming: Naming::Edge,
            });
        }
    }
}
