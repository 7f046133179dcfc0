//! `push`: build images, then publish each by digest, then its tags.

use super::context::Context;
use super::error::CliError;
use super::patterns::Patterns;
use crate::exit::Exit;

/// Build images and publish them; prints one line `LABEL REFERENCE@DIGEST` a target
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to push.
    #[command(flatten)]
    pub patterns: Patterns,
    /// Tag to set; may be given several times. Default: the workspace's tag
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// Publishes what the patterns name.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`push` is not wired yet"))
}
