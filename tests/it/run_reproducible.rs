//! Packages, commands and images from fresh stores in two folders: by root, and by an ordinary user with subordinate ids and
//! another umask, time zone and language.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian_archive::Archive;
use crate::running::{user_with_subordinate_ids, workspace};
use crate::sample::{Ended, Sample, program_for_all, tree};
use crate::support::{has, is_root, skip};

const TARGETS: &str = r#"
    [debs.packages]
    packages = ["tool"]
    source = "test"
    [run.step]
    base = [":packages", ":root"]
    commands = [
        "rm -r /doc /usr/lib; mkdir -p /srv/a; echo x > /srv/a/b; chown -R 50000:7 /srv; chmod 2750 /srv/a; umask > /umask",
        "ln /srv/a/b /srv/c; cat /src/in/a > /a; chmod 4755 /a; id > /id; echo $TZ $LANG > /language",
    ]
    inputs = { "/src" = ["in/*"] }
    [image.app]
    base = ":base"
    layers = [":packages", ":step"]
"#;

/// A user's ids, and a copy of the workspace and the program that are his.
struct Other {
    ids: (u32, u32),
    root: PathBuf,
    cache: PathBuf,
    program: PathBuf,
}

impl Other {
    fn of(sample: &Sample) -> Option<Other> {
        if !is_root() || !has(&["setpriv", "newuidmap"]) {
            return None;
        }
        let Some(ids) = user_with_subordinate_ids() else {
            skip("no user with lines in /etc/subuid and /etc/subgid");
            return None;
        };
        let folder = sample.folder().join("another/folder with spaces");
        fs::create_dir_all(&folder).expect("a folder");
        let copied = Command::new("cp").arg("-r").arg(&sample.root).arg(folder.join("ws")).status();
        assert!(copied.expect("cp").success());
        let program = program_for_all(sample.folder());
        let own = |path: &Path| lchown(path, Some(ids.0), Some(ids.1)).expect("a new owner");
        tree(&folder).keys().for_each(|path| own(path));
        Some(Other { ids, root: folder.join("ws"), cache: folder.join("store"), program })
    }

    fn build(&self, label: &str) -> Ended {
        let mut command = Command::new("setpriv");
        command.args([
            format!("--reuid={}", self.ids.0),
            format!("--regid={}", self.ids.1),
            "--clear-groups".to_owned(),
        ]);
        command.args(["sh", "-c", "umask 077; exec \"$@\"", "sh"]).arg(&self.program).arg("-C").arg(&self.root);
        command.arg("--cache-dir").arg(&self.cache).args(["build", label]).env_clear().env("HOME", "/nowhere");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TZ", "Asia/Tokyo").env("LANG", "tr_TR.UTF-8");
        Ended::of(command).success()
    }
}

#[test]
fn root_and_an_ordinary_user_get_the_same_image() {
    let (Some(sample), Some(archive)) = (workspace(TARGETS), Archive::new()) else { return };
    archive.add("tool 1.0-1", "Depends: lib", &[("usr/bin/tool", "#!/bin/sh\n"), ("etc/tool.conf", "x\n")]);
    archive.add("lib 2.0-1", "Multi-Arch: same", &[("usr/lib/lib", "lib\n")]);
    archive.publish("");
    fs::set_permissions(archive.path(""), Permissions::from_mode(0o755)).expect("a mode");
    sample.write("layers.toml", format!("[workspace]\nname = \"small\"\n{}", archive.source("")));
    sample.write("p/in/a", "a\n");
    sample.run(&["lock"]);
    let Some(other) = Other::of(&sample) else { return };
    let (by_root, by_user) = (sample.run(&["build", "//p:app"]), other.build("//p:app"));
    assert!(by_root.out.contains("sha256:"), "{by_root:?}");
    assert_eq!(by_user.out, by_root.out);
    assert_eq!(by_user.counts(), (5, 0), "it was built anew: {}", by_user.err);
    assert!(fs::read_dir(other.cache.join("steps")).expect("a folder").next().is_none(), "something is left over");
    let listed = sample.run(&["ls", "//p:step"]).out;
    assert!(listed.contains("  5  /umask") && listed.contains(" 50000:7 "), "{listed}");
    // What belongs to the user's subordinate ids is removed with the folder, by root.
}
