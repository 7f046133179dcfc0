//! `registry`: what is done with a registry as a whole.

use super::context::Context;
use super::error::CliError;
use super::registry_serve;

/// Serve a registry on this machine
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
    Serve(registry_serve::Args),
}

/// Does it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    match &args.verb {
        Verb::Serve(args) => registry_serve::run(args, cx),
    }
}
