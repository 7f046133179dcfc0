//! `build`: layers and images into the store. Touches nothing outside it.

use super::context::Context;
use super::error::CliError;
use super::patterns::Patterns;
use crate::exit::Exit;

/// Build layers and images into the store; prints one line `LABEL DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to build.
    #[command(flatten)]
    pub patterns: Patterns,
}

/// Builds what the patterns name.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`build` is not wired yet"))
}
