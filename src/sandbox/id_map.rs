//! Which users and groups of the host the sandbox's are.
//!
//! Root gives every id that it has as it is; another user himself as 0 and his subordinate ids from 1 on. Takes texts of
//! `/proc` and `/etc`; gives ranges. Knows nothing of processes but the one whose maps it writes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::SandboxError;

/// Ids of the sandbox from `inside` on are those of the host from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First id inside.
    pub inside: u64,
    /// First id of the host.
    pub outside: u64,
    /// How many.
    pub count: u64,
}

/// Users and groups of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    users: Vec<Range>,
    groups: Vec<Range>,
    /// Whether programs of the system's have to write the maps.
    by_helper: bool,
}

impl IdMap {
    /// What this process may give away.
    pub fn find() -> Result<IdMap, SandboxError> {
        let read = |path: &str| fs::read_to_string(Path::new(path)).unwrap_or_default();
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if uid.is_root() {
            let (users, groups) = (all(&read("/proc/self/uid_map")), all(&read("/proc/self/gid_map")));
            return Ok(IdMap { users, groups, by_helper: false });
        }
        let name = name_of(&read("/etc/passwd"), uid.as_raw().into());
        let of = |file: &str, own: u64| own_and_subordinate(&read(file), &name, uid.as_raw().into(), own);
        let users = of("/etc/subuid", uid.as_raw().into());
        let groups = of("/etc/subgid", gid.as_raw().into());
        match (users, groups) {
            (Some(users), Some(groups)) => Ok(IdMap { users, groups, by_helper: true }),
            _ => Err(SandboxError::NoIds(format!("subordinate ids for {name} in /etc/subuid and /etc/subgid"))),
        }
    }

    /// Gives them to a process in its new user namespace.
    pub(super) fn give_to(&self, pid: u32) -> Result<(), SandboxError> {
        for (file, helper, ranges) in [("uid_map", "newuidmap", &self.users), ("gid_map", "newgidmap", &self.groups)] {
            if self.by_helper { ask(helper, pid, ranges)? } else { write(pid, file, ranges)? }
        }
        Ok(())
    }
}

fn write(pid: u32, file: &str, ranges: &[Range]) -> Result<(), SandboxError> {
    let lines: String =
        ranges.iter().map(|Range { inside, outside, count }| format!("{inside} {outside} {count}\n")).collect();
    fs::write(format!("/proc/{pid}/{file}"), lines).map_err(|error| SandboxError::Refused {
        what: format!("map users and groups ({file})"),
        why: error.to_string(),
        hint: None,
    })
}

fn ask(helper: &str, pid: u32, ranges: &[Range]) -> Result<(), SandboxError> {
    let numbers = ranges.iter().flat_map(|range| [range.inside, range.outside, range.count]);
    let ended = Command::new(helper)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| SandboxError::NoIds(format!("{helper}, which cannot be started ({error})")))?;
    if ended.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Err(SandboxError::NoIds(format!("users and groups, which {helper} refuses ({why})")))
}

/// Every id of a `/proc/self/uid_map`, as it is.
fn all(map: &str) -> Vec<Range> {
    let range = |line: &str| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [inside, _, count] = numbers[..] else { return None };
        Some(Range { inside, outside: inside, count })
    };
    map.lines().filter_map(range).collect()
}

/// The user himself as 0, then his lines of `/etc/subuid`; `None` where he has none.
fn own_and_subordinate(text: &str, name: &str, uid: u64, own: u64) -> Option<Vec<Range>> {
    let mut ranges = vec![Range { inside: 0, outside: own, count: 1 }];
    let mut next = 1;
    for line in text.lines() {
        let mut parts = line.trim().split(':');
        let (who, start, count) = (parts.next()?, parts.next(), parts.next());
        let numbers = start.and_then(|text| text.parse().ok()).zip(count.and_then(|text| text.parse().ok()));
        let (Some((outside, count)), true) = (numbers, who == name || who == uid.to_string()) else { continue };
        ranges.push(Range { inside: next, outside, count });
        next += count;
    }
    (next > 1).then_some(ranges)
}

/// A user's name; the number where no line has it.
fn name_of(passwd: &str, uid: u64) -> String {
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&*uid.to_string()));
    line.and_then(|line| line.split(':').next()).map_or_else(|| uid.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(inside: u64, outside: u64, count: u64) -> Range {
        Range { inside, outside, count }
    }

    #[test]
    fn root_gives_what_it_has_as_it_is() {
        assert_eq!(all("         0          0 4294967295\n"), [range(0, 0, 4_294_967_295)]);
        assert_eq!(all("0 1000 1\n1 100000 65536\n"), [range(0, 0, 1), range(1, 1, 65_536)]);
    }

    #[test]
    fn a_user_is_root_inside_and_his_subordinate_ids_follow() {
        let file = "other:100000:65536\nann:165536:65536\n1000:300000:10\n";
        let found = own_and_subordinate(file, "ann", 1000, 1000).unwrap();
        assert_eq!(found, [range(0, 1000, 1), range(1, 165_536, 65_536), range(65_537, 300_000, 10)]);
        assert_eq!(own_and_subordinate(file, "bob", 1001, 1001), None);
        assert_eq!(own_and_subordinate("", "ann", 1000, 1000), None);
    }

    #[test]
    fn names_come_from_passwd() {
        assert_eq!(name_of("root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n", 1000), "ann");
        assert_eq!(name_of("", 7), "7");
    }
}
