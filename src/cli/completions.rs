//! `completions`: a script that teaches a shell our verbs and flags; bash also completes labels.

use std::io::Write;

use clap::{Command, ValueEnum};

use super::context::Context;
use super::error::CliError;

/// Print a script that completes verbs and flags: `source <(layerbuild completions bash)`
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// For which shell; bash also completes labels
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, with labels.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// What completes labels in bash, behind the script that completes all else.
const LABELS: &str = include_str!("completions.bash");

/// Prints the script for a command line of this definition.
pub fn run(args: &Args, mut definition: Command, cx: &mut Context) -> Result<(), CliError> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "layerbuild", &mut script);
    cx.out.write_all(&script)?;
    if args.shell == Shell::Bash {
        cx.out.write_all(LABELS.as_bytes())?;
    }
    Ok(())
}
