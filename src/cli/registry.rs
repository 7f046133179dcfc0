//! `registry`: what is done with a registry as a whole.

use super::context::Context;
use super::error::CliError;
use super::{registry_ls, registry_serve};

/// List what the workspace's registry holds, or serve a registry on this machine
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What is done with a registry.
#[derive(Debug, Clone, clap::Subcommand)]
#[expect(missing_docs, reason = "each verb's documentation is its help text and stands over its arguments")]
pub enum Verb {
    Ls(registry_ls::Args),
    Serve(registry_serve::Args),
}

/// Does it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    match &args.verb {
        Verb::Ls(args) => registry_ls::run(args, cx),
        Verb::Serve(args) => registry_serve::run(args, cx),
    }
}
