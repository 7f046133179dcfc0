//! Runs `index`: one name for the images of several platforms, each described by what its config says.

use super::Workshop;
use super::error::BuildError;
use crate::action::IndexAction;
use crate::action::record::{Blob, ImageOutput, IndexOutput, Output};
use crate::oci::descriptor::Descriptor;
use crate::oci::image::ImageError;
use crate::oci::index::{Index, SamePlatform};
use crate::oci::manifest::Config;
use crate::platform::Platform;

/// Makes the index of images, each given with what it is called.
pub fn run(action: &IndexAction, images: &[(&str, &ImageOutput)], shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let described = images.iter().map(|(_, image)| Ok((platform(image, shop)?, descriptor(image))));
    let described = described.collect::<Result<Vec<_>, BuildError>>()?;
    let index = Index::compose(&described, &action.annotations)
        .map_err(|SamePlatform(platform)| same(platform, images, &described))?;
    let digest = shop.store.blobs().put_bytes(&index.bytes)?;
    Ok(Output::Index(IndexOutput {
        index: Blob { digest, size: index.descriptor.size },
        media_type: index.descriptor.media_type,
        images: images.iter().map(|(_, image)| (*image).clone()).collect(),
    }))
}

fn platform(image: &ImageOutput, shop: &Workshop<'_>) -> Result<Platform, BuildError> {
    let config = shop.store.blobs().read_verified(&image.config.digest, image.config.size)?;
    let config = Config::parse(&config).map_err(ImageError::Manifest)?;
    Ok(config.platform)
}

fn descriptor(image: &ImageOutput) -> Descriptor {
    let Blob { digest, size } = image.manifest;
    Descriptor { media_type: image.media_type.clone(), digest, size, annotations: Default::default() }
}

fn same(platform: Platform, images: &[(&str, &ImageOutput)], described: &[(Platform, Descriptor)]) -> BuildError {
    let named = images.iter().zip(described).filter(|(_, (its, _))| *its == platform);
    BuildError::SamePlatform { images: named.map(|((name, _), _)| (*name).to_owned()).collect(), platform }
}
