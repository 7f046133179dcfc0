//! What is recorded under one action's key: in this store, else in a shared cache.
//!
//! A record of this store counts when the blobs that it names are there by stat; one of a shared cache when its blobs can
//! be had and it is about such an action. That one is kept here then, with the components of the key. Reads no blob.

use crate::action::key::{self, Inputs};
use crate::action::record::{Output, Record};
use crate::action::{Action, Operation};
use crate::digest::Digest;
use crate::shared::cache::SharedCache;
use crate::store::{Cache, Presence, Store, StoreError};

/// What the store says of a key.
#[derive(Debug)]
pub enum Recalled {
    /// The result, all of its blobs in the store.
    Known(Output),
    /// Nothing, or a shared cache's result whose blobs never came.
    Unknown,
    /// Something unusable, as a phrase.
    Damaged(String),
}

/// The recorded result of an action's key in the store.
pub fn recall(key: &Digest, store: &Store) -> Result<Recalled, StoreError> {
    let Some(bytes) = store.actions().get(key)? else {
        return Ok(Recalled::Unknown);
    };
    let output = match Record::decode_output(&bytes) {
        Ok(output) => output,
        Err(error) => return Ok(Recalled::Damaged(format!("its record is damaged ({error})"))),
    };
    for blob in output.blobs() {
        match store.blobs().contains(&blob.digest, blob.size)? {
            Presence::Present => {}
            Presence::Missing if Record::is_shared(&bytes) => return Ok(Recalled::Unknown),
            Presence::Missing => return Ok(Recalled::Damaged(format!("blob {} is gone", blob.digest))),
            Presence::WrongSize => {
                return Ok(Recalled::Damaged(format!("blob {} has the wrong size", blob.digest)));
            }
        }
    }
    Ok(Recalled::Known(output))
}

/// The result of an action, from a shared cache where the store knows none; and a phrase for the user where something was
/// damaged.
pub fn elsewhere(
    local: Recalled,
    key: &Digest,
    action: &Action,
    inputs: &dyn Inputs,
    (store, shared): (&Store, &SharedCache<'_>),
) -> Result<(Option<Output>, Option<String>), StoreError> {
    let damage = match local {
        Recalled::Known(output) => return Ok((Some(output), None)),
        Recalled::Unknown => None,
        Recalled::Damaged(why) => Some(why),
    };
    let found = shared.get(key)?.and_then(|bytes| Record::decode(&bytes).ok());
    let fitting = found.filter(|record| fits(&action.operation, &record.output));
    let Some(record) = fitting else {
        return Ok((None, damage.map(|why| format!("{why}; it is built again"))));
    };
    if let (true, Some(components)) = (shared.keeps(), key::components(action, inputs)) {
        store.actions().put(key, &Record { components, ..record.clone() }.encode())?;
    }
    Ok((Some(record.output), damage.map(|why| format!("{why}; it is taken from a shared cache"))))
}

/// Whether an output is one that the operation can have: of its kind, and what is known of it beforehand.
fn fits(operation: &Operation, output: &Output) -> bool {
    match (operation, output) {
        (Operation::Exec(exec), Output::Layer(_)) => exec.is_portable(),
        (Operation::Files(_) | Operation::Tar(_) | Operation::Debs(_), Output::Layer(_)) => true,
        (Operation::Run(_) | Operation::Cargo(_), Output::Layer(_)) => true,
        (Operation::Fetch(fetch), Output::File(blob)) => blob.digest == fetch.digest,
        (Operation::Pull(pull), Output::Image(image)) => {
            pull.image().is_some_and(|locked| locked.manifest == image.manifest.digest)
        }
        (Operation::Image(_), Output::Image(_)) => true,
        (Operation::Local(local), output) => local.output == *output,
        (Operation::Index(index), Output::Index(output)) => index.images.len() == output.images.len(),
        (Operation::ImageTest(_), Output::Passed(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::record::{Blob, ImageOutput};
    use crate::action::{Fetch, IndexAction};

    #[test]
    fn an_output_of_another_kind_or_of_another_file_does_not_fit() {
        let blob = Blob { digest: Digest::of(b"asked for"), size: 9 };
        let fetch = Operation::Fetch(Fetch { url: String::new(), digest: blob.digest });
        assert!(fits(&fetch, &Output::File(blob)));
        assert!(!fits(&fetch, &Output::File(Blob { digest: Digest::of(b"other"), size: 5 })));
        let image = Output::Image(ImageOutput { manifest: blob, media_type: String::new(), config: blob });
        let index = Operation::Index(IndexAction { images: Vec::new(), annotations: Default::default() });
        assert!(!fits(&fetch, &image) && !fits(&index, &image));
    }
}
