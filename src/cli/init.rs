//! `init`: a small workspace that builds at once.

use super::context::Context;
use super::error::CliError;
use crate::exit::Exit;

/// Write a small workspace that builds at once
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where; made if it isn't there. Default: the current folder
    #[arg(value_name = "DIR")]
    pub directory: Option<camino::Utf8PathBuf>,
}

/// Writes the workspace.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`init` is not wired yet"))
}
