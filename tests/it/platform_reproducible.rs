//! Every target of the reference platform from fresh stores in two folders: by root, and by an ordinary user with another
//! umask, time zone, language, and place of the toolchain.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;
use std::process::Command;

use crate::compiling::toolchain;
use crate::platform::platform;
use crate::readers::sample::Workspace;
use crate::running::user_with_subordinate_ids;
use crate::sample::{Ended, program_for_all, tree};
use crate::support::{has, is_root, skip};

/// What says how this machine reaches archives and registries of crates.
const NETWORK: [&str; 8] =
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

#[test]
#[ignore = "heavier proof: make acceptance"]
fn root_and_an_ordinary_user_get_the_same_platform() {
    if !is_root() || !has(&["setpriv", "newuidmap"]) {
        return;
    }
    let Some(ids) = user_with_subordinate_ids() else {
        skip("no user with lines in /etc/subuid and /etc/subgid");
        return;
    };
    let (Some(ours), Some(theirs)) = (platform(), platform()) else { return };
    let by_user = by_user(&theirs, ids);
    let mut build = ours.command(&["-q", "build", "//..."]);
    build.arg("--cache-dir").arg(ours.beside("fresh"));
    let by_root = done(build);
    assert!(by_root.lines().count() > 15 && by_root.contains("//datakits:sqlserver-bronze sha256:"), "{by_root}");
    assert_eq!(by_user, by_root);
}

fn by_user(theirs: &Workspace, (uid, gid): (u32, u32)) -> String {
    let folder = theirs.beside("another folder");
    ["", "home", "rust", "store"].iter().for_each(|name| fs::create_dir(folder.join(name)).expect("a folder"));
    let program = program_for_all(&folder);
    let own = |path: &Path| lchown(path, Some(uid), Some(gid)).expect("a new owner");
    [theirs.root(), folder.clone()].iter().for_each(|top| {
        own(top);
        tree(top).keys().for_each(|path| own(path));
    });
    let above = folder.parent().expect("a folder");
    fs::set_permissions(above, fs::Permissions::from_mode(0o755)).expect("a mode");
    let script = "mount --bind \"$0\" \"$1\" && shift && umask 077 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(toolchain()).arg(folder.join("rust"));
    command.args(["setpriv", &format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]);
    command.arg(program).arg("-C").arg(theirs.root()).arg("--cache-dir").arg(folder.join("store"));
    let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", folder.join("rust").display());
    command.args(["-q", "build", "//..."]).env_clear().env("HOME", folder.join("home")).env("PATH", path);
    command.env("TZ", "Asia/Tokyo").env("LANG", "tr_TR.UTF-8");
    command.envs(NETWORK.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    done(command)
}

/// What it prints; that a script of a package isn't run is said on stderr, and fine.
fn done(command: Command) -> String {
    let ended = Ended::of(command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out
}
