//! `cargo` with the real toolchain, over a base that has the machine's linker: what is compiled anew, and that only what
//! is meant to counts.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running::{copy, libraries, namespaces, user_with_subordinate_ids};
use crate::sample::{Ended, Sample, program_for_all, tree};
use crate::space::Space;
use crate::support::{has, skip};

const ROOT: &str = r#"
    [workspace]
    name = "rust"
    build-base = "//base:build"
"#;

const BASE: &str = r#"
    [files.build]
    srcs = ["root/**"]
    links = { "/lib" = "usr/lib", "/lib64" = "usr/lib64", "/bin" = "usr/bin" }
    dirs = { "/tmp" = { mode = "1777" } }
"#;

const TARGETS: &str = r#"
    [cargo.app]
    manifest = "../crates/app/Cargo.toml"
    compression = "none"
    [exec.said]
    command = "/in/usr/bin/app > /out/said"
    inputs = { "/in" = ":app" }
    outputs = { "/said" = "/out/said" }
    compression = "none"
"#;

/// A root with a package of its own, three members, one of which nobody needs.
fn crates(itoa: &str) -> [(&'static str, String); 8] {
    let root = "[package]\nname = \"tool\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
                [workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                [workspace.dependencies]\ngreet = { path = \"crates/greet\" }\n[profile.release]\nopt-level = 1\n";
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion.workspace = true\nedition.workspace = true\n{more}")
    };
    let app = package("app", "[dependencies]\nitoa = \"1\"\ngreet.workspace = true\n");
    let main = "fn main() { println!(\"{} {}\", greet::GREETING, itoa::Buffer::new().format(7)); }\n";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"greet\",\n \"itoa\",\n]\n\n\
         [[package]]\nname = \"greet\"\nversion = \"0.1.0\"\n\n{itoa}\n[[package]]\nname = \"other\"\nversion = \"0.1.0\"\n\n\
         [[package]]\nname = \"tool\"\nversion = \"1.0.0\"\n"
    );
    [
        ("Cargo.toml", root.to_owned()),
        ("Cargo.lock", lock),
        ("src/main.rs", "fn main() {}\n".to_owned()),
        ("crates/app/Cargo.toml", app),
        ("crates/app/src/main.rs", main.to_owned()),
        ("crates/greet/Cargo.toml", package("greet", "")),
        ("crates/greet/src/lib.rs", "pub const GREETING: &str = \"hello\";\n".to_owned()),
        ("crates/other/Cargo.toml", package("other", "")),
    ]
}

/// The entry of a crate that this very program is made of: whoever compiled it has it.
fn itoa() -> String {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a lock file");
    let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"itoa\"")).expect("itoa");
    format!("[[package]]{}\n", entry.trim_end())
}

pub fn toolchain() -> PathBuf {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from).expect("tests are run by cargo");
    cargo.parent().and_then(Path::parent).expect("a toolchain's folder").to_owned()
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// A workspace of these crates; `None` where this machine can't compile them.
fn workspace() -> Option<Sample> {
    if !has(&["ldd", "sh", "gcc", "ld"]) || !namespaces() {
        return None;
    }
    if !toolchain().join("lib/rustlib").is_dir() {
        skip("the toolchain is not rustup's");
        return None;
    }
    let sample = Sample::of_texts(&[("base/layers.toml", BASE), ("p/layers.toml", TARGETS)]);
    sample.write("layers.toml", ROOT);
    crates(&itoa()).iter().for_each(|(path, text)| sample.write(path, text));
    sample.write("crates/other/src/lib.rs", "");
    linker(&sample.path("base/root"));
    Some(sample)
}

/// Objects and libraries to link with, and those that Rust's own programs load.
const FILES: &str = "Scrt1.o crt1.o crti.o crtn.o crtbegin.o crtbeginS.o crtend.o crtendS.o libgcc.a libgcc_eh.a libgcc_s.so \
                     libgcc_s.so.1 libc.so libc.so.6 libc_nonshared.a libm.so libm.so.6 libmvec.so.1 libpthread.a \
                     libpthread.so.0 libdl.a libdl.so.2 librt.a librt.so.1 libutil.a libz.so.1 liblto_plugin.so";

/// What gcc needs to link: itself, binutils' ld, the files that it names, and the libraries of all.
fn linker(root: &Path) {
    let real = |path: &Path| path.canonicalize().expect("a file of the machine");
    let put = |path: &Path| copy(&real(path), &root.join(real(path).strip_prefix("/").expect("absolute")));
    let asked = |question: &str| {
        let output = Command::new("gcc").arg(question).output().expect("gcc runs").stdout;
        PathBuf::from(String::from_utf8(output).expect("UTF-8").trim())
    };
    let parts = ["collect2", "lto-wrapper"].map(|name| asked(&format!("-print-prog-name={name}")));
    let programs = ["sh", "gcc", "ld"].map(|name| Path::new("/usr/bin").join(name));
    for program in parts.into_iter().chain(programs) {
        put(&program);
        libraries(&real(&program)).iter().for_each(|library| {
            put(library);
            named(library, root);
        });
        named(&program, root);
    }
    named(Path::new("/usr/bin/cc"), root);
    FILES.split_whitespace().map(|name| asked(&format!("-print-file-name={name}"))).for_each(|path| {
        // One that this machine lacks is given back as it was asked for.
        if path.is_absolute() {
            put(&path);
            named(&path, root);
        }
    });
}

/// The name under which a file is asked for, where it is another than its own.
fn named(path: &Path, root: &Path) {
    let Ok(real) = path.canonicalize() else { return };
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok()).expect("a folder");
    let name = folder.join(path.file_name().expect("a name"));
    let at = root.join(name.strip_prefix("/").expect("absolute"));
    if name != real && !at.exists() {
        fs::create_dir_all(at.parent().expect("a parent")).expect("a folder");
        let _ = symlink(&real, &at);
    }
}

fn command(sample: &Sample, arguments: &[&str]) -> Command {
    let mut command = sample.command(&[&["--offline"], arguments].concat());
    let path = format!("{}/bin:/usr/bin:/bin", toolchain().display());
    command.env("PATH", path).env("CARGO_HOME", cargo_home());
    command
}

fn build(sample: &Sample) -> String {
    Ended::of(command(sample, &["build", "//p:app"])).success().of_label("//p:app").to_owned()
}

/// What the program prints.
fn said(sample: &Sample) -> String {
    let built = Ended::of(command(sample, &["build", "//p:said"])).success();
    let hex = built.of_label("//p:said").trim_start_matches("sha256:").to_owned();
    let layer = fs::read(sample.cache.join("blobs/sha256").join(&hex[..2]).join(&hex)).expect("a layer");
    let mut archive = tar::Archive::new(layer.as_slice());
    let mut entry = archive.entries().expect("entries").next().expect("one").expect("a file");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
    text
}

#[test]
fn a_crate_that_a_developer_has_elsewhere_is_compiled_as_if_it_stood_in_its_place() {
    let Some(sample) = workspace() else { return };
    assert_eq!(said(&sample), "hello 7\n");
    sample.write("elsewhere/Cargo.toml", fs::read_to_string(sample.path("crates/greet/Cargo.toml")).expect("a file"));
    sample.write("elsewhere/src/lib.rs", "pub const GREETING: &str = \"salut\";\n");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let there = elsewhere.path().join("greet");
    fs::rename(sample.path("elsewhere"), &there).expect("a move");
    sample.write("layers.local.toml", format!("[paths]\n\"crates/greet\" = \"{}\"\n", there.display()));
    let mapped = build(&sample);
    assert_eq!(said(&sample), "salut 7\n");
    fs::remove_file(sample.path("layers.local.toml")).expect("a file");
    sample.replace("crates/greet/src/lib.rs", "hello", "salut");
    let plain = Ended::of(command(&sample, &["build", "//p:app"])).success();
    assert_eq!((plain.counts().0, plain.of_label("//p:app")), (0, &*mapped), "the same key: {}", plain.err);
}

#[test]
fn an_edit_is_compiled_whatever_its_size_and_nothing_else_counts() {
    let Some(sample) = workspace() else { return };
    let first = build(&sample);
    assert_eq!(said(&sample), "hello 7\n");
    sample.replace("crates/greet/src/lib.rs", "hello", "salut");
    let second = build(&sample);
    assert_eq!(said(&sample), "salut 7\n", "the same size, the same time: and yet another text");
    sample.replace("crates/greet/src/lib.rs", "salut", "servu");
    assert_eq!((build(&sample) == second, said(&sample)), (false, "servu 7\n".to_owned()));
    // Another member, the root's package, a comment in its manifest: none is seen.
    sample.write("crates/other/src/lib.rs", "pub fn new() {}\n");
    sample.write("src/main.rs", "fn main() { println!(); }\n");
    sample.replace("Cargo.toml", "[profile.release]", "# a comment\n[profile.release]");
    sample.replace(
        "Cargo.toml",
        "members = [\"crates/*\"]",
        "members = [\"crates/greet\", \"crates/app\", \"crates/other\"]",
    );
    let again = Ended::of(command(&sample, &["build", "//p:app"])).success();
    assert_eq!(again.counts().0, 0, "{}", again.err);
    sample.replace("Cargo.toml", "opt-level = 1", "opt-level = 2");
    assert_ne!(build(&sample), again.of_label("//p:app"));
    sample.replace("Cargo.toml", "opt-level = 2", "opt-level = 1");
    // With all that cargo kept, as without any of it; in another folder.
    for folder in ["actions", "snapshots"] {
        fs::remove_dir_all(sample.cache.join(folder)).expect("the records");
    }
    let rebuilt = Ended::of(command(&sample, &["build", "//p:app"])).success();
    assert_eq!(rebuilt.counts().0, 2, "{}", rebuilt.err);
    let warm = rebuilt.of_label("//p:app");
    assert_eq!(warm, again.of_label("//p:app"));
    let cold = workspace().expect("as before");
    cold.replace("crates/greet/src/lib.rs", "hello", "servu");
    assert_eq!(build(&cold), warm);
    assert_ne!(first, second);
}

#[test]
fn root_and_an_ordinary_user_get_the_same_program() {
    if !rustix::process::getuid().is_root() || !has(&["setpriv", "newuidmap", "unshare", "mount"]) {
        return;
    }
    let (Some(sample), Some((uid, gid))) = (workspace(), user_with_subordinate_ids()) else {
        skip("no user with lines in /etc/subuid and /etc/subgid");
        return;
    };
    let by_root = build(&sample);
    let program = program_for_all(sample.folder());
    let at = |name: &str| sample.folder().join(name);
    ["other", "home", "rust"].iter().for_each(|name| fs::create_dir(at(name)).expect("a folder"));
    crates_of_registry(&at("home"));
    let theirs = tree(sample.folder()).into_keys().filter(|path| !path.starts_with(&sample.cache));
    theirs.for_each(|path| std::os::unix::fs::lchown(&path, Some(uid), Some(gid)).expect("a new owner"));
    chown(&sample.root, Some(uid), Some(gid)).expect("a new owner");
    // Its toolchain is at another place.
    let script = "mount --bind \"$0\" \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(toolchain()).arg(at("rust"));
    command.args(["setpriv", &format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]);
    command.arg(program).arg("-C").arg(&sample.root).arg("--cache-dir").arg(at("other")).args([
        "--offline",
        "build",
        "//p:app",
    ]);
    let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", at("rust").display());
    command.env_clear().env("HOME", "/nowhere").env("PATH", path).env("CARGO_HOME", at("home"));
    let by_user = Ended::of(command).success();
    assert_eq!(by_user.of_label("//p:app"), by_root);
}

/// The one crate that is needed, as cargo keeps it, with the index.
fn crates_of_registry(home: &Path) {
    let registry = cargo_home().join("registry");
    let put = |path: &Path| copy(path, &home.join("registry").join(path.strip_prefix(&registry).expect("below")));
    let index = tree(&registry.join("index"));
    index.iter().filter(|(_, content)| content.is_some()).for_each(|(path, _)| put(path));
    for host in fs::read_dir(registry.join("cache")).expect("a folder") {
        let crates = fs::read_dir(host.expect("one").path()).expect("a folder").map(|entry| entry.expect("one").path());
        crates.filter(|path| path.to_string_lossy().contains("/itoa-")).for_each(|path| put(&path));
    }
}

#[test]
fn what_cargo_says_is_shown_once_and_a_stale_lock_file_is_named() {
    let Some(sample) = workspace() else { return };
    sample.replace("crates/app/src/main.rs", "greet::GREETING", "greet::GREETINGS");
    for flag in ["--color=never", "-v"] {
        let ended = Ended::of(command(&sample, &[flag, "build", "//p:app"]));
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert_eq!(ended.err.matches("error[E0425]").count(), 1, "{}", ended.err);
        assert!(ended.err.contains("cargo ended with exit status: 101"), "{}", ended.err);
    }
    sample.replace("crates/app/src/main.rs", "greet::GREETINGS", "greet::GREETING");
    sample.replace("crates/app/Cargo.toml", "itoa = \"1\"", "itoa = \"1\"\ncfg-if = \"1\"");
    let stale = Ended::of(command(&sample, &["build", "//p:app"]));
    assert!(stale.err.contains("Cargo.lock is stale: it lacks cfg-if 1."), "{}", stale.err);
    assert!(stale.err.contains("cargo update --workspace"), "{}", stale.err);
}

#[test]
fn another_compiler_is_noticed_by_a_build_with_nothing_to_do() {
    let Some(sample) = workspace() else { return };
    let folder = sample.folder().join("bin");
    fs::create_dir(&folder).expect("a folder");
    let rustc = |script: &str| {
        fs::write(folder.join("rustc"), format!("#!/bin/sh\n{script}\n")).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.join("rustc"), mode).expect("a mode");
    };
    let build = || {
        let mut command = command(&sample, &["build", "//p:app"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        Ended::of(command)
    };
    rustc(&format!("exec {}/bin/rustc \"$@\"", toolchain().display()));
    let is_kept = || {
        assert_eq!(build().code, Some(0));
        tree(&sample.cache)
            .iter()
            .any(|(path, content)| path.to_string_lossy().contains("/snapshots/") && content.is_some())
    };
    assert!((0..200).any(|_| is_kept()), "no answer is ever kept");
    rustc("echo no toolchain here >&2; exit 1");
    let ended = build();
    assert!(ended.code == Some(2) && ended.err.contains("no toolchain here"), "{}", ended.err);
}

/// A real Debian base from the machine's own archives, and crates.io as this machine reaches it.
#[test]
#[ignore = "fetches Debian's gcc and a crate"]
fn a_crate_is_compiled_over_debian() {
    if !namespaces() {
        return;
    }
    let space = Space::empty();
    let base = "[debs.build]\npackages = [\"gcc\", \"libc6-dev\"]\nessential = true\ncompression = \"none\"\n";
    space.write("layers.toml", ROOT);
    space.write("base/layers.toml", base);
    space.write("p/layers.toml", TARGETS);
    crates(&itoa()).iter().for_each(|(path, text)| space.write(path, text));
    space.write("crates/other/src/lib.rs", "");
    let run = |line: &str| {
        let mut command = space.command(crate::space::PROGRAM);
        let path = format!("{}/bin:/usr/bin:/bin:/usr/sbin:/sbin", toolchain().display());
        command.env("PATH", path).env("CARGO_HOME", cargo_home()).args(line.split(' '));
        let ran = space.output(&mut command);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    };
    run("lock");
    run("build //p:said");
    assert!(run("ls //p:app").stdout.contains("  /usr/bin/app"));
}
