//! `ls`: what a layer or image holds.

use super::context::Context;
use super::error::CliError;
use super::patterns;
use crate::exit::Exit;

/// List every path of a layer or image: mode, owner, size, the layer that brought it
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A layer or image
    #[arg(value_name = "LABEL", value_parser = patterns::read)]
    pub label: String,
}

/// Lists what the target holds.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`ls` is not wired yet"))
}
