//! What the scripts of Debian's base packages do when they are first configured, declared: each effect follows from a file
//! that a package brings.
//!
//! A tree in, more entries in it out. No script is run.

use super::new;
use crate::action::DebUser;
use crate::layer_path::LayerPath;
use crate::oci::tree::{EntryKind, Tree};

/// Groups of base-passwd that own something here.
const MAIL: u64 = 8;
const UTMP: u64 = 43;
const SHADOW: u64 = 42;

/// Adds all of it.
pub fn add(tree: &mut Tree, users: &[DebUser], mtime: u64) {
    base_files(tree, mtime);
    copies(tree, mtime);
    texts(tree, mtime);
    shells(tree, mtime);
    certificates(tree, mtime);
    pam(tree, mtime);
    time_zone(tree, mtime);
    accounts(tree, users, mtime);
}

fn base_files(tree: &mut Tree, mtime: u64) {
    if !new::has(tree, "usr/share/base-files/profile") {
        return;
    }
    let local = ["", "/share", "/share/man", "/bin", "/games", "/lib", "/include", "/sbin", "/src", "/etc"];
    local.iter().for_each(|below| new::directory(tree, &format!("usr/local{below}"), 0o755, (0, 0), mtime));
    for path in ["mnt", "srv", "opt", "etc/opt", "var/opt", "media"] {
        new::directory(tree, path, 0o755, (0, 0), mtime);
    }
    new::directory(tree, "var/mail", 0o2775, (0, MAIL), mtime);
    new::directory(tree, "run/lock", 0o1777, (0, 0), mtime);
    for (path, target) in
        [("var/spool/mail", "../mail"), ("usr/local/man", "share/man"), ("etc/dpkg/origins/default", "debian")]
    {
        new::link(tree, path, target, mtime);
    }
    for (path, mode) in [("var/log/wtmp", 0o664), ("var/log/btmp", 0o660), ("var/log/lastlog", 0o664)] {
        new::put(
            tree,
            path,
            mode,
            (0, UTMP),
            EntryKind::File(crate::oci::tree::Content::Bytes(Vec::new().into())),
            mtime,
        );
    }
}

/// Configuration that scripts copy from below `/usr/share`.
fn copies(tree: &mut Tree, mtime: u64) {
    for (from, to) in [
        ("usr/share/base-files/dot.profile", "root/.profile"),
        ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
        ("usr/share/base-files/profile", "etc/profile"),
        ("usr/share/base-files/motd", "etc/motd"),
        ("usr/share/base-files/info.dir", "usr/share/info/dir"),
        ("usr/share/base-files/nsswitch.conf", "etc/nsswitch.conf"),
        ("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
        ("usr/share/readline/inputrc", "etc/inputrc"),
        ("usr/share/kerberos-configs/krb5.conf.template", "etc/krb5.conf"),
    ] {
        if let Some(bytes) = new::read(tree, from).filter(|_| !new::has(tree, to)) {
            new::file(tree, to, 0o644, bytes, mtime);
        }
    }
}

/// Files whose text stands in the scripts: of ucf, and of netbase.
fn texts(tree: &mut Tree, mtime: u64) {
    let hosts = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n\n";
    let networks = "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n";
    for (owner, path, text) in [
        ("usr/bin/ucf", "var/lib/ucf/hashfile", ""),
        ("usr/bin/ucf", "var/lib/ucf/registry", ""),
        ("etc/protocols", "etc/hosts", hosts),
        ("etc/protocols", "etc/networks", networks),
    ] {
        if new::has(tree, owner) && !new::has(tree, path) {
            new::file(tree, path, 0o644, text, mtime);
        }
    }
}

fn shells(tree: &mut Tree, mtime: u64) {
    let Some(mut text) = new::read(tree, "usr/share/debianutils/shells") else { return };
    for (_, bytes) in files_below(tree, "usr/share/debianutils/shells.d/") {
        text.extend(bytes);
    }
    new::file(tree, "etc/shells", 0o644, text, mtime);
}

/// The bundle, a link to each certificate, and OpenSSL's own name of the bundle.
fn certificates(tree: &mut Tree, mtime: u64) {
    let all: Vec<(LayerPath, Vec<u8>)> = files_below(tree, "usr/share/ca-certificates/");
    let all: Vec<_> = all.into_iter().filter(|(path, _)| path.as_bytes().ends_with(b".crt")).collect();
    if all.is_empty() {
        return;
    }
    let (mut bundle, mut names) = (Vec::new(), Vec::new());
    for (path, bytes) in all {
        let path = path.to_string();
        let below = path.trim_start_matches("/usr/share/ca-certificates/").to_owned();
        let stem = below.rsplit('/').next().unwrap_or(&below).trim_end_matches(".crt");
        new::link(tree, &format!("etc/ssl/certs/{stem}.pem"), &path, mtime);
        bundle.extend_from_slice(&bytes);
        if !bytes.ends_with(b"\n") {
            bundle.push(b'\n');
        }
        names.push(below);
    }
    new::file(tree, "etc/ssl/certs/ca-certificates.crt", 0o644, bundle, mtime);
    new::file(tree, "etc/ca-certificates.conf", 0o644, names.join("\n") + "\n", mtime);
    if new::has(tree, "usr/lib/ssl") {
        new::link(tree, "usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt", mtime);
    }
}

fn files_below(tree: &Tree, folder: &str) -> Vec<(LayerPath, Vec<u8>)> {
    let below = tree.entries.iter().filter(|(path, _)| path.as_bytes().starts_with(folder.as_bytes()));
    let read = |path: &LayerPath| new::read(tree, &path.to_string());
    below.filter_map(|(path, _)| Some((path.clone(), read(path)?))).collect()
}

/// What pam-auth-update makes where pam_unix is the only profile.
fn pam(tree: &mut Tree, mtime: u64) {
    let modules = [
        ("$account_primary", "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so"),
        ("$auth_primary", "auth\t[success=1 default=ignore]\tpam_unix.so nullok"),
        ("$password_primary", "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt"),
        ("$session_primary", "session\t[default=1]\t\t\tpam_permit.so"),
        ("$session_nonint_primary", "session\t[default=1]\t\t\tpam_permit.so"),
        ("$session_additional", "session\trequired\tpam_unix.so"),
        ("$session_nonint_additional", "session\trequired\tpam_unix.so"),
        ("$account_additional", ""),
        ("$auth_additional", ""),
        ("$password_additional", ""),
    ];
    for name in ["common-account", "common-auth", "common-password", "common-session", "common-session-noninteractive"]
    {
        let Some(bytes) = new::read(tree, &format!("usr/share/pam/{name}")) else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line =
            |line: &str| modules.iter().find(|(word, _)| *word == line).map_or(line, |(_, module)| module).to_owned();
        let text = text.lines().map(|text| line(text) + "\n").collect::<String>();
        new::file(tree, &format!("etc/pam.d/{name}"), 0o644, text, mtime);
    }
}

fn time_zone(tree: &mut Tree, mtime: u64) {
    if new::has(tree, "usr/share/zoneinfo/Etc/UTC") && !new::has(tree, "etc/localtime") {
        new::link(tree, "etc/localtime", "/usr/share/zoneinfo/Etc/UTC", mtime);
        new::file(tree, "etc/timezone", 0o644, "Etc/UTC\n", mtime);
    }
}

/// base-passwd's accounts and those that are declared. No password is set, so that no day enters `shadow`.
fn accounts(tree: &mut Tree, users: &[DebUser], mtime: u64) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let master = |tree: &Tree, name: &str| new::read(tree, &format!("usr/share/base-passwd/{name}.master")).map(text);
    let (Some(passwd), Some(mut group)) = (master(tree, "passwd"), master(tree, "group")) else { return };
    let mut passwd = passwd.lines().map(|line| line.replacen(":*:", ":x:", 1) + "\n").collect::<String>();
    let known = |text: &str, name: &str| text.lines().any(|line| line.split(':').next() == Some(name));
    // apt's own script makes it; its number is the one that Debian gives it in new systems.
    let apt = DebUser {
        name: "_apt".into(),
        uid: 42,
        gid: 65534,
        home: "/nonexistent".into(),
        shell: "/usr/sbin/nologin".into(),
    };
    let apt = new::has(tree, "usr/lib/apt/methods").then_some(&apt);
    for user in users.iter().chain(apt.filter(|apt| !users.iter().any(|user| user.name == apt.name))) {
        let DebUser { name, uid, gid, home, shell } = user;
        if !known(&passwd, name) {
            passwd.push_str(&format!("{name}:x:{uid}:{gid}::{home}:{shell}\n"));
        }
        let has_group = group.lines().any(|line| line.split(':').nth(2) == Some(&gid.to_string()));
        if !has_group && !known(&group, name) {
            group.push_str(&format!("{name}:x:{gid}:\n"));
        }
        if home != "/nonexistent" {
            new::directory(tree, home, 0o755, (*uid, *gid), mtime);
        }
    }
    let names =
        |text: &str| text.lines().filter_map(|line| line.split(':').next().map(str::to_owned)).collect::<Vec<_>>();
    let shadow: String = names(&passwd).iter().map(|name| format!("{name}:*::0:99999:7:::\n")).collect();
    let gshadow: String = names(&group).iter().map(|name| format!("{name}:*::\n")).collect();
    new::file(tree, "etc/passwd", 0o644, passwd, mtime);
    new::file(tree, "etc/group", 0o644, group, mtime);
    for (path, text) in [("etc/shadow", shadow), ("etc/gshadow", gshadow)] {
        let content = crate::oci::tree::Content::Bytes(text.into_bytes().into());
        new::put(tree, path, 0o640, (0, SHADOW), EntryKind::File(content), mtime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, text)| new::file(&mut tree, path, 0o644, *text, 0));
        tree
    }

    fn text(tree: &Tree, path: &str) -> String {
        String::from_utf8(new::read(tree, path).unwrap_or_default()).unwrap()
    }

    #[test]
    fn accounts_come_from_base_passwd_and_the_declared_ones_behind() {
        let mut tree = with(&[
            ("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n"),
            ("usr/share/base-passwd/group.master", "root:*:0:\nstaff:*:50:\n"),
        ]);
        let user = |name: &str, id| DebUser {
            name: name.into(),
            uid: id,
            gid: id,
            home: "/home/a".into(),
            shell: "/bin/sh".into(),
        };
        add(&mut tree, &[user("a", 7), user("b", 50)], 0);
        assert_eq!(
            text(&tree, "etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\na:x:7:7::/home/a:/bin/sh\nb:x:50:50::/home/a:/bin/sh\n"
        );
        assert_eq!(text(&tree, "etc/group"), "root:*:0:\nstaff:*:50:\na:x:7:\n");
        assert_eq!(text(&tree, "etc/shadow").lines().next(), Some("root:*::0:99999:7:::"));
        assert_eq!(new::get(&tree, "home/a").map(|entry| entry.uid), Some(7));
    }

    #[test]
    fn certificates_become_a_bundle_with_links() {
        let mut tree = with(&[
            ("usr/share/ca-certificates/mozilla/A.crt", "A"),
            ("usr/share/ca-certificates/mozilla/B.crt", "B\n"),
        ]);
        add(&mut tree, &[], 0);
        assert_eq!(text(&tree, "etc/ssl/certs/ca-certificates.crt"), "A\nB\n");
        assert_eq!(text(&tree, "etc/ca-certificates.conf"), "mozilla/A.crt\nmozilla/B.crt\n");
        assert!(new::has(&tree, "etc/ssl/certs/A.pem"));
    }

    #[test]
    fn nothing_is_added_for_packages_that_are_not_there() {
        let mut tree = with(&[("usr/bin/x", "")]);
        let before = tree.clone();
        add(&mut tree, &[], 0);
        assert_eq!(tree, before);
    }
}
