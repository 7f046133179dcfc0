//! `export`: build an image, then write it as one archive or folder that other tools read.

use super::context::Context;
use super::error::CliError;
use super::patterns::Patterns;
use crate::exit::Exit;

/// Build images and write them as files that other tools read
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to export.
    #[command(flatten)]
    pub patterns: Patterns,
    /// What to write
    #[arg(long, value_enum)]
    pub format: Format,
    /// Where to: a path, or - for stdout
    #[arg(long, value_name = "PATH")]
    pub to: camino::Utf8PathBuf,
}

/// What an image is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// An OCI image layout: skopeo, podman, umoci, crane. A folder; a tar on stdout.
    Oci,
    /// What `docker load` reads: a tar with plain layers.
    DockerArchive,
}

/// Writes what the patterns name.
pub fn run(_args: &Args, _cx: &mut Context) -> Result<(), CliError> {
    Err(CliError::new(Exit::Bug, "`export` is not wired yet"))
}
