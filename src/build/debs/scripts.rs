//! Whether a package's postinst does something that is not declared here: judged by its text, never run.
//!
//! What debhelper generates, alternatives, and frames of `case` and `if` are known; any other command is not.

/// Packages whose effects `setup` and `alternatives` make, or that a root file system does without. Of comerr-dev, gcc and
/// libpython3.11-minimal the rest is for upgrades; locales makes no locale unless it is asked.
const COVERED: [&str; 40] = [
    "apt",
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "comerr-dev",
    "coreutils",
    "dash",
    "debconf",
    "debian-archive-keyring",
    "debianutils",
    "dpkg",
    "gcc",
    "init-system-helpers",
    "krb5-config",
    "libc-bin",
    "libc6",
    "libgcrypt20",
    "libgssapi-krb5-2",
    "libpam-modules",
    "libpam-runtime",
    "libpam0g",
    "libpython3.11-minimal",
    "locales",
    "login",
    "netbase",
    "openssl",
    "passwd",
    "perl",
    "perl-base",
    "python3",
    "python3-minimal",
    "python3.11",
    "python3.11-minimal",
    "readline-common",
    "tzdata",
    "ucf",
    "usr-is-merged",
    "usrmerge",
    "util-linux",
];

/// Commands whose effect a layer has by other means or does not need: byte code, units of an init system, caches.
const KNOWN: [&str; 28] = [
    "update-alternatives",
    "py3compile",
    "pycompile",
    "deb-systemd-helper",
    "deb-systemd-invoke",
    "dpkg-maintscript-helper",
    "ldconfig",
    "update-rc.d",
    "invoke-rc.d",
    "systemctl",
    "dpkg-trigger",
    "echo",
    "exit",
    "set",
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "case",
    "esac",
    "for",
    "do",
    "done",
    ":",
    "true",
    ".",
    "return",
];

/// Whether all that a postinst does is known.
pub fn is_covered(package: &str, postinst: &str) -> bool {
    COVERED.contains(&package) || rest(postinst).is_none()
}

/// The first command that isn't known.
fn rest(script: &str) -> Option<String> {
    let joined = script.replace("\\\n", " ");
    let mut generated = false;
    for line in joined.lines().map(str::trim) {
        if line.starts_with("# Automatically added by dh_") {
            // Users and directories of tmpfiles are real effects.
            generated = !["sysuser", "tmpfiles"].iter().any(|tool| line.contains(tool));
        } else if line.starts_with("# End automatically added section") {
            generated = false;
        } else if !generated && !is_known(line) {
            return Some(line.to_owned());
        }
    }
    None
}

fn is_known(line: &str) -> bool {
    let first = line.split([' ', '\t', ';']).next().unwrap_or(line);
    // Comments, patterns of a case, ends of functions and cases, plain assignments.
    let frame = line.is_empty()
        || line.starts_with('#')
        || line.ends_with(')') && !line.contains(' ')
        || [";;", "}", "{"].iter().any(|frame| line.starts_with(frame));
    let assignment = first
        .split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    frame
        || assignment && !line.contains("$(")
        || KNOWN.contains(&first) && !line.contains("&& ")
        || line.ends_with("() {")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_alternatives_and_what_debhelper_adds_are_known() {
        let script = "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n  update-alternatives --install /a a /b 1 \\\n --slave c d e\nfi\n\
                      case \"$1\" in\n  abort-upgrade|abort-remove)\n  ;;\nesac\n# Automatically added by dh_python3\nrm -f /x\n# End automatically added section\nexit 0\n";
        assert!(is_covered("x", script), "{:?}", rest(script));
    }

    #[test]
    fn any_other_command_is_not() {
        assert!(!is_covered("x", "set -e\nadduser --system postgres\n"));
        assert!(!is_covered(
            "x",
            "# Automatically added by dh_installsysusers\nsystemd-sysusers a.conf\n# End automatically added section\n"
        ));
        assert!(is_covered("base-files", "chown root /x\n"));
    }
}
