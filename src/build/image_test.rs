//! Runs `image_test`: holds an image, or each of an index, against what is expected of it.

use super::Workshop;
use super::error::BuildError;
use super::image_layers::ImageLayers;
use super::upstream::{Tested, Upstream};
use crate::action::record::Output;
use crate::action::{Expected, ImageTestAction};
use crate::image_test::{Finding, Root, Subject, judge};
use crate::oci::listing::Listing;

/// Passes, or fails with all that differs.
pub fn run(action: &ImageTestAction, inputs: &Upstream, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    test(&action.expected, inputs.tested(), shop)?;
    let image = inputs.first().map(Output::digest).expect("an action is run when its inputs are built");
    Ok(Output::Passed(image))
}

/// The same of images that no action of the graph gave.
pub fn test(expected: &Expected, images: &[Tested], shop: &Workshop<'_>) -> Result<(), BuildError> {
    let (mut names, mut findings) = (Vec::new(), Vec::new());
    for image in images {
        let found = one(expected, image, shop)?;
        if !found.is_empty() {
            names.push(image.name.as_str());
        }
        findings.extend(found.into_iter().map(|finding| if images.len() > 1 { of(image, finding) } else { finding }));
    }
    let image = names.join(", ");
    if findings.is_empty() { Ok(()) } else { Err(BuildError::Test { image, findings }) }
}

fn one(expected: &Expected, image: &Tested, shop: &Workshop<'_>) -> Result<Vec<Finding>, BuildError> {
    let layers = ImageLayers::open(image, expected, shop)?;
    let listings: Vec<&Listing> = layers.listings.iter().map(|listing| &**listing).collect();
    let root = Root::new(&listings, &layers.labels, &layers);
    judge(expected, &Subject { config: &layers.config, sizes: &layers.sizes, root })
}

/// Says of which image of an index it is true.
fn of(image: &Tested, finding: Finding) -> Finding {
    let about = if finding.about.is_empty() { String::new() } else { format!(", {}", finding.about) };
    Finding { about: format!("{}{about}", image.name), ..finding }
}
