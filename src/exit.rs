//! Every exit code that layerbuild gives, and when. Scripts may rely on them.
//!
//! Knows nothing of the errors themselves: `cli::error` says which error gives which code.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// All was done; also when there was nothing to do because an empty list was given.
    Done = 0,
    /// A build action or an effect failed.
    Failed = 1,
    /// The call or a `layers.toml` is wrong: an unknown flag, verb, label or attribute, a query that doesn't parse.
    Usage = 2,
    /// A check failed (`--check` of a verb too), `doctor` misses something, a query was answered only in part under `--keep-going`, or a registry could be
    /// listed only in part.
    Partial = 3,
    /// A pattern matched no target.
    NothingMatched = 4,
    /// A query parses but can't be evaluated.
    QueryFailed = 7,
    /// Interrupted by Ctrl-C or a termination signal; the store is valid.
    Interrupted = 8,
    /// Another process holds the store's lock and `--no-wait` was given.
    Locked = 9,
    /// The environment failed: registry, disk, network, a missing program.
    Environment = 36,
    /// A bug in layerbuild.
    Bug = 37,
}

impl Exit {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::*;

    #[test]
    fn the_numbers_are_those_that_scripts_rely_on() {
        let all = [Done, Failed, Usage, Partial, NothingMatched, QueryFailed, Interrupted, Locked, Environment, Bug];
        assert_eq!(all.map(super::Exit::code), [0, 1, 2, 3, 4, 7, 8, 9, 36, 37]);
    }
}
