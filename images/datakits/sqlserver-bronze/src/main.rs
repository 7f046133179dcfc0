//! `sqlserver-bronze`: the program of the datakit that copies SQL Server tables into the bronze warehouse.
//!
//! This file joins the process (arguments, environment, standard output, exit code) to [`cli`], which knows none of them.

mod cli;
mod environment;
mod format;
mod report;
mod variables;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let mut out = io::stdout().lock();
    match cli::run(&arguments, |name| std::env::var_os(name), &mut out).and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Standard error may be closed too: then nobody is left to tell, and the exit code speaks.
            let _ = writeln!(io::stderr(), "sqlserver-bronze: cannot write the report: {error}");
            ExitCode::from(cli::CANNOT_WRITE)
        }
    }
}
