//! The root file system that commands see: overlay, mounts, and as little of `/proc` and `/dev` as programs need.
//!
//! Everything of the host is opened first; then the old root goes, and only then are paths of the image followed: a link
//! in a base leads nowhere but into the base. Knows nothing of commands.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, open};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, move_mount, open_tree, unmount,
};

use super::mount_points::MountPoints;
use super::task::{Answer, Mount, Run, SecretFile};
use super::users::User;

/// Devices of the host that programs may open.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// What no step reads (as in Docker).
const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
];
/// What no step writes (as in Docker): these are the host's even where root of the sandbox is root of the host.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The machine's answer to one attempt.
pub(super) trait Tried<T> {
    /// With what was tried, as a phrase.
    fn tried(self, what: impl Into<String>) -> Result<T, Answer>;
}

impl<T, E: Into<io::Error>> Tried<T> for Result<T, E> {
    fn tried(self, what: impl Into<String>) -> Result<T, Answer> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            Answer::Refused { what: what.into(), why: error.to_string(), errno: error.raw_os_error() }
        })
    }
}

/// A root file system that this process is in.
pub(super) struct RootFs {
    points: MountPoints,
    mounted: Vec<PathBuf>,
}

/// What was opened of the host before its root went.
struct Opened {
    devices: Vec<(&'static str, OwnedFd)>,
    mounts: Vec<(Mount, bool, OwnedFd)>,
}

impl RootFs {
    /// Goes into the root file system of a run.
    pub(super) fn enter(run: &Run) -> Result<RootFs, Answer> {
        keep_to_ourselves()?;
        let opened = Opened::of(run)?;
        let root = run.scratch.join("root");
        overlay(&run.lowers, Some(&run.scratch), &root)?;
        pivot(&root)?;
        let mut fs = RootFs { points: MountPoints::default(), mounted: Vec::new() };
        // The kernel gives a user namespace a `/proc` only where it sees one already: the host's, which goes next.
        fs.mount_proc()?;
        forget_the_host()?;
        fs.mount_dev(opened.devices)?;
        opened.mounts.into_iter().try_for_each(|(mount, is_dir, tree)| fs.attach(&mount, is_dir, &tree))?;
        Ok(fs)
    }

    /// Gives writable mounts and secrets to the user who runs the commands.
    pub(super) fn hand_over(&mut self, run: &Run, user: &User) -> Result<(), Answer> {
        for mount in run.mounts.iter().filter(|mount| mount.writable) {
            lchown(&mount.target, Some(user.uid), Some(user.gid)).tried(format!("give {} away", mount.target))?;
        }
        run.secrets.iter().enumerate().try_for_each(|(number, secret)| self.reveal(number, secret, user))
    }

    /// Leaves the image as it would be without mounts.
    pub(super) fn leave(self) {
        for path in self.mounted.iter().rev() {
            let _ = unmount(path, UnmountFlags::DETACH);
        }
        self.points.remove();
    }

    fn directory(&mut self, path: &str) -> Result<(), Answer> {
        self.points.directory(Path::new(path)).tried(format!("make {path}"))
    }

    fn mounted(&mut self, path: &str) {
        self.mounted.push(path.into());
    }

    fn file_system(&mut self, kind: &str, at: &str, options: &str) -> Result<(), Answer> {
        let options = CString::new(options).map_err(io::Error::from).tried("mount")?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // Programs are run from shared memory by some; nothing else of these holds any.
        let flags = if kind == "tmpfs" { MountFlags::NOSUID | MountFlags::NODEV } else { flags };
        let flags = if kind == "devpts" { MountFlags::NOSUID | MountFlags::NOEXEC } else { flags };
        mount(kind, at, kind, flags, options.as_c_str()).tried(format!("mount {kind} at {at}"))?;
        self.mounted(at);
        Ok(())
    }

    fn mount_proc(&mut self) -> Result<(), Answer> {
        self.directory("/proc")?;
        self.file_system("proc", "/proc", "")?;
        for path in READ_ONLY.iter().filter(|path| Path::new(path).exists()) {
            let what = || format!("make {path} read-only");
            mount_bind(*path, *path).tried(what())?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount_remount(*path, MountFlags::BIND | MountFlags::RDONLY | flags, "").tried(what())?;
        }
        Ok(())
    }

    fn mount_dev(&mut self, devices: Vec<(&'static str, OwnedFd)>) -> Result<(), Answer> {
        self.directory("/dev")?;
        self.file_system("tmpfs", "/dev", "mode=755,size=1m")?;
        for (name, tree) in devices {
            let at = format!("/dev/{name}");
            File::create(&at).tried(format!("make {at}"))?;
            attach(&tree, &at)?;
        }
        for (folder, kind, options) in
            [("/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=620"), ("/dev/shm", "tmpfs", "mode=1777")]
        {
            fs::create_dir(folder).tried(format!("make {folder}"))?;
            self.file_system(kind, folder, options)?;
        }
        let links = [
            ("/proc/self/fd", "/dev/fd"),
            ("/proc/self/fd/0", "/dev/stdin"),
            ("/proc/self/fd/1", "/dev/stdout"),
            ("/proc/self/fd/2", "/dev/stderr"),
            ("pts/ptmx", "/dev/ptmx"),
        ];
        links.iter().try_for_each(|(to, at)| symlink(to, at).tried(format!("make {at}")))?;
        mask()
    }

    fn attach(&mut self, mount: &Mount, is_dir: bool, tree: &OwnedFd) -> Result<(), Answer> {
        let Mount { target, writable, .. } = mount;
        let path = Path::new(target);
        let made = if is_dir { self.points.directory(path) } else { self.points.file(path) };
        made.tried(format!("make {target}"))?;
        attach(tree, target)?;
        self.mounted(target);
        let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
        if !writable {
            flags |= MountFlags::RDONLY;
        }
        // What the host's mount says must stay, or the kernel refuses.
        if fstatvfs(tree).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
            flags |= MountFlags::NOEXEC;
        }
        mount_remount(path, flags, "").tried(format!("protect {target}"))
    }

    /// A file in the memory behind `/dev`, seen at its place only.
    fn reveal(&mut self, number: usize, secret: &SecretFile, user: &User) -> Result<(), Answer> {
        let what = || format!("put a secret at {}", secret.target);
        let hidden = format!("/dev/.secret-{number}");
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(&hidden);
        file.and_then(|mut file| file.write_all(&secret.content.0)).tried(what())?;
        lchown(&hidden, Some(user.uid), Some(user.gid)).tried(what())?;
        self.points.file(Path::new(&secret.target)).tried(what())?;
        mount_bind(&*hidden, &*secret.target).tried(what())?;
        self.mounted(&secret.target);
        fs::remove_file(&hidden).tried(what())
    }
}

impl Opened {
    fn of(run: &Run) -> Result<Opened, Answer> {
        let devices = DEVICES.iter().map(|name| Ok((*name, opened(Path::new(&format!("/dev/{name}")))?)));
        let mounts = run.mounts.iter().map(|mount| {
            let is_dir = fs::metadata(&mount.source).tried(format!("read {}", mount.source.display()))?.is_dir();
            Ok((mount.clone(), is_dir, opened(&mount.source)?))
        });
        Ok(Opened { devices: devices.collect::<Result<_, Answer>>()?, mounts: mounts.collect::<Result<_, Answer>>()? })
    }
}

fn opened(path: &Path) -> Result<OwnedFd, Answer> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags).tried(format!("mount {}", path.display()))
}

fn attach(tree: &OwnedFd, at: &str) -> Result<(), Answer> {
    move_mount(tree, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).tried(format!("mount at {at}"))
}

/// No mount made here is seen by the host.
pub(super) fn keep_to_ourselves() -> Result<(), Answer> {
    let all = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", all).tried("take its mounts for itself")
}

/// Mounts directories over each other, the lowest first; what is written goes to `scratch`, without which nothing can be.
///
/// Directories are named by open files: a mount's options have room for a page only, and paths may hold commas.
pub(super) fn overlay(lowers: &[PathBuf], scratch: Option<&Path>, at: &Path) -> Result<(), Answer> {
    if let ([only], None) = (lowers, scratch) {
        return mount_bind(only, at).tried("mount the base");
    }
    let folder = |path: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).tried(format!("open {}", path.display()))
    };
    let held = lowers.iter().rev().map(|path| folder(path)).collect::<Result<Vec<_>, _>>()?;
    let named = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let mut options = format!("lowerdir={}", held.iter().map(named).collect::<Vec<_>>().join(":"));
    let writable = scratch.map(|path| Ok((folder(&path.join("upper"))?, folder(&path.join("work"))?))).transpose()?;
    if let Some((upper, work)) = &writable {
        options.push_str(&format!(",upperdir={},workdir={}", named(upper), named(work)));
    }
    options.push_str(",userxattr,index=off,metacopy=off,xino=off");
    // Nobody needs the step's writes after a crash. Kernels before 5.10 don't know the word.
    mount_overlay(at, &format!("{options},volatile"))
        .or_else(|error| if error == Errno::INVAL { mount_overlay(at, &options) } else { Err(error) })
        .tried("mount an overlay in a user namespace (Linux 5.11; the store must not lie on an overlay itself)")
}

fn mount_overlay(at: &Path, options: &str) -> Result<(), Errno> {
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount("overlay", at, "overlay", MountFlags::NODEV, options.as_c_str())
}

/// From here on, absolute paths are the image's; the old root is still there, below no name.
fn pivot(root: &Path) -> Result<(), Answer> {
    rustix::process::chdir(root).tried("enter the root file system")?;
    rustix::process::pivot_root(".", ".").tried("make it the root")
}

/// The old root goes, with all that only it led to.
fn forget_the_host() -> Result<(), Answer> {
    unmount(".", UnmountFlags::DETACH).tried("leave the host's files")?;
    rustix::process::chdir("/").tried("enter the root file system")
}

/// Hides files behind `/dev/null`, directories behind empty ones.
fn mask() -> Result<(), Answer> {
    for path in MASKED {
        let Ok(meta) = fs::metadata(path) else { continue };
        let masked = if meta.is_dir() {
            let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount("tmpfs", path, "tmpfs", flags, c"size=0k")
        } else {
            mount_bind("/dev/null", path)
        };
        masked.tried(format!("hide {path}"))?;
    }
    Ok(())
}
