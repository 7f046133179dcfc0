//! Programs that read images and layers, each in a temporary world of its own. Each gives what it found, or why it refused.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::found::{self, Found};

/// What a reader made of an image: what it found, or what it said when it refused.
pub type Reading = Result<Found, String>;

/// Runs a program: what it printed, or what it complained of.
pub fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it only failed").to_owned())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The engine that `DOCKER_HOST` names.
pub fn docker(arguments: &[&str]) -> Result<String, String> {
    run(Command::new("docker").args(arguments)).map(text)
}

/// The root file system of an image that the Docker engine has.
pub fn docker_export(image: &str) -> Reading {
    let container = docker(&["create", image])?;
    let tar = run(Command::new("docker").args(["export", &container]));
    docker(&["rm", &container])?;
    let mut found = found::in_tar(&tar?[..]);
    // Docker's own: places for what it mounts over a container's files.
    for path in [".dockerenv", "dev/console", "dev/pts", "dev/shm", "dev", "proc", "sys"] {
        found.remove(path);
    }
    for path in ["etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"] {
        found.remove(path);
    }
    Ok(found)
}

/// A podman whose storage is its own.
pub struct Podman {
    folder: tempfile::TempDir,
}

impl Podman {
    pub fn new() -> Podman {
        Podman { folder: tempfile::tempdir().expect("a folder") }
    }

    /// Fetches an image and looks into it. `source`: with transport; podman makes names of folders, which then must be
    /// lower case, so they are relative to `here`.
    pub fn read(&self, here: &Path, source: &str) -> Reading {
        let image = self.run(here, &["pull", "--quiet", "--tls-verify=false", source])?;
        let mounted = self.run(here, &["image", "mount", &image])?;
        let found = found::in_folder(Path::new(&mounted));
        self.run(here, &["image", "unmount", &image])?;
        Ok(found)
    }

    /// podman with its storage; what it prints.
    pub fn run(&self, here: &Path, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("podman");
        command.current_dir(here);
        command.arg("--root").arg(self.folder.path().join("root"));
        command.arg("--runroot").arg(self.folder.path().join("run")).args(["--storage-driver", "vfs"]);
        run(command.args(arguments)).map(text)
    }
}

/// A containerd with its own root; stopped when dropped.
pub struct Containerd {
    child: Child,
    folder: tempfile::TempDir,
}

impl Containerd {
    /// Starts one and waits until it answers.
    pub fn start() -> Containerd {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("socket"),
        );
        std::fs::write(at("config"), config).expect("a configuration");
        let mut command = Command::new("containerd");
        command.args(["--config", &at("config")]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut containerd = Containerd { child: command.spawn().expect("containerd runs"), folder };
        let answers = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            containerd.ctr(&["version"]).is_ok() || !matches!(containerd.child.try_wait(), Ok(None))
        });
        assert!(answers && containerd.ctr(&["version"]).is_ok(), "containerd did not start");
        containerd
    }

    /// Fetches an image from a registry and looks into it.
    pub fn pull(&self, reference: &str) -> Reading {
        self.ctr(&["--namespace", "pull", "image", "pull", "--plain-http", "--snapshotter", "native", reference])?;
        self.look("pull", reference)
    }

    /// Takes one image of an OCI layout's tar and looks into it.
    pub fn import(&self, layout: &Path, reference: &str) -> Reading {
        let layout = layout.display().to_string();
        self.ctr(&["--namespace", "import", "image", "import", "--snapshotter", "native", &layout])?;
        self.look("import", reference)
    }

    fn look(&self, namespace: &str, reference: &str) -> Reading {
        // The folder is also the name of the view, which outlives the mount.
        let mount = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let target = mount.path().display().to_string();
        let native = ["--snapshotter", "native"];
        self.ctr(&[&["--namespace", namespace, "image", "mount"], &native[..], &[reference, &target]].concat())?;
        let found = found::in_folder(mount.path());
        self.ctr(&[&["--namespace", namespace, "image", "unmount"], &native[..], &[&target]].concat())?;
        Ok(found)
    }

    fn ctr(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        run(Command::new("ctr").arg("--address").arg(self.folder.path().join("socket")).args(arguments))
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// umoci's unpacking of an image of an OCI layout.
pub fn umoci(layout: &Path, name: &str) -> Reading {
    let folder = tempfile::tempdir().expect("a folder");
    let image = format!("{}:{name}", layout.display());
    run(Command::new("umoci").args(["unpack", "--image", &image]).arg(folder.path().join("bundle")))?;
    Ok(found::in_folder(&folder.path().join("bundle/rootfs")))
}

/// skopeo, told not to ask for signatures.
pub fn skopeo(arguments: &[&str]) -> Result<Vec<u8>, String> {
    run(Command::new("skopeo").arg("--insecure-policy").args(arguments))
}

/// What a program extracts from a layer's blob.
pub fn extracted(blob: &Path, program: impl FnOnce(&Path, &Path) -> Command) -> Reading {
    let folder = tempfile::tempdir().expect("a folder");
    run(&mut program(blob, folder.path()))?;
    Ok(found::in_folder(folder.path()))
}

/// GNU tar, which finds out by itself how the archive is compressed.
pub fn gnu_tar(blob: &Path, into: &Path) -> Command {
    let mut command = Command::new("tar");
    command.args(["--extract", "--same-permissions", "--numeric-owner", "--file"]).arg(blob).arg("-C").arg(into);
    command
}

/// libarchive's tar.
pub fn bsdtar(blob: &Path, into: &Path) -> Command {
    let mut command = Command::new("bsdtar");
    command.args(["-x", "-p", "--numeric-owner", "-f"]).arg(blob).arg("-C").arg(into);
    command
}

/// Python's `tarfile` in this mode.
pub fn python(mode: &'static str) -> impl Fn(&Path, &Path) -> Command {
    const EXTRACT: &str = "
import sys, tarfile
filtered = {'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}
tarfile.open(sys.argv[1], sys.argv[2]).extractall(sys.argv[3], numeric_owner=True, **filtered)
";
    move |blob, into| {
        let mut command = Command::new("python3");
        command.args(["-c", EXTRACT]).arg(blob).arg(mode).arg(into);
        command
    }
}

/// The path of a blob in an OCI layout.
pub fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}
