//! Gets one blob into all repositories of a push that need it: found, sent to one, mounted to the others.

use super::blob::BlobDescriptor;
use super::error::RegistryError;
use super::feed::Open;
use super::session::Session;
use super::upload::{How, Upload, has};
use crate::reference::RepositoryPath;

/// A blob, who needs it and who may have it.
#[derive(Debug, Clone)]
pub(super) struct Want {
    /// The blob.
    pub blob: BlobDescriptor,
    /// The repositories that need it, each once, in the order of the push.
    pub places: Vec<RepositoryPath>,
    /// A repository that is known to have it: an image there that is complete names it.
    pub known: Option<RepositoryPath>,
    /// Repositories that may have it (those of base images); they are asked when none of `places` has it.
    pub hints: Vec<RepositoryPath>,
}

/// How the blob came to one place; an event for each step.
pub(super) enum Step<'a> {
    /// Some bytes of it were sent to a place.
    Progress(&'a RepositoryPath, u64),
    /// It is at a place now; from where it was mounted.
    Done(&'a RepositoryPath, How, Option<&'a RepositoryPath>),
}

/// What became of a blob at one place.
pub(super) type Outcome = (RepositoryPath, Result<(), RegistryError>);

/// Brings a blob to every place that needs it; `open` gives its bytes. One place's failure doesn't keep it from the
/// others.
pub(super) async fn supply(
    session: &Session<'_>,
    want: &Want,
    open: &Open<'_>,
    tell: &dyn Fn(Step<'_>),
) -> Vec<Outcome> {
    let mut holder = match locate(session, want).await {
        Ok(holder) => holder,
        Err(error) => return want.places.iter().map(|place| (place.clone(), Err(error.clone()))).collect(),
    };
    let mut outcomes = Vec::new();
    for place in &want.places {
        let outcome = bring(session, want, place, holder.as_ref(), open, tell).await;
        if outcome.is_ok() && holder.is_none() {
            holder = Some(place.clone());
        }
        outcomes.push((place.clone(), outcome));
    }
    outcomes
}

/// The first repository that has the blob; a place that needs it is looked at before one that only may have it.
async fn locate(session: &Session<'_>, want: &Want) -> Result<Option<RepositoryPath>, RegistryError> {
    if let Some(known) = &want.known {
        return Ok(Some(known.clone()));
    }
    for place in &want.places {
        if has(session, place, want.blob).await? {
            return Ok(Some(place.clone()));
        }
    }
    for hint in &want.hints {
        // A hint that we may not read, or that isn't there, is only a hint.
        if has(session, hint, want.blob).await.unwrap_or(false) {
            return Ok(Some(hint.clone()));
        }
    }
    Ok(None)
}

async fn bring(
    session: &Session<'_>,
    want: &Want,
    place: &RepositoryPath,
    holder: Option<&RepositoryPath>,
    open: &Open<'_>,
    tell: &dyn Fn(Step<'_>),
) -> Result<(), RegistryError> {
    if holder == Some(place) {
        tell(Step::Done(place, How::Present, None));
        return Ok(());
    }
    let progress = |sent| tell(Step::Progress(place, sent));
    let upload = Upload { session, path: place, blob: want.blob, open, progress: &progress };
    let how = upload.run(holder).await?;
    tell(Step::Done(place, how, holder.filter(|_| how == How::Mounted)));
    Ok(())
}
