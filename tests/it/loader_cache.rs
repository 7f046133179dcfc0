//! `/etc/ld.so.cache` of layers of packages, against the real ldconfig and the real loader.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian_archive::Archive;
use crate::space::{Space, digest};
use crate::support;

const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// A C library, one in a directory that only the configuration names, and a program that asks for that.
fn archive() -> Option<Archive> {
    let is_here = cfg!(target_arch = "x86_64") || support::skip("the packages are made for amd64");
    let programs = support::has(&["gcc", "ldconfig", "tar", "chroot"]) && support::is_root();
    let archive = Archive::new().filter(|_| is_here && programs)?;
    let conf = [
        ("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
        (
            "etc/ld.so.conf.d/x86_64-linux-gnu.conf",
            "# Multiarch support\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n",
        ),
    ];
    archive.add_with("libc-bin 1", "Essential: yes", &conf, |tree| {
        let folder = tree.join("lib/x86_64-linux-gnu");
        fs::create_dir_all(&folder).expect("a folder");
        fs::create_dir_all(tree.join("lib64")).expect("a folder");
        for name in ["libc.so.6", "ld-linux-x86-64.so.2"] {
            fs::copy(Path::new("/lib/x86_64-linux-gnu").join(name), folder.join(name)).expect("the host's library");
        }
        let loader = "ld-linux-x86-64.so.2";
        symlink(format!("/lib/x86_64-linux-gnu/{loader}"), tree.join("lib64").join(loader)).expect("a link");
    });
    let files = [
        ("etc/ld.so.conf.d/far.conf", "/usr/lib/x86_64-linux-gnu/far\n"),
        ("usr/lib/x86_64-linux-gnu/libtext.so", "INPUT(x)\n"),
    ];
    archive.add_with("far 1", "", &files, far);
    archive.publish("");
    Some(archive)
}

/// Two versions and a link for those who link, but none by the name that programs ask for; and a library beside.
fn far(tree: &Path) {
    let folder = tree.join(LIBRARIES).join("far");
    fs::create_dir_all(&folder).expect("a folder");
    fs::create_dir_all(tree.join("usr/bin")).expect("a folder");
    let source = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let number = |value: u32| source("far.c", &format!("int far(void) {{ return {value}; }}\n"));
    for (value, name, soname) in [
        (9, "far/libfar.so.1.9", "libfar.so.1"),
        (10, "far/libfar.so.1.10", "libfar.so.1"),
        (3, "libnear2.so", "libnear.so.2"),
        (4, "libplain.so", "libplain.so"),
    ] {
        gcc(
            &["-shared", "-fPIC", &format!("-Wl,-soname,{soname}")],
            &number(value),
            &tree.join(LIBRARIES).join(name),
            &[],
        );
    }
    let text = "int far(void); int printf(const char *, ...); int main(void) { printf(\"%d\\n\", far()); return 0; }\n";
    let (program, library) = (source("asks.c", text), folder.join("libfar.so.1.10"));
    gcc(&[], &program, &tree.join("usr/bin/asks"), &[&library]);
    symlink("libfar.so.1.10", folder.join("libfar.so")).expect("a link");
    for name in ["far.c", "asks.c"] {
        fs::remove_file(folder.join(name)).expect("a source");
    }
}

fn gcc(options: &[&str], source: &Path, to: &Path, more: &[&Path]) {
    let output = Command::new("gcc").args(options).arg(source).args(more).arg("-o").arg(to).output().expect("gcc");
    assert!(output.status.success(), "{output:?}");
}

fn space(archive: &Archive, debs: &str) -> Space {
    let space = Space::with("");
    let text = "[workspace]\nname = \"test\"\nplatform = \"linux/amd64\"\n";
    space.write("layers.toml", format!("{text}{}{debs}", archive.source("")));
    assert_eq!(space.layerbuild("lock").code, 0);
    space
}

/// Layers, the lowest first, as a directory.
fn unpacked(space: &Space, labels: &[&str], root: &Path) {
    fs::create_dir(root).expect("a folder");
    for label in labels {
        let layer = digest(&space.layerbuild(label)).replace("sha256:", "");
        let blob = space.cache().join("blobs/sha256").join(&layer[..2]).join(&layer);
        assert!(Command::new("tar").arg("-xf").arg(blob).arg("-C").arg(root).status().expect("tar").success());
    }
}

/// What the cache of a root has, in its order.
fn cached(root: &Path) -> Vec<String> {
    let mut ldconfig = Command::new("ldconfig");
    let output = ldconfig.arg("-p").arg("-C").arg(root.join("etc/ld.so.cache")).output().expect("ldconfig");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.starts_with('\t')).map(str::to_owned).collect()
}

/// All links below a root, with their targets.
fn links(root: &Path) -> Vec<String> {
    let found = Command::new("find").arg(root).args(["-type", "l", "-printf", "/%P -> %l\n"]).output().expect("find");
    let mut links: Vec<String> = String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
    links.sort();
    links
}

/// What the program prints in a root; `None` where it doesn't start.
fn asked(root: &Path) -> Option<String> {
    let output = Command::new("chroot").arg(root).arg("/usr/bin/asks").output().expect("chroot");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Holds the cache of a root against what ldconfig makes of it.
fn check(root: &Path) {
    assert_eq!(asked(root).as_deref(), Some("10\n"));
    let (ours, our_links) = (cached(root), links(root));
    assert!(
        ours.iter()
            .any(|line| line.ends_with("libfar.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/far/libfar.so.1")),
        "{ours:?}"
    );
    fs::remove_file(root.join("etc/ld.so.cache")).expect("a cache");
    assert_eq!(asked(root), None, "it needs no cache");
    assert!(Command::new("ldconfig").arg("-r").arg(root).status().expect("ldconfig").success());
    assert_eq!((ours, our_links), (cached(root), links(root)));
}

const ROOT: &str = "[debs.root]\nsource = \"test\"\nessential = true\ncompression = \"none\"\n";

#[test]
fn programs_find_libraries_by_a_cache_that_is_ldconfigs() {
    let Some(archive) = archive() else { return };
    let space = space(&archive, &format!("{ROOT}packages = [\"far\"]\n"));
    let built = space.layerbuild("//:root");
    assert!(built.code == 0 && !built.stderr.contains("warning"), "{built:?}");
    let root = archive.path("root");
    unpacked(&space, &["//:root"], &root);
    check(&root);
}

#[test]
fn a_layer_on_a_root_brings_the_cache_of_both_and_one_on_nothing_a_warning() {
    let Some(archive) = archive() else { return };
    let far = "source = \"test\"\npackages = [\"far\"]\ncompression = \"none\"\n";
    let targets = format!("{ROOT}packages = []\n[debs.upper]\non = \":root\"\n{far}[debs.alone]\n{far}");
    let space = space(&archive, &targets);
    let cache = |label: &str| space.layerbuild(&format!("ls {label}")).stdout.contains("/etc/ld.so.cache");
    let upper = space.layerbuild("//:upper");
    assert!(upper.code == 0 && !upper.stderr.contains("warning"), "{upper:?}");
    assert_eq!((cache("//:root"), cache("//:upper"), cache("//:alone")), (false, true, false));
    let root = archive.path("root");
    unpacked(&space, &["//:root", "//:upper"], &root);
    check(&root);
    fs::remove_dir_all(space.cache()).expect("a store");
    let alone = space.layerbuild("//:alone");
    assert!(
        alone.stderr.contains("libraries in /usr/lib/x86_64-linux-gnu/far are found only after `ldconfig`"),
        "{alone:?}"
    );
}
