//! What is likely behind a command's failure, by its last words and the state of the disk: a hint, not a verdict.

use std::path::Path;

/// What is likely behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It asked for other hosts, and had no network.
    NoNetwork,
    /// There is no space left where the store is.
    FullDisk,
    /// It said that some file system is full: by now the store's is not.
    SomeFullDisk,
}

/// What programs say who can't reach another host, in lower case.
const NETWORK: [&str; 16] = [
    "could not resolve",
    "couldn't resolve",
    "temporary failure in name resolution",
    "temporary failure resolving",
    "failure in name resolution",
    "name or service not known",
    "failed to lookup address",
    "getaddrinfo",
    "no address associated with",
    "nodename nor servname",
    "no such host",
    "unknown host",
    "bad address '",
    "eai_again",
    "network is unreachable",
    "network unreachable",
];
/// Less is no space to work in (bytes).
const NEXT_TO_NOTHING: u64 = 1 << 20;

impl Cause {
    /// By the last lines that were printed, whether there was a network, and a folder of the store.
    pub fn find(last_lines: &[String], network: bool, folder: &Path) -> Option<Cause> {
        let said =
            |words: &[&str]| last_lines.iter().any(|line| words.iter().any(|word| line.to_lowercase().contains(word)));
        if is_full(folder) {
            return Some(Cause::FullDisk);
        }
        if said(&["no space left on device", "disk quota exceeded", "enospc"]) {
            return Some(Cause::SomeFullDisk);
        }
        (!network && said(&NETWORK)).then_some(Cause::NoNetwork)
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Cause::NoNetwork => "commands have no network unless the target says `network = true`",
            Cause::FullDisk => "the disk is full: free some space where the store is, or use another --cache-dir",
            Cause::SomeFullDisk => "what commands write takes space where the store is, and in memory below /dev/shm",
        }
    }
}

/// File systems that make inodes as they need them have none to count.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|it| {
        it.f_bavail.saturating_mul(it.f_frsize) < NEXT_TO_NOTHING || (it.f_files > 0 && it.f_favail == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(line: &str, network: bool) -> Option<Cause> {
        Cause::find(&[line.to_owned()], network, Path::new("/"))
    }

    #[test]
    fn a_name_that_was_not_found_is_a_matter_of_the_network_only_where_there_was_none() {
        let curl = "curl: (6) Could not resolve host: example.com";
        assert_eq!(cause(curl, false), Some(Cause::NoNetwork));
        assert_eq!(cause(curl, true), None);
        assert_eq!(cause("W: Temporary failure resolving 'deb.example'", false), Some(Cause::NoNetwork));
        assert_eq!(cause("a test failed", false), None);
    }

    #[test]
    fn a_full_disk_is_heard_of_where_it_is_empty_again() {
        assert_eq!(cause("cp: error writing '/x': No space left on device", false), Some(Cause::SomeFullDisk));
    }
}
