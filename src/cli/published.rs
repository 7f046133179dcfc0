//! What a verb that publishes says of each image: a line of its result, or one error that tells of all that failed.

use super::error::CliError;
use crate::registry::Pushed;

/// What became of images.
pub struct Published {
    /// `LABEL REFERENCE@DIGEST` of each that is there.
    pub lines: Vec<String>,
    /// How many of those were there before.
    pub unchanged: usize,
    /// What failed.
    pub error: Option<CliError>,
}

impl Published {
    /// Nothing came of it.
    pub fn failed(error: CliError) -> Published {
        Published { lines: Vec::new(), unchanged: 0, error: Some(error) }
    }

    /// Of images by label. `done`: what was to be done with them, such as `pushed`.
    pub fn new<'a, E: Into<CliError>>(
        done: &str,
        results: impl Iterator<Item = (&'a str, Result<Pushed, E>)>,
    ) -> Published {
        let (mut lines, mut unchanged, mut failed) = (Vec::new(), 0, Vec::new());
        for (label, result) in results {
            match result {
                Ok(pushed) => {
                    lines.push(format!("{label} {}", pushed.reference()));
                    unchanged += usize::from(pushed.unchanged);
                }
                Err(error) => {
                    let error: CliError = error.into();
                    let message = format!("{label} was not {done}: {}", error.message);
                    failed.push(CliError { message, ..error });
                }
            }
        }
        // One dead registry fails every image in the same way: the others are only named.
        let mut failed = failed.into_iter();
        let error = failed.next().map(|first| failed.fold(first, |error, other| error.hint(other.message)));
        Published { lines, unchanged, error }
    }
}
