//! Names, owners, modes and kinds of entries at the edges of what tar can say: through the `tar` and the `files` rule into a
//! layer, and out of it with GNU tar, bsdtar and Python. (Sizes over 8 GiB: a unit test of `oci::tar_write`.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use layerbuild::digest::Digest;

use crate::readers::found::{self, Found};
use crate::readers::programs::{bsdtar, gnu_tar, python, run};
use crate::readers::sample::{Archive, Workspace};
use crate::support::{has, is_root};

/// One more than the largest owner that a ustar header has digits for.
const LARGE_OWNER: u64 = 2_097_152;

/// A path of so many bytes, no component of it longer than 90.
fn long(letter: char, length: usize) -> String {
    (0..length).map(|at| if at % 90 == 89 { '/' } else { letter }).collect()
}

/// One component of so many bytes.
fn name(letter: char, length: usize) -> String {
    letter.to_string().repeat(length)
}

#[test]
fn an_archives_edge_cases_come_out_of_a_layer_as_they_went_in() {
    if !has(&["tar", "bsdtar", "python3"]) || !is_root() {
        return;
    }
    let archive = archive();
    let workspace = Workspace::new("[workspace]\nname = \"edges\"\n[tar.edges]\nsrc = \"edges.tar\"\n");
    workspace.write("edges.tar", &archive);
    let expected = with_parents(found::in_tar(&archive[..]));
    extracted_by_all(&workspace, &expected, |reader, folder| {
        let xattr = "user.note";
        if reader == "python" {
            return; // It extracts no extended attributes.
        }
        let mut value = [0; 64];
        let length = rustix::fs::lgetxattr(folder.join("xattr"), xattr, &mut value[..]);
        assert_eq!(length.map(|length| value[..length].to_vec()), Ok(b"line\nline\x00\xff".to_vec()), "{reader}");
    });
    assert_eq!(pax_value(&layer(&workspace), "xattr", "SCHILY.xattr.user.note"), b"line\nline\x00\xff");
    assert_listed(&workspace, expected);
}

#[test]
fn files_edge_cases_come_out_of_a_layer_as_they_went_in() {
    if !has(&["tar", "bsdtar", "python3"]) || !is_root() {
        return;
    }
    let (deep, target) = (long('d', 4_000), long('t', 3_000));
    let workspace = Workspace::new(&format!(
        r#"
[workspace]
name = "edges"
[files.edges]
srcs = ["src/**"]
owner = "{LARGE_OWNER}:4294967294"
mode = {{ "setuid" = "4755", "setgid" = "2711", "sticky" = "1644", "all" = "7777", "none" = "0000" }}
dirs = {{ "/sticky-directory" = {{ mode = "1777", owner = "0:0" }}, "/shared" = {{ mode = "2770", owner = "7:{LARGE_OWNER}" }} }}
links = {{ "/link" = "{target}", "/{}" = "\u00e9" }}
content = {{ "/{deep}" = "deep\n", "/empty" = "" }}
"#,
        name('l', 101),
    ));
    let sources = ["setuid", "setgid", "sticky", "all", "none", "nfc-\u{e9}", "nfd-e\u{301}"].map(str::to_owned);
    let sources = sources.into_iter().chain([name('a', 101), name('b', 255), long('c', 256)]).collect::<Vec<_>>();
    sources.iter().for_each(|path| workspace.write(&format!("src/{path}"), path.as_bytes()));
    let mut contents: BTreeMap<String, Digest> =
        sources.iter().map(|path| (path.clone(), Digest::of(path.as_bytes()))).collect();
    contents.extend([(deep.clone(), Digest::of(b"deep\n")), ("empty".to_owned(), Digest::of(b""))]);

    let expected = found::listed(&workspace.run(&["-q", "ls", "//:edges"]), &contents);
    assert!(contents.iter().all(|(path, digest)| expected[path].digest == Some(*digest)));
    let owner = format!("{LARGE_OWNER}:4294967294");
    let modes = [("setuid", "-rwsr-xr-x"), ("setgid", "-rwx--s--x"), ("sticky", "-rw-r--r-T"), ("all", "-rwsrwsrwt")];
    for (path, mode) in modes {
        assert_eq!((expected[path].mode.as_str(), &expected[path].owner), (mode, &owner), "{path}");
    }
    assert_eq!(expected["sticky-directory"].mode, "drwxrwxrwt");
    assert_eq!(expected["shared"].owner, format!("7:{LARGE_OWNER}"));
    assert_eq!(expected["link"].target.as_deref(), Some(target.as_str()));
    extracted_by_all(&workspace, &expected, |_, _| {});
}

/// Every edge case that an archive can hold.
fn archive() -> Vec<u8> {
    use tar::EntryType;
    let mut archive = Archive::default();
    for path in [name('a', 100), name('b', 101), name('n', 255), long('c', 256), long('d', 4_000)] {
        archive.file(&path, b"content\n", 0o644, (0, 0));
    }
    archive.file("nfc-\u{e9}", b"composed", 0o644, (0, 0));
    archive.file("nfd-e\u{301}", b"decomposed", 0o644, (0, 0));
    archive.file(&"e\u{301}".repeat(80), b"long and decomposed", 0o644, (0, 0));
    archive.file("setuid", b"", 0o4755, (0, 0));
    archive.file("setgid", b"", 0o2711, (1, 2));
    archive.file("owner", b"x", 0o600, (LARGE_OWNER, u64::from(u32::MAX) - 1));
    archive.other(EntryType::Directory, "sticky/", "", 0o1777, (0, 0));
    archive.other(EntryType::Link, "setuid-too", "setuid", 0o4755, (0, 0));
    archive.other(EntryType::Link, &name('h', 120), &long('d', 4_000), 0o644, (0, 0));
    archive.other(EntryType::Symlink, "link", &long('t', 3_000), 0o777, (0, 0));
    archive.other(EntryType::Symlink, &name('s', 101), "\u{e9}/e\u{301}", 0o777, (LARGE_OWNER, 0));
    archive.other(EntryType::Fifo, "fifo", "", 0o644, (0, 0));
    archive.device(EntryType::Char, "null", (1, 3));
    archive.device(EntryType::Block, "disk", (8, 17));
    archive.file("gone/.wh.file", b"", 0o644, (0, 0));
    archive.file("gone/.wh..wh..opq", b"", 0o644, (0, 0));
    archive.pax("SCHILY.xattr.user.note", b"line\nline\x00\xff");
    archive.file("xattr", b"x", 0o644, (0, 0));
    archive.finish()
}

/// Directories that members lie in and that the archive doesn't name are root's.
fn with_parents(mut found: Found) -> Found {
    let paths: Vec<String> = found.keys().cloned().collect();
    for path in paths {
        for (at, _) in path.match_indices('/') {
            let parent = found::Item { mode: found::mode_text('d', 0o755), digest: None, ..found::empty_file() };
            found.entry(path[..at].to_owned()).or_insert(parent);
        }
    }
    found
}

/// The layer's blob, where the store has it.
fn layer(workspace: &Workspace) -> PathBuf {
    let said = workspace.run(&["-q", "build", "//:edges"]);
    let digest = said.trim().strip_prefix("//:edges ").expect("a label and a digest");
    let hex = digest.strip_prefix("sha256:").expect("a digest");
    workspace.beside("store").join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// The command that extracts a blob into a folder.
type Reader<'a> = &'a dyn Fn(&Path, &Path) -> Command;

/// Extracts the layer with every program, compares, and lets `look` see more.
fn extracted_by_all(workspace: &Workspace, expected: &Found, look: impl Fn(&str, &Path)) {
    let blob = layer(workspace);
    let with_xattrs = |blob: &Path, into: &Path| {
        let mut command = gnu_tar(blob, into);
        command.args(["--xattrs", "--xattrs-include=user.*"]);
        command
    };
    let readers: [(&str, Reader<'_>); 3] = [("tar", &with_xattrs), ("bsdtar", &bsdtar), ("python", &python("r:gz"))];
    for (reader, command) in readers {
        let folder = tempfile::tempdir().expect("a folder");
        run(command(&blob, folder.path()).env("LC_ALL", "C.UTF-8")).unwrap_or_else(|why| panic!("{reader}: {why}"));
        let found = found::in_folder(folder.path());
        assert!(found == *expected, "{reader}: {}", found::difference(expected, &found));
        look(reader, folder.path());
    }
}

/// `ls` says the same, whiteouts and device numbers aside.
fn assert_listed(workspace: &Workspace, mut expected: Found) {
    expected.retain(|path, _| !path.contains(".wh."));
    let digests = expected.iter().filter_map(|(path, item)| Some((path.clone(), item.digest?))).collect();
    for item in expected.values_mut().filter(|item| item.mode.starts_with(['b', 'c'])) {
        item.target = None;
    }
    let listed = found::listed(&workspace.run(&["-q", "ls", "//:edges"]), &digests);
    assert!(listed == expected, "{}", found::difference(&expected, &listed));
}

/// What Python finds of a PAX record.
fn pax_value(blob: &Path, member: &str, key: &str) -> Vec<u8> {
    const SHOW: &str = "
import sys, tarfile
value = tarfile.open(sys.argv[1]).getmember(sys.argv[2]).pax_headers[sys.argv[3]]
sys.stdout.buffer.write(value.encode('utf-8', 'surrogateescape'))
";
    run(Command::new("python3").args(["-c", SHOW]).arg(blob).args([member, key])).expect("Python runs")
}
