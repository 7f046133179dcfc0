//! Why a sandbox could not be used.

use std::io;

use rustix::io::Errno;

/// Why a sandbox could not be used. What its commands did wrong is an [`Answer`](super::task::Answer).
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The program could not be started once more.
    #[error("cannot start the sandbox")]
    Start(#[source] io::Error),
    /// This user has no users and groups of his own to give away.
    #[error("the sandbox needs {0}")]
    NoIds(String),
    /// The machine refused something.
    #[error("the sandbox cannot {what}: {why}")]
    Refused {
        /// What was tried, as a phrase.
        what: String,
        /// What the system said.
        why: String,
        /// What to do; `None` where nothing is known.
        hint: Option<String>,
    },
    /// It ended without an answer: it was killed.
    #[error("the sandbox was killed from outside")]
    Killed,
}

impl SandboxError {
    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            SandboxError::NoIds(_) => Some(
                "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; and install newuidmap \
                 (package uidmap)"
                    .to_owned(),
            ),
            SandboxError::Refused { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// What was tried first of all, as a phrase.
pub(super) const FIRST: &str = "make a user namespace";

/// What to do about a refusal; `read` gives the text of one of the machine's settings.
pub(super) fn advice(what: &str, errno: Errno, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    match errno {
        Errno::NOSPC | Errno::DQUOT if what != FIRST => Some(FULL.to_owned()),
        // The kernel says so where an id has no place in the namespace.
        Errno::INVAL if what.starts_with("unpack ") => Some(OWNER.to_owned()),
        Errno::PERM | Errno::ACCESS | Errno::NOSPC => switched_off(read),
        _ => None,
    }
}

pub(super) const FULL: &str = "free some space where the store is, or use another --cache-dir";
const OWNER: &str = "its owner is beyond the ids that may be given away here: widen the range in /etc/subuid and \
                     /etc/subgid, or that of the container in which layerbuild runs";

fn switched_off(read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is = |path: &str, value: &str| read(path).is_some_and(|text| text.trim() == value);
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return Some("user namespaces are switched off: sysctl user.max_user_namespaces=15000".to_owned());
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some("user namespaces are for root only: sysctl kernel.unprivileged_userns_clone=1".to_owned());
    }
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        let what = "AppArmor restricts user namespaces: give layerbuild a profile with `userns,`, or \
                    sysctl kernel.apparmor_restrict_unprivileged_userns=0";
        return Some(what.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_stands_in_the_way_is_named() {
        let only = |name: &'static str, value: &'static str| {
            let read = move |path: &str| path.ends_with(name).then(|| format!("{value}\n"));
            advice(FIRST, Errno::NOSPC, read).unwrap_or_default()
        };
        assert!(only("max_user_namespaces", "0").contains("user.max_user_namespaces"));
        assert!(only("unprivileged_userns_clone", "0").contains("kernel.unprivileged_userns_clone=1"));
        assert!(only("apparmor_restrict_unprivileged_userns", "1").contains("AppArmor"));
        assert_eq!(only("max_user_namespaces", "96365"), "");
    }

    #[test]
    fn a_full_disk_and_an_owner_out_of_range_are_told_apart_from_settings() {
        let of = |what: &str, errno| advice(what, errno, |_| Some("0".to_owned())).unwrap_or_default();
        assert!(of("unpack /a", Errno::NOSPC).contains("free some space"));
        assert!(of("unpack /a", Errno::INVAL).contains("/etc/subuid"));
        assert_eq!(of("unpack /a", Errno::NOENT), "");
    }
}
