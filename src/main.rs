//! The `layerbuild` program: hands arguments, environment and streams to the library. Knows nothing else.

use std::process::ExitCode;

use layerbuild::cli::{self, process::Process};

fn main() -> ExitCode {
    let process = Process::new(std::env::vars_os().collect(), std::env::current_dir());
    process.install_hooks();
    cli::run(std::env::args_os().collect(), process)
}
