//! Debian packages from a small archive of our own: locked, built, and whatever can be wrong with them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::debian_archive::Archive;
use crate::space::{Space, digest};
use crate::support;

/// A root of four packages, and a few beside it.
fn archive() -> Option<Archive> {
    let archive = Archive::new()?;
    let conffile = [("etc/tool.conf", "x\n"), ("bin/tool", "tool\n"), ("DEBIAN/conffiles", "/etc/tool.conf\n")];
    archive.add("tool 1.0-1", "Depends: lib (>= 2) | other, mta", &conffile);
    archive.add("lib 2.0~rc1-1", "", &[("usr/lib/old", "")]);
    archive.add("lib 2.0-1", "Multi-Arch: same", &[("usr/lib/lib", "lib\n")]);
    archive.add("mailer 1", "Provides: mta", &[("usr/sbin/mail", "mail\n")]);
    let masters = [
        ("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/sh\n"),
        ("usr/share/base-passwd/group.master", "root:*:0:\n"),
    ];
    archive.add("base-passwd 1", "Essential: yes", &masters);
    archive.add(
        "awk 1",
        "",
        &[
            ("usr/bin/mawk", "awk\n"),
            ("DEBIAN/postinst", "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n"),
        ],
    );
    archive.add("clash 1", "", &[("usr/bin/tool", "another\n")]);
    archive.add("daemon 1", "", &[("DEBIAN/postinst", "#!/bin/sh\nadduser --system daemon\n"), ("usr/bin/d", "")]);
    archive.add("broken 1", "Depends: tool, needs", &[]);
    archive.add("needs 1", "Depends: lib (>= 3)", &[]);
    archive.publish("");
    Some(archive)
}

fn space(archive: &Archive, more: &str, debs: &str) -> Space {
    let space = Space::with("");
    let text = format!(
        "[workspace]\nname = \"test\"\nplatform = \"linux/amd64\"\n{}[debs.root]\nsource = \"test\"\n{debs}\n",
        archive.source(more)
    );
    space.write("layers.toml", text);
    space
}

#[test]
fn packages_are_locked_without_an_address_and_a_second_store_builds_the_same() {
    let Some(archive) = archive() else { return };
    let debs = "packages = [\"tool\", \"awk\"]\nessential = true\nusers = { app = { uid = 100 } }\n";
    let space = space(&archive, "", debs);
    let unlocked = space.layerbuild("//:root");
    assert!(unlocked.code == 2 && unlocked.stderr.contains("run `layerbuild lock //:root`"), "{unlocked:?}");
    let locked = space.layerbuild("lock");
    assert_eq!(locked.code, 0, "{locked:?}");
    let lock = fs::read_to_string(space.path("layers.lock")).expect("a lock file");
    assert!(!lock.contains("://") && lock.contains("lib 2.0-1 amd64 test pool/lib_2.0-1.deb"), "{lock}");
    assert_eq!(space.layerbuild("lock --check").code, 0);
    let first = space.layerbuild("//:root");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(!first.stderr.contains("warning"), "{first:?}");
    let listed = space.layerbuild("ls //:root").stdout;
    for line in [
        "/usr/bin/tool ",
        "/etc/tool.conf ",
        "/usr/bin/awk -> /etc/alternatives/awk",
        "/var/lib/dpkg/info/lib:amd64.list ",
    ] {
        assert!(listed.contains(line), "{line}\n{listed}");
    }
    assert!(!listed.contains("  /bin/"), "{listed}");
    fs::remove_dir_all(space.cache()).expect("a store");
    assert_eq!(space.layerbuild("//:root").stdout, first.stdout);
    // Whatever the request is, another one is another entry.
    space.write(
        "layers.toml",
        fs::read_to_string(space.path("layers.toml")).expect("a file").replace("\"awk\"", "\"lib\""),
    );
    assert!(space.layerbuild("//:root").stderr.contains("layers.lock has other packages for //:root"));
}

#[test]
fn dpkg_finds_nothing_to_complain_about() {
    let Some(archive) = archive() else { return };
    if !support::has(&["dpkg", "tar"]) || !support::is_root() {
        return;
    }
    let space = space(&archive, "", "packages = [\"tool\"]\nessential = true\ncompression = \"none\"\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    let layer = digest(&space.layerbuild("//:root")).replace("sha256:", "");
    let (blob, root) = (space.cache().join("blobs/sha256").join(&layer[..2]).join(&layer), archive.path("root"));
    fs::create_dir(&root).expect("a folder");
    assert!(Command::new("tar").arg("-xf").arg(blob).arg("-C").arg(&root).status().expect("tar").success());
    let dpkg = |option: &str| {
        let output = Command::new("dpkg").arg(format!("--root={}", root.display())).arg(option).output().expect("dpkg");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!((dpkg("--audit"), dpkg("-V")), (String::new(), String::new()));
    assert!(["lib:amd64", "mailer", "base-passwd"].iter().all(|name| dpkg("-l").contains(name)), "{}", dpkg("-l"));
    fs::write(root.join("usr/sbin/mail"), "changed").expect("a file");
    assert!(dpkg("-V").contains("/usr/sbin/mail"));
}

/// A root of packages, a layer on it, and images of both.
const STACK: &str = r#"
packages = ["tool"]
essential = true
users = { app = { uid = 100 } }
compression = "none"
[debs.upper]
source = "test"
packages = ["awk", "tool"]
on = ":base"
compression = "none"
[image.base]
layers = [":root"]
[image.stack]
base = ":base"
layers = [":upper"]
"#;

#[test]
fn a_layer_on_another_holds_what_is_new_and_both_are_one_root_file_system() {
    let Some(archive) = archive() else { return };
    if !support::has(&["dpkg", "tar"]) || !support::is_root() {
        return;
    }
    let space = space(&archive, "", STACK);
    let locked = space.layerbuild("lock //:stack");
    assert_eq!(locked.stdout.lines().last(), Some("//:upper 1 packages, 0.0 MB"), "{locked:?}");
    let built = space.layerbuild("//:stack");
    assert_eq!(built.code, 0, "{built:?}");
    let listed = space.layerbuild("ls //:upper").stdout;
    assert!(
        ["/usr/bin/awk ", "/usr/bin/mawk", "/var/lib/dpkg/status"].iter().all(|path| listed.contains(path)),
        "{listed}"
    );
    assert!(["tool", "passwd", "/usr/lib/", "/dpkg/available"].iter().all(|path| !listed.contains(path)), "{listed}");
    let root = archive.path("root");
    fs::create_dir(&root).expect("a folder");
    for label in ["//:root", "//:upper"] {
        let layer = digest(&space.layerbuild(label)).replace("sha256:", "");
        let blob = space.cache().join("blobs/sha256").join(&layer[..2]).join(&layer);
        assert!(Command::new("tar").arg("-xf").arg(blob).arg("-C").arg(&root).status().expect("tar").success());
    }
    let dpkg = |option: &str| {
        let output = Command::new("dpkg").arg(format!("--root={}", root.display())).arg(option).output().expect("dpkg");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!((dpkg("--audit"), dpkg("-V")), (String::new(), String::new()));
    assert_eq!(dpkg("-l").lines().filter(|line| line.starts_with("ii ")).count(), 5, "{}", dpkg("-l"));
    // The same paths as if all had been installed together.
    space.write("layers.toml", text(&space).replace("[\"tool\"]\nessential", "[\"awk\", \"tool\"]\nessential"));
    assert_eq!(space.layerbuild("lock //:root").code, 0);
    let together = space.layerbuild("ls //:root").stdout;
    assert_eq!(walk(&root), together.lines().map(path).collect::<BTreeSet<_>>());
}

fn text(space: &Space) -> String {
    fs::read_to_string(space.path("layers.toml")).expect("a file")
}

/// The path of a line of `ls`.
fn path(line: &str) -> String {
    line.split_whitespace().find(|word| word.starts_with('/')).unwrap_or_default().to_owned()
}

/// All paths below a folder.
fn walk(root: &std::path::Path) -> BTreeSet<String> {
    let found = Command::new("find").arg(root).args(["-mindepth", "1", "-printf", "/%P\n"]).output().expect("find");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn what_stands_below_is_pinned_and_when_it_moves_the_layer_above_is_stale() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, "", STACK);
    assert_eq!(space.layerbuild("lock").code, 0);
    archive.add("lib 2.1-1", "", &[("usr/lib/lib", "new\n")]);
    archive.add("awk 2", "Depends: lib (>= 2.1)", &[("usr/bin/mawk", "awk\n")]);
    archive.publish("");
    space.write("layers.toml", text(&space).replace("\"awk\", \"tool\"", "\"awk\""));
    let held = space.layerbuild("lock");
    assert!(held.code == 2 && held.stderr.contains("lib (>= 2.1) is not met by lib 2.0-1"), "{held:?}");
    assert!(held.stderr.contains("`layerbuild lock --update` takes the newest of all"), "{held:?}");
    let moved = space.layerbuild("lock --update //:root");
    assert!(moved.stdout.contains("//:root lib 2.0-1 → 2.1-1"), "{moved:?}");
    space.write("layers.toml", text(&space).replace("\"awk\"]\non", "\"awk\", \"tool\"]\non"));
    let stale = space.layerbuild("//:stack");
    assert!(stale.stderr.contains("//:upper was locked when other packages were below it"), "{stale:?}");
    assert!(stale.stderr.contains("run `layerbuild lock //:upper`"), "{stale:?}");
    assert_eq!(space.layerbuild("lock --check").code, 2);
    assert_eq!(space.layerbuild("lock //:upper").stdout, "//:upper awk 1 → 2\n");
    assert_eq!(space.layerbuild("//:stack").code, 0);
}

#[test]
fn an_image_without_what_a_layer_stands_on_is_told_with_both_places() {
    let Some(archive) = archive() else { return };
    let more = "[image.bare]\nlayers = [\":upper\"]\n[debs.other]\nsource = \"test\"\npackages = [\"daemon\"]\non = \":base\"\n\
                [image.both]\nbase = \":stack\"\nlayers = [\":other\"]\n[debs.more]\npackages = [\"daemon\"]\non = \":both\"\n\
                [debs.empty]\npackages = [\"daemon\"]\non = \":none\"\n[files.none]\ncontent = { \"/a\" = \"\" }\n";
    let space = space(&archive, "", &format!("{STACK}{more}"));
    assert_eq!(space.layerbuild("lock //:stack //:other").code, 0);
    let bare = space.layerbuild("//:bare");
    assert!(
        bare.code == 2 && bare.stderr.contains("//:upper stands on //:root, but nothing is below it here"),
        "{bare:?}"
    );
    assert!(bare.stderr.contains("on = \":base\"") && bare.stderr.contains("layers = [\":upper\"]"), "{bare:?}");
    let both = space.layerbuild("//:both");
    assert!(both.stderr.contains("//:other stands on //:root, but //:root and //:upper is below it here"), "{both:?}");
    assert!(both.stderr.contains("say `on = \"//:upper\"` in //:other"), "{both:?}");
    assert!(space.layerbuild("lock //:more").stderr.contains("//:other stands on //:root"));
    assert!(space.layerbuild("lock //:empty").stderr.contains("no packages are in //:none"));
    assert_eq!(space.layerbuild("//:stack").code, 0);
}

#[test]
fn what_is_left_out_is_unknown_to_dpkg_and_inherited() {
    let Some(archive) = archive() else { return };
    archive.add("docs 1", "", &[("usr/share/doc/docs/news", "n"), ("usr/share/doc/docs/copyright", "c")]);
    archive.publish("");
    let globs = "exclude-paths = [\"/usr/share/doc/*/**\", \"!/usr/share/doc/*/copyright\"]\n";
    let stack = STACK.replace("users", &format!("{globs}users")).replace("\"awk\", \"tool\"", "\"docs\"");
    let space = space(&archive, "", &stack);
    assert_eq!(space.layerbuild("lock").code, 0);
    assert_eq!(space.layerbuild("//:stack").code, 0);
    let listed = space.layerbuild("ls //:upper").stdout;
    assert!(
        listed.contains("/usr/share/doc/docs/copyright") && !listed.contains("/usr/share/doc/docs/news"),
        "{listed}"
    );
    space.write("layers.toml", text(&space).replace("\"/usr/share/doc/*/**\"", "\"usr/[\""));
    assert!(space.layerbuild("//:stack").stderr.contains("`usr/[` is not an absolute path"));
}

#[test]
fn an_archive_is_taken_only_with_its_own_signature_and_in_its_time() {
    let (Some(archive), Some(other)) = (archive(), Archive::new()) else { return };
    let fresh = |more: &str| space(&archive, more, "packages = [\"lib\"]\n").layerbuild("lock");
    let signed = archive.path("repo/dists/test/InRelease");
    let good = fs::read_to_string(&signed).expect("a release");
    fs::write(&signed, good.replace("Codename: test", "Codename: toast")).expect("a file");
    let changed = fresh("");
    assert!(changed.code == 36 && changed.stderr.contains("changed after it was signed"), "{changed:?}");
    fs::write(&signed, "Suite: test\n").expect("a file");
    assert!(fresh("").stderr.contains("has no valid signature"));
    archive.publish("Valid-Until: Mon, 02 Jan 2006 00:00:00 UTC\n");
    let expired = fresh("");
    assert!(
        expired.stderr.contains("was valid until") && expired.stderr.contains("check-valid-until = false"),
        "{expired:?}"
    );
    let waived = fresh("check-valid-until = false");
    assert!(waived.code == 0 && waived.stderr.contains("warning"), "{waived:?}");
    archive.publish("");
    let key = archive.path("key.gpg");
    fs::copy(other.path("key.gpg"), key).expect("a key");
    let unknown = fresh("");
    assert!(unknown.stderr.contains("don't hold") && unknown.stderr.contains("keyring"), "{unknown:?}");
}

#[test]
fn an_index_or_package_that_is_another_than_promised_is_refused() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, "", "packages = [\"lib\"]\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    fs::write(archive.path("repo/pool/lib_2.0-1.deb"), "no package").expect("a file");
    let other = space.layerbuild("//:root");
    assert!(other.code == 36 && other.stderr.contains("has digest") && other.stderr.contains("is locked"), "{other:?}");
    fs::remove_file(archive.path("repo/pool/lib_2.0-1.deb")).expect("a file");
    let gone = space.layerbuild("//:root");
    assert!(gone.stderr.contains("the archive has dropped it: run `layerbuild lock --update`"), "{gone:?}");
    fs::write(archive.path("repo/dists/test/main/binary-amd64/Packages.gz"), "").expect("a file");
    let index = space.layerbuild("lock --update");
    assert!(index.stderr.contains("but its release says"), "{index:?}");
}

#[test]
fn what_is_in_the_store_is_built_after_the_archive_is_gone() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, "", "packages = [\"lib\"]\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    assert_eq!(space.layerbuild("//:root").code, 0);
    fs::remove_dir_all(archive.path("repo")).expect("a folder");
    let text = fs::read_to_string(space.path("layers.toml")).expect("a file");
    space.write("layers.toml", text + "merged-usr = false\n");
    let again = space.layerbuild("//:root");
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn requests_that_cannot_be_met_and_packages_that_collide_are_told() {
    let Some(archive) = archive() else { return };
    let lock = |debs: &str| space(&archive, "", debs).layerbuild("lock");
    let unmet = lock("packages = [\"broken\"]\n");
    let chain = "broken 1 → needs → needs 1 → lib (>= 3)";
    assert!(unmet.code == 2, "{unmet:?}");
    assert!(unmet.stderr.contains("needs 1 → lib (>= 3): lib (>= 3) is not met by lib 2.0-1"), "{chain}\n{unmet:?}");
    let users = space(&archive, "", "packages = [\"lib\"]\nusers = { a = { uid = 7 } }\n");
    assert_eq!(users.layerbuild("lock").code, 0);
    assert!(users.layerbuild("//:root").stderr.contains("`users` without base-passwd"));
    let version = lock("packages = [\"lib=3\"]\n");
    assert!(version.code == 2 && version.stderr.contains("there is no lib 3"), "{version:?}");
    assert!(version.stderr.contains("there is 2.0-1, 2.0~rc1-1"), "{version:?}");
    let unknown = lock("packages = [\"tooll\"]\n");
    assert!(
        unknown.stderr.contains("no package `tooll`") && unknown.stderr.contains("did you mean `tool`?"),
        "{unknown:?}"
    );
    let space = space(&archive, "", "packages = [\"tool\", \"clash\", \"daemon\"]\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    let collision = space.layerbuild("//:root");
    assert!(collision.code == 1, "{collision:?}");
    assert!(collision.stderr.contains("`/usr/bin/tool` is a file of clash and a file of tool"), "{collision:?}");
}

#[test]
fn a_package_that_is_cut_short_or_reaches_out_of_its_root_is_refused() {
    let Some(archive) = archive() else { return };
    if !support::has(&["tar"]) {
        return;
    }
    let space = space(&archive, "", "packages = [\"lib=2.0-1\"]\n");
    let file = archive.path("repo/pool/lib_2.0-1.deb");
    let whole = fs::read(&file).expect("a package");
    let built = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("a file");
        archive.publish("");
        assert_eq!(space.layerbuild("lock --update").code, 0);
        space.layerbuild("//:root")
    };
    let short = built(&whole[..whole.len() - 20]);
    assert!(short.code != 0 && short.stderr.contains("lib 2.0-1 (amd64) is no .deb: it is cut short"), "{short:?}");
    let data = archive.path("data.tar");
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(&data).args(["-P", "--transform", "s,^,../../,", "-C"]).arg(archive.path("repo"));
    assert!(tar.arg("pool/tool_1.0-1.deb").status().expect("tar").success());
    let out = built(&with_data(&whole, &fs::read(&data).expect("a tar")));
    assert!(
        out.code != 0 && out.stderr.contains("lib 2.0-1 (amd64) is damaged") && out.stderr.contains("../"),
        "{out:?}"
    );
    assert_eq!(built(&whole).code, 0);
}

/// A package with other data: the members of its ar archive up to the last, and a plain tar as that.
fn with_data(deb: &[u8], tar: &[u8]) -> Vec<u8> {
    let at = deb.windows(8).position(|bytes| bytes == b"data.tar").expect("data");
    let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "data.tar", 0, 0, 0, 100644, tar.len());
    [&deb[..at], header.as_bytes(), tar].concat()
}

#[test]
fn a_script_that_does_more_is_named_once() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, "", "packages = [\"daemon\"]\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    let first = space.layerbuild("//:root");
    assert!(first.stderr.contains("those of daemon would do"), "{first:?}");
    assert!(!space.layerbuild("//:root").stderr.contains("daemon"));
}

#[test]
fn a_new_version_is_taken_only_by_update() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, "", "packages = [\"lib\"]\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    archive.add("lib 2.1-1", "", &[("usr/lib/lib", "new\n")]);
    archive.publish("");
    assert_eq!(space.layerbuild("lock").stdout, "");
    assert_eq!(space.layerbuild("lock --update").stdout, "//:root lib 2.0-1 → 2.1-1\n");
}

#[test]
fn the_packages_are_those_that_apt_would_install() {
    let Some(archive) = archive() else { return };
    if !support::has(&["apt-get"]) || !support::is_root() {
        return;
    }
    let state = archive.path("apt");
    for folder in ["lists/partial", "cache/archives/partial", "etc"] {
        fs::create_dir_all(state.join(folder)).expect("a folder");
    }
    fs::write(state.join("status"), "").expect("a file");
    let (repo, key) = (archive.path("repo"), archive.path("key.gpg"));
    let list = format!("deb [arch=amd64 signed-by={}] file://{} test main\n", key.display(), repo.display());
    fs::write(state.join("sources.list"), list).expect("a file");
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        for (option, value) in [
            ("Dir::State", ""),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "etc"),
        ] {
            apt.arg("-o").arg(format!("{option}={}", state.join(value).display()));
        }
        apt.args(["-o", "APT::Install-Recommends=0", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"]);
        String::from_utf8_lossy(&apt.args(args).output().expect("apt-get").stdout).into_owned()
    };
    apt(&["update"]);
    let said = apt(&["-s", "install", "tool", "base-passwd"]);
    let mut theirs: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect();
    theirs.sort_unstable();
    let space = space(&archive, "", "packages = [\"tool\"]\nessential = true\n");
    assert_eq!(space.layerbuild("lock").code, 0);
    let lock = fs::read_to_string(space.path("layers.lock")).expect("a lock file");
    let ours: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("  \"")?.split(' ').next()).collect();
    assert_eq!(ours, theirs, "{said}");
}
