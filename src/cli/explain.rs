//! `explain`: why a target would be built, or wasn't: the component that changed and the root cause.

use super::context::Context;
use super::error::CliError;
use super::patterns;
use crate::exit::Exit;

/// Say why a target is built again: what changed since the last build, and where it began
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A target
    #[arg(value_name = "LABEL", value_parser = patterns::read)]
    pub label: String,
}

/// Explains the target.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`explain` is not wired yet"))
}
