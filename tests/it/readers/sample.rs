//! The workspace that readers are tried on: one image for each way of compressing, made of archives and files that
//! are the same but for one line, so that no engine takes one image's layer for another's. Knows no reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use layerbuild::digest::Digest;

use super::found::{self, Found};

/// Ways of compressing: the image's name, and the `compression` that its layers say.
pub const COMBINATIONS: [(&str, &str); 5] = [
    ("gzip-chunks", r#"{ format = "gzip" }"#),
    ("gzip-stream", r#"{ format = "gzip", chunks = false }"#),
    ("zstd-stream", r#"{ format = "zstd" }"#),
    ("zstd-chunks", r#"{ format = "zstd", chunks = true }"#),
    ("none", r#""none""#),
];
/// An image's layers, lowest first: targets are called `<image>-<layer>`.
pub const LAYERS: [&str; 3] = ["base", "app", "top"];

/// A workspace and a store in a temporary folder.
pub struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    /// With this `layers.toml`, and no other file.
    pub fn new(text: &str) -> Workspace {
        let workspace = Workspace { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(workspace.root()).expect("a folder");
        workspace.write("layers.toml", text.as_bytes());
        workspace
    }

    /// Where the workspace is.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// A path beside the workspace.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a source file.
    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a source file");
    }

    /// layerbuild in the workspace, with its own store; not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_layerbuild"));
        let twins = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LAYERBUILD_"));
        for (twin, _) in twins {
            command.env_remove(twin);
        }
        command.arg("-C").arg(self.root()).arg("--cache-dir").arg(self.beside("store")).args(arguments);
        command
    }

    /// Runs layerbuild.
    pub fn layerbuild(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("layerbuild runs")
    }

    /// As [`Workspace::layerbuild`], which must succeed: what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.layerbuild(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

/// The workspace of all combinations.
pub fn workspace() -> Workspace {
    let mut text = String::from("[workspace]\nname = \"readers\"\nregistry = \"example.test\"\ntag = \"1\"\n");
    for (name, compression) in COMBINATIONS {
        text += &format!(
            r#"
[tar.{name}-base]
src = "{name}.tar"
compression = {compression}
[files.{name}-app]
srcs = ["app/**"]
dest = "/opt/app"
owner = {{ "/**" = "1000:1001" }}
mode = {{ "f1" = "6711" }}
dirs = {{ "/var/spool" = {{ mode = "2770", owner = "7:8" }} }}
links = {{ "/usr/bin/app" = "/opt/app/f1" }}
content = {{ "/srv/replaced" = "by {name}\n", "/var/spool/new" = "" }}
compression = {compression}
[tar.{name}-top]
src = "top.tar"
compression = {compression}
[image.{name}]
layers = [":{name}-base", ":{name}-app", ":{name}-top"]
cmd = ["/opt/app/f1"]
"#
        );
    }
    let workspace = Workspace::new(&text);
    app_files().into_iter().for_each(|(name, content)| workspace.write(&format!("app/{name}"), content));
    COMBINATIONS.iter().for_each(|(name, _)| workspace.write(&format!("{name}.tar"), &base(name)));
    let mut top = Archive::default();
    top.file("srv/.wh.removed", b"", 0o644, (0, 0));
    top.file("srv/opaque/.wh..wh..opq", b"", 0o644, (0, 0));
    top.file("srv/opaque/new", b"new\n", 0o600, (5, 6));
    workspace.write("top.tar", &top.finish());
    workspace
}

/// What is in an image, by `layerbuild ls` and by what was put in.
pub fn expected(workspace: &Workspace, target: &str, image: &str) -> Found {
    let mut digests = BTreeMap::new();
    let base = base(image);
    digests.extend(found::in_tar(&base[..]).into_iter().filter_map(|(path, item)| Some((path, item.digest?))));
    digests.extend(app_files().into_iter().map(|(name, content)| (format!("opt/app/{name}"), Digest::of(content))));
    let is_base = target.ends_with("-base");
    if !is_base {
        digests.insert("srv/replaced".into(), Digest::of(format!("by {image}\n").as_bytes()));
    }
    digests.insert("var/spool/new".into(), Digest::of(b""));
    digests.insert("srv/opaque/new".into(), Digest::of(b"new\n"));
    let mut expected = found::listed(&workspace.run(&["-q", "ls", &format!("//:{target}")]), &digests);
    if target.ends_with("-top") {
        // `ls` shows what is there once layers are applied; these are how a layer takes things away.
        let whiteouts = ["srv/.wh.removed", "srv/opaque/.wh..wh..opq"];
        expected.extend(whiteouts.map(|path| (path.to_owned(), found::empty_file())));
    }
    expected
}

/// The root file system: all kinds of entries that every unprivileged file system can hold.
fn base(image: &str) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.file("etc/variant", image.as_bytes(), 0o644, (0, 0));
    archive.file("srv/replaced", b"by the base\n", 0o640, (0, 0));
    archive.file("srv/removed", b"still here\n", 0o644, (0, 0));
    archive.file("srv/opaque/old", b"still here\n", 0o644, (0, 0));
    archive.file("usr/bin/su", b"#!/bin/sh\n", 0o4755, (0, 0));
    archive.other(tar::EntryType::Link, "usr/bin/su-too", "usr/bin/su", 0o4755, (0, 0));
    archive.other(tar::EntryType::Symlink, "bin", "usr/bin", 0o777, (0, 0));
    archive.other(tar::EntryType::Directory, "tmp/", "", 0o1777, (0, 0));
    archive.other(tar::EntryType::Directory, "var/spool/", "", 0o2770, (7, 8));
    for number in 0..60 {
        archive.file(&format!("usr/share/doc/{number:03}"), noise(number, 30_000), 0o644, (0, 0));
    }
    archive.finish()
}

/// Enough for several chunks; the large one is cut.
fn app_files() -> Vec<(String, &'static [u8])> {
    let small = (0..120).map(|number| (format!("f{number}"), noise(100 + number, 12_000)));
    small.chain([("large".to_owned(), noise(9, 5 << 20))]).collect()
}

/// Bytes that compress somewhat, other ones for each number: a window of one long noise.
fn noise(number: usize, length: usize) -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes().map(|byte| b"etaoin shrdlu\n.,"[usize::from(byte >> 4)])
        };
        std::iter::repeat_with(next).take(750_000).flatten().collect()
    });
    &noise[number * 500..][..length]
}

/// An archive under construction.
pub struct Archive(tar::Builder<Vec<u8>>);

impl Default for Archive {
    fn default() -> Archive {
        Archive(tar::Builder::new(Vec::new()))
    }
}

impl Archive {
    /// A file; names of any length.
    pub fn file(&mut self, path: &str, content: &[u8], mode: u32, owner: (u64, u64)) {
        let mut header = header(tar::EntryType::Regular, mode, owner);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, Path::new(path), content).expect("a member");
    }

    /// A directory, link or device.
    pub fn other(&mut self, kind: tar::EntryType, path: &str, target: &str, mode: u32, owner: (u64, u64)) {
        let mut header = header(kind, mode, owner);
        if target.is_empty() {
            self.0.append_data(&mut header, Path::new(path), &b""[..]).expect("a member");
        } else {
            self.0.append_link(&mut header, Path::new(path), Path::new(target)).expect("a member");
        }
    }

    /// A device node.
    pub fn device(&mut self, kind: tar::EntryType, path: &str, numbers: (u32, u32)) {
        let mut header = header(kind, 0o660, (0, 6));
        header.set_device_major(numbers.0).expect("a ustar header");
        header.set_device_minor(numbers.1).expect("a ustar header");
        self.0.append_data(&mut header, Path::new(path), &b""[..]).expect("a member");
    }

    /// A PAX record for the next member.
    pub fn pax(&mut self, key: &str, value: &[u8]) {
        let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        // The length counts its own digits.
        let length = (1..5).map(|digits| rest.len() + digits).find(|sum| sum.to_string().len() + rest.len() == *sum);
        let record = [length.expect("a short record").to_string().as_bytes(), &rest].concat();
        let mut header = header(tar::EntryType::XHeader, 0o644, (0, 0));
        header.set_size(record.len() as u64);
        self.0.append_data(&mut header, "pax", &record[..]).expect("a member");
    }

    /// The whole archive.
    pub fn finish(self) -> Vec<u8> {
        self.0.into_inner().expect("an archive")
    }
}

fn header(kind: tar::EntryType, mode: u32, (uid, gid): (u64, u64)) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(uid);
    header.set_gid(gid);
    header.set_size(0);
    header
}
