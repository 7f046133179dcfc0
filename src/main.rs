//! The `layerbuild` program: hands arguments, environment and streams to the library. Knows nothing else.

use std::process::ExitCode;

use layerbuild::cli::{self, process::Process};
use layerbuild::sandbox::inside;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = inside::enter(&args) {
        return code;
    }
    let process = Process::new(std::env::vars_os().collect(), std::env::current_dir());
    process.install_hooks();
    cli::run(args, process)
}
