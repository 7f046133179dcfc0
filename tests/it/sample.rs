//! A sample workspace that tests build, edit and compare: a base of a tar, a layer of some sixty files, two images in a
//! chain; and calls of the program over it. Knows no test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use layerbuild::digest::Digest;
use layerbuild::oci::validate::validate_layout;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tempfile::TempDir;

/// Everything that the sample workspace holds.
pub const ALL: &str = "//...";
/// Its upper image.
pub const APP: &str = "//app";

const ROOT: &str = r#"
[workspace]
name = "sample"
registry = "registry.localhost"
tag = "1"

[profile.elsewhere]
registry = "other.example:5000/team"
tag = "2-rc.1"
"#;

const BASE: &str = r#"
[tar.rootfs]
src = "rootfs.tar"

[image.base]
layers = [":rootfs"]
env = { PATH = "/usr/bin:/bin", LANG = "C.UTF-8" }
cmd = ["/bin/sh"]
"#;

const PACKAGE: &str = r#"
[files.app-files]
srcs = ["src/**"]
dest = "/opt/app"
owner = "50000:0"
mode = { "bin/*" = "0750" }
links = { "/usr/bin/app" = "/opt/app/bin/run" }
dirs = { "/var/lib/app" = { mode = "1770", owner = "50000:50000" } }
content = { "/etc/app.conf" = "level = info\n" }

[files.config]
content = { "/etc/other.conf" = "é = 1\n" }
compression = { format = "zstd", level = 3 }

[image.app]
base = "//base"
layers = [":app-files", ":config"]
env = { PATH = "/opt/app/bin:$PATH", APP_HOME = "/opt/app" }
entrypoint = ["/opt/app/bin/run"]
user = "50000"
ports = [8080, "53/udp"]
labels = { b = "2", a = "1" }
annotations = { "example.note" = "x" }
healthcheck = { test = "true", interval = "30s" }
"#;

/// A file of a workspace.
#[derive(Clone)]
pub enum Item {
    /// Content, and whether it is executable.
    File(Vec<u8>, bool),
    /// A symbolic link's target.
    Link(&'static str),
}

/// A workspace's files by path, relative to its root.
pub type Items = BTreeMap<String, Item>;

fn text(text: &str) -> Item {
    Item::File(text.into(), false)
}

/// Bytes that look like text to a compressor and depend on the seed alone.
pub fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length / 2];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes.iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]).collect()
}

/// The sample's files. Made once: the larger ones take a while.
pub fn items() -> &'static Items {
    static ITEMS: OnceLock<Items> = OnceLock::new();
    ITEMS.get_or_init(|| {
        let declared = [("layers.toml", ROOT), ("base/layers.toml", BASE), ("app/layers.toml", PACKAGE)];
        let mut items: Items = declared.map(|(path, content)| (path.to_owned(), text(content))).into();
        items.insert("base/rootfs.tar".into(), Item::File(root_file_system(0), false));
        for (path, item) in sources() {
            items.insert(format!("app/src/{path}"), item);
        }
        items
    })
}

fn sources() -> Items {
    let mut items = Items::new();
    for number in 0..54 {
        let path = format!("lib/{}/{}/module-{number:02}.py", number % 3, number % 5);
        // From nothing to 130 kB.
        let content = noise(&path, number * number * 46);
        items.insert(path, Item::File(content, false));
    }
    items.insert("bin/run".into(), Item::File(b"#!/bin/sh\nexec true\n".into(), true));
    items.insert("libexec/tool".into(), Item::File(noise("tool", 4_000), true));
    items.insert("data/large.bin".into(), Item::File(noise("large", 5 << 20), false));
    items.insert("data/empty".into(), text(""));
    // The same letter in both normal forms: two files.
    items.insert("naïve/caf\u{e9}.txt".into(), text("composed"));
    items.insert("naïve/cafe\u{301}.txt".into(), text("decomposed"));
    items.insert("naïve/日本 語.txt".into(), text("こんにちは"));
    items.insert("lib/current".into(), Item::Link("0/0"));
    items.insert("data/dangling".into(), Item::Link("/no/such/thing"));
    items.insert(format!("deep/{}/leaf", "a-folder-with-a-long-name/".repeat(9).trim_end_matches('/')), text("leaf"));
    items
}

/// A small root file system as a tar whose members have this time stamp.
pub fn root_file_system(mtime: u64) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, content: &str, link: Option<&str>| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(if mode & 0o2000 == 0 { 0 } else { 42 });
        header.set_mtime(mtime);
        header.set_size(content.len() as u64);
        match link {
            Some(target) => tar.append_link(&mut header, path, target).expect("a link"),
            None => tar.append_data(&mut header, path, content.as_bytes()).expect("a member"),
        }
    };
    use tar::EntryType::{Directory, Link, Regular, Symlink};
    for folder in ["etc/", "usr/", "usr/bin/", "var/", "var/lib/"] {
        add(folder, Directory, 0o755, "", None);
    }
    add("tmp/", Directory, 0o1777, "", None);
    add("bin", Symlink, 0o777, "", Some("usr/bin"));
    add("usr/bin/sh", Regular, 0o755, "a shell", None);
    add("usr/bin/dash", Link, 0o755, "", Some("usr/bin/sh"));
    add("usr/bin/su", Regular, 0o4755, "a setuid program", None);
    add("usr/bin/chage", Regular, 0o2755, "a setgid program", None);
    add("etc/passwd", Regular, 0o644, "root:x:0:0::/root:/bin/sh\n", None);
    tar.into_inner().expect("a tar")
}

/// How a workspace's files come about.
#[derive(Clone, Copy)]
pub struct Checkout {
    /// The workspace's folder, below one of its own.
    pub folder: &'static str,
    /// Whether the files are made in the reverse of the order of their names.
    pub reverse: bool,
    /// Permission bits that files and folders lack.
    pub umask: u32,
    /// Time stamp of each file, folder and link, in seconds since 1970; `None`: now.
    pub mtime: Option<i64>,
}

impl Default for Checkout {
    fn default() -> Checkout {
        Checkout { folder: "workspace", reverse: false, umask: 0o022, mtime: None }
    }
}

/// A workspace in a folder of its own, and a store beside it.
pub struct Sample {
    folder: TempDir,
    /// The workspace.
    pub root: PathBuf,
    /// The store; not there until the first build.
    pub cache: PathBuf,
}

impl Sample {
    /// The sample workspace.
    pub fn new() -> Sample {
        Sample::of(items(), Checkout::default())
    }

    /// A workspace of these files.
    pub fn of(items: &Items, checkout: Checkout) -> Sample {
        let folder = tempfile::tempdir().expect("a folder");
        // Others may have to look into it: see the test that builds as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let sample = Sample { root: folder.path().join(checkout.folder), cache: folder.path().join("cache"), folder };
        let mut paths: Vec<_> = items.iter().collect();
        if checkout.reverse {
            paths.reverse();
        }
        paths.into_iter().for_each(|(path, item)| sample.put(path, item));
        sample.settle(&sample.root, checkout);
        sample
    }

    /// A workspace of these packages and files of text, under a root that only has a name.
    pub fn of_texts(texts: &[(&str, &str)]) -> Sample {
        let root = ("layers.toml", "[workspace]\nname = \"small\"\n");
        let items = std::iter::once(&root).chain(texts).map(|(path, content)| ((*path).to_owned(), text(content)));
        Sample::of(&items.collect(), Checkout::default())
    }

    /// The folder that holds both workspace and store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path of the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn put(&self, path: &str, item: &Item) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        match item {
            Item::Link(target) => symlink(target, path).expect("a link"),
            Item::File(content, executable) => {
                fs::write(&path, content).expect("a file");
                let mode = if *executable { 0o777 } else { 0o666 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
            }
        }
    }

    /// Permissions and time stamps, folders after what is in them.
    fn settle(&self, path: &Path, checkout: Checkout) {
        let meta = path.symlink_metadata().expect("it is there");
        if meta.is_dir() {
            fs::read_dir(path).expect("a folder").for_each(|entry| self.settle(&entry.expect("one").path(), checkout));
        }
        if !meta.is_symlink() {
            let all = if meta.is_dir() { 0o777 } else { meta.permissions().mode() & 0o777 };
            fs::set_permissions(path, fs::Permissions::from_mode(all & !checkout.umask)).expect("permissions");
        }
        if let Some(seconds) = checkout.mtime {
            set_mtime(path, seconds, 0);
        }
    }

    /// Writes or overwrites a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Replaces text that a file holds.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let content = fs::read_to_string(self.path(path)).expect("text");
        assert!(content.contains(old), "{path} does not hold {old}");
        self.write(path, content.replace(old, new));
    }

    /// A call of the program in the workspace, with nothing of this process's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&[program()], arguments)
    }

    /// A call of the program by way of another.
    pub fn command_of(&self, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg("-C").arg(&self.root).arg("--cache-dir").arg(&self.cache).args(arguments);
        command.env_clear().env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program; it must succeed.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments)).success()
    }

    /// Builds everything.
    pub fn build(&self) -> Ended {
        self.run(&["build", ALL])
    }

    /// Exports an image; what the validator finds wrong with it fails the test.
    pub fn export(&self, label: &str) -> Layout {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("layout");
        self.run(&["export", label, "--format", "oci", "--to", to.to_str().expect("UTF-8")]);
        let findings: Vec<String> = validate_layout(&to).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{label}: {findings:#?}");
        Layout { folder }
    }

    /// Every blob of the store must have the digest that it is named by, and both images must be sound.
    pub fn assert_sound(&self) {
        for (path, content) in tree(&self.cache.join("blobs")) {
            let Some(content) = content else { continue };
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            assert_eq!(Digest::of(&content).hex(), name, "a blob that is not what its name says");
        }
        drop(self.export(ALL));
    }
}

/// A file that shares its chunk with others.
pub const EDITED: &str = "app/src/lib/1/1/module-31.py";

/// What stands in [`EDITED`] at first.
pub fn original() -> Vec<u8> {
    match &items()[EDITED] {
        Item::File(content, _) => content.clone(),
        Item::Link(_) => unreachable!("it is a file"),
    }
}

/// A workspace that was built.
pub fn built() -> Sample {
    let sample = Sample::new();
    sample.build();
    sample
}

/// Every path below a folder with the content of files. Of a link: its target.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let meta = path.symlink_metadata().expect("it is there");
        let content = match () {
            () if meta.is_symlink() => {
                fs::read_link(&path).ok().map(|target| target.into_os_string().into_encoded_bytes())
            }
            () if meta.is_dir() => None,
            () => Some(fs::read(&path).expect("a readable file")),
        };
        if meta.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("one").path()));
        }
        found.insert(path, content);
    }
    found
}

/// Sets a path's time of modification; a link's own.
pub fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("time stamps");
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_layerbuild")
}

/// A call that ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` for a signal.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub out: String,
    /// Everything on stderr.
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ended {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Ended {
        command.output().expect("the program starts").into()
    }

    /// Fails the test where the call failed, or warned of anything.
    pub fn success(self) -> Ended {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert!(!self.err.contains("warning:"), "{}", self.err);
        self
    }

    /// The closing line's counts: built, cached.
    pub fn counts(&self) -> (usize, usize) {
        let line = self.err.lines().last().unwrap_or_default();
        let count = |word: &str| line.split(", ").find_map(|part| part.split_once(word)?.0.trim().parse().ok());
        match (count(" built"), count(" cached")) {
            (Some(built), Some(cached)) => (built, cached),
            _ => unreachable!("no closing line: {}", self.err),
        }
    }

    /// What stdout says of a label.
    pub fn of_label(&self, label: &str) -> &str {
        let line = self.out.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(' '));
        line.unwrap_or_else(|| unreachable!("nothing of {label} in {}", self.out))
    }
}

/// An exported image.
pub struct Layout {
    folder: TempDir,
}

impl Layout {
    /// A blob by its digest.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        let hex = digest.strip_prefix("sha256:").expect("a SHA-256");
        fs::read(self.folder.path().join("layout/blobs/sha256").join(hex)).expect("a blob")
    }

    /// Digest of the one image.
    pub fn digest(&self) -> String {
        let index = fs::read(self.folder.path().join("layout/index.json")).expect("an index");
        let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
        index["manifests"][0]["digest"].as_str().expect("a digest").to_owned()
    }

    /// The manifest of the one image.
    pub fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&self.blob(&self.digest())).expect("JSON")
    }

    /// The layers of the one image as stored, lowest first.
    pub fn layers(&self) -> Vec<Vec<u8>> {
        let manifest = self.manifest();
        let layers = manifest["layers"].as_array().expect("layers").iter();
        layers.map(|layer| self.blob(layer["digest"].as_str().expect("a digest"))).collect()
    }
}

/// Says past the test harness, which would show the output of failed tests only, that a test was not made.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {why} ***\n");
}

/// Copies the program to where every user may run it.
pub fn program_for_all(folder: &Path) -> PathBuf {
    let copy = folder.join("layerbuild");
    fs::copy(program(), &copy).expect("a copy");
    File::open(&copy).and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o755))).expect("permissions");
    copy
}
