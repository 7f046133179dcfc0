//! What commands run over: the directories of all layers, and what the base's config says of variables, user and folder.

use std::path::PathBuf;

use super::Workshop;
use super::error::BuildError;
use super::roots::{Scratch, laid_out};
use super::upstream::Upstream;
use crate::action::record::{Blob, ImageOutput, Output};
use crate::action::{RunAction, RunBase};
use crate::base::fetch::Reader;
use crate::base::remote::RemoteBlob;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image_env;
use crate::oci::manifest::{Config, Manifest, RunConfig};
use crate::store::StoreError;

/// Where programs are looked for, where neither base nor target says it.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A base, ready to be run over.
pub struct Base {
    /// The lowest first; at least one.
    pub lowers: Vec<PathBuf>,
    config: RunConfig,
}

impl Base {
    /// Lays its layers out, fetched where the store lacks them.
    pub fn prepare(
        action: &RunAction,
        inputs: &Upstream,
        scratch: &Scratch<'_>,
        shop: &Workshop<'_>,
    ) -> Result<Base, BuildError> {
        let (layers, config) = match &action.base {
            RunBase::Image(id) => match inputs.output(*id) {
                Some(Output::Image(image)) => {
                    let (layers, config) = parts(image, shop)?;
                    (layers, config.config)
                }
                _ => (Vec::new(), RunConfig::default()),
            },
            RunBase::Host => (Vec::new(), RunConfig::default()),
            RunBase::Layers(ids) => {
                (ids.iter().filter_map(|id| layer(inputs.output(*id)?)).collect(), RunConfig::default())
            }
        };
        let absent: Vec<&Layer> = layers.iter().filter(|layer| !shop.store.roots().contains(&layer.diff_id)).collect();
        if let Some(repository) = inputs.repository() {
            let blobs: Vec<_> = absent.iter().map(|layer| RemoteBlob::of(repository, &layer.descriptor)).collect();
            let reader = Reader { remote: shop.remote, store: shop.store };
            reader.fetch_blobs(&reader.missing_blobs(&blobs)?)?;
        }
        let mut lowers = layers.iter().map(|layer| laid_out(layer, shop)).collect::<Result<Vec<_>, _>>()?;
        if lowers.is_empty() {
            lowers.push(scratch.directory("nothing")?);
        }
        Ok(Base { lowers, config })
    }

    /// The same without what its config says: only where programs are looked for stays.
    pub fn bare(mut self) -> Base {
        self.config.env.retain(|entry| entry.starts_with("PATH="));
        let config = RunConfig { env: self.config.env, ..RunConfig::default() };
        Base { lowers: self.lowers, config }
    }

    /// The base's variables, those of the action over them.
    pub fn env(&self, action: &RunAction) -> Result<Vec<(String, String)>, BuildError> {
        let base = std::iter::once(format!("PATH={PATH}"))
            .filter(|_| !self.config.env.iter().any(|entry| entry.starts_with("PATH=")))
            .chain(std::iter::once(format!("SOURCE_DATE_EPOCH={}", action.mtime)))
            .chain(self.config.env.iter().cloned())
            .collect::<Vec<_>>();
        variables(&base, action)
    }

    /// Who runs the commands; empty: root.
    pub fn user(&self, action: &RunAction) -> String {
        action.user.clone().unwrap_or_else(|| self.config.user.clone())
    }

    /// Where they start.
    pub fn workdir(&self, action: &RunAction) -> String {
        let base = Some(&self.config.working_dir).filter(|path| path.starts_with('/'));
        action.workdir.as_ref().or(base).map_or("/", String::as_str).to_owned()
    }
}

/// The variables `NAME=VALUE` of a base, those of the action over them.
pub fn variables(base: &[String], action: &RunAction) -> Result<Vec<(String, String)>, BuildError> {
    let all = image_env::overlay(base, &action.env);
    let all = all.map_err(|error| BuildError::LeftBehind(vec![error.to_string()]))?;
    let pair = |entry: String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(all.into_iter().filter_map(pair).collect())
}

/// A layer that was made here.
pub fn layer(output: &Output) -> Option<Layer> {
    let Output::Layer(layer) = output else { return None };
    let descriptor = Descriptor {
        media_type: layer.media_type.clone(),
        digest: layer.blob.digest,
        size: layer.blob.size,
        annotations: Default::default(),
    };
    Some(Layer { descriptor, diff_id: layer.diff_id })
}

/// An image's layers, the lowest first, and its config.
pub fn parts(image: &ImageOutput, shop: &Workshop<'_>) -> Result<(Vec<Layer>, Config), BuildError> {
    let read = |blob: Blob| shop.store.blobs().read_verified(&blob.digest, blob.size);
    let damaged = |blob: Blob| StoreError::Corrupt { digest: blob.digest, path: shop.store.blobs().path(&blob.digest) };
    let manifest = Manifest::parse(&read(image.manifest)?).map_err(|_| damaged(image.manifest))?;
    let config = Config::parse(&read(image.config)?).map_err(|_| damaged(image.config))?;
    let layers = manifest.layers.into_iter().zip(config.rootfs.diff_ids.iter().copied());
    Ok((layers.map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect(), config))
}
