//! A tiny signed archive of Debian packages in a folder, made with gpg and dpkg-deb.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use layerbuild::digest::Digest;

use crate::support;

/// An archive with the suite `test` and the component `main`; gone when it is dropped.
pub struct Archive {
    folder: tempfile::TempDir,
}

impl Archive {
    /// An empty one with a key of its own; `None` without the programs.
    pub fn new() -> Option<Archive> {
        if !support::has(&["gpg", "gpgv", "gpgconf", "dpkg-deb"]) {
            return None;
        }
        let archive = Archive { folder: tempfile::tempdir().expect("a folder") };
        for name in ["gnupg", "repo/pool", "repo/dists/test/main/binary-amd64"] {
            fs::create_dir_all(archive.path(name)).expect("a folder");
        }
        fs::set_permissions(archive.path("gnupg"), fs::Permissions::from_mode(0o700)).expect("a mode");
        archive.gpg(&["--passphrase", "", "--quick-gen-key", "test <test@example.com>", "ed25519", "sign", "never"]);
        archive.gpg(&["--output", &archive.text("key.gpg"), "--export"]);
        Some(archive)
    }

    /// A path below its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn gpg(&self, args: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--homedir", &self.text("gnupg")]);
        assert!(gpg.args(args).status().expect("gpg").success(), "{args:?}");
    }

    /// `[apt.test]` for it, with more lines.
    pub fn source(&self, more: &str) -> String {
        let (repo, key) = (self.text("repo"), self.text("key.gpg"));
        format!("[apt.test]\nsuites = [\"test\"]\nmirrors = [\"file://{repo}\"]\nkeyring = \"{key}\"\n{more}\n")
    }

    /// Adds a package: `NAME VERSION`, more fields of its control file, its files. Those below `DEBIAN` are control members.
    pub fn add(&self, package: &str, fields: &str, files: &[(&str, &str)]) {
        self.add_with(package, fields, files, |_| {});
    }

    /// As [`Archive::add`], with what `more` puts into the folder of its files.
    pub fn add_with(&self, package: &str, fields: &str, files: &[(&str, &str)], more: impl Fn(&Path)) {
        let (name, version) = package.split_once(' ').expect("a version");
        let folder = self.path("tree");
        let _ = fs::remove_dir_all(&folder);
        let mut control =
            format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: t <t@example.com>\n");
        let _ = write!(control, "{fields}\nDescription: {name}\n");
        for (path, text) in files.iter().copied().chain([("DEBIAN/control", &*control.replace("\n\n", "\n"))]) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, text).expect("a file");
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        more(&folder);
        let mut build = Command::new("dpkg-deb");
        build
            .args(["--root-owner-group", "-b"])
            .arg(&folder)
            .arg(self.path("repo/pool").join(format!("{name}_{version}.deb")));
        assert!(build.output().expect("dpkg-deb").status.success(), "{package}");
    }

    /// Writes index and release as they are for the packages, and signs. `more`: fields of the release.
    pub fn publish(&self, more: &str) {
        let mut debs: Vec<PathBuf> = fs::read_dir(self.path("repo/pool"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        debs.sort();
        let index: String = debs.iter().map(|deb| stanza(deb)).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(index.as_bytes()).expect("memory");
        let packed = encoder.finish().expect("memory");
        let suite = self.path("repo/dists/test");
        fs::write(suite.join("main/binary-amd64/Packages.gz"), &packed).expect("a file");
        let mut release =
            format!("Suite: test\nCodename: test\nArchitectures: amd64\nComponents: main\n{more}SHA256:\n");
        for (name, bytes) in [("Packages", index.as_bytes()), ("Packages.gz", &packed)] {
            let _ = writeln!(release, " {} {} main/binary-amd64/{name}", Digest::of(bytes).hex(), bytes.len());
        }
        fs::write(suite.join("Release"), release).expect("a file");
        let (from, to) = (suite.join("Release"), suite.join("InRelease"));
        self.gpg(&["--output", &to.display().to_string(), "--clearsign", &from.display().to_string()]);
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // The agent that gpg has started for this folder.
        let _ = Command::new("gpgconf").args(["--homedir", &self.text("gnupg"), "--kill", "all"]).status();
    }
}

fn stanza(deb: &Path) -> String {
    let control = Command::new("dpkg-deb").arg("-f").arg(deb).output().expect("dpkg-deb").stdout;
    let bytes = fs::read(deb).expect("a package");
    let name = deb.file_name().expect("a name").to_string_lossy();
    let control = String::from_utf8_lossy(&control).trim_end().to_owned();
    format!("{control}\nFilename: pool/{name}\nSize: {}\nSHA256: {}\n\n", bytes.len(), Digest::of(&bytes).hex())
}
