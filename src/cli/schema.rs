//! `schema`: what may stand in the workspace's files, for editors that complete and check.
//!
//! What the schemas say, `workspace::json_schema` knows.

use std::fs;
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use super::known_rules;
use crate::rules;
use crate::workspace::json_schema;
use crate::workspace::template::{FOLDER, Known};

/// Print a JSON schema of layers.toml for editors, with the rules of this workspace in it
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Of which files; layers: every layers.toml, local: layers.local.toml, rules: rules/*.toml
    #[arg(long = "for", value_name = "FILES", value_enum, default_value_t = Files::Layers)]
    pub files: Files,
    /// Write it there; a file that says the same already is left alone
    #[arg(long, value_name = "FILE")]
    pub output: Option<Utf8PathBuf>,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Files {
    /// Every layers.toml, the root's and the packages'.
    Layers,
    /// The developer's own file.
    Local,
    /// Those that define the workspace's own rules.
    Rules,
}

/// Prints or writes the schema.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let own = known_rules::own(cx)?;
    if !own.rules.complete {
        let error = CliError::usage(format!("a file in `{FOLDER}` can't be read, and so not all rules are known"));
        return Err(error.hint("mend it first: a schema without its rules would refuse their targets"));
    }
    let schemas = rules::schemas();
    let known = Known { schemas: &schemas, rules: &own.rules };
    let schema = match args.files {
        Files::Layers => json_schema::layers(known),
        Files::Local => json_schema::local(known),
        Files::Rules => json_schema::rules(known),
    };
    let text = format!("{schema:#}\n");
    match &args.output {
        Some(path) => write_file(path, &text, cx),
        None => Ok(cx.out.write_all(text.as_bytes())?),
    }
}

fn write_file(written: &Utf8Path, text: &str, cx: &mut Context) -> Result<(), CliError> {
    let path = cx.path(written);
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if cx.globals.dry_run {
        return Ok(writeln!(cx.out, "would write {written}")?);
    }
    fs::write(&path, text).map_err(|error| CliError::io(format!("cannot write {written}"), &error))
}
