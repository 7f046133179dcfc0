//! A layer's tar as an overlay's lower directory: whiteouts as devices 0:0, opaque directories as an attribute.
//!
//! Runs inside, where every owner that the layer names exists. Devices are left out: nobody could open them there.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, makedev, mknodat, utimensat};

use super::task::Answer;
use super::xattrs;
use crate::layer_path::LayerPath;
use crate::oci::tar_read::{TarOptions, read_archive};
use crate::oci::tree::{Content, Entry, EntryKind};

/// Before a name: it is hidden (OCI image-spec, "Whiteouts").
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// In a directory: all that lies below it is hidden.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";
/// How an overlay that an unprivileged user mounted marks a directory as opaque.
pub(super) const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";

/// Puts the members of a plain tar into an empty directory.
pub(super) fn lay_out(archive: &Path, into: &Path) -> Result<(), Answer> {
    let tree = read_archive(archive, Path::new("/dev/null"), &TarOptions { mtime: 0 });
    let tree = tree.map_err(|error| Answer::Unfit(vec![error.to_string()]))?;
    let (mut buffer, mut folders) = (vec![0; 1 << 18], Vec::new());
    for (path, entry) in &tree.entries {
        let at = place(into, path);
        put(path, entry, &at, into, &mut buffer).map_err(|error| refused(path, &error))?;
        if entry.kind == EntryKind::Directory {
            folders.push((path, entry, at));
        }
    }
    // Last, since what is put into a directory changes its time.
    let stamped = |(path, entry, at): &(&LayerPath, &Entry, PathBuf)| stamp(entry, at).map_err(|it| refused(path, &it));
    folders.iter().rev().try_for_each(stamped)
}

fn refused(path: &LayerPath, error: &io::Error) -> Answer {
    Answer::Refused { what: format!("unpack {path}"), why: error.to_string(), errno: error.raw_os_error() }
}

fn place(into: &Path, path: &LayerPath) -> PathBuf {
    into.join(std::ffi::OsStr::from_bytes(path.as_bytes()))
}

fn put(path: &LayerPath, entry: &Entry, at: &Path, into: &Path, buffer: &mut [u8]) -> io::Result<()> {
    let name = path.file_name();
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        return hide(name, hidden, at);
    }
    match &entry.kind {
        EntryKind::Directory => fs::create_dir(at)?,
        EntryKind::File(content) => write(content, at, buffer)?,
        EntryKind::Symlink(target) => symlink(std::ffi::OsStr::from_bytes(target), at)?,
        EntryKind::HardLink(first) => return fs::hard_link(place(into, first), at),
        EntryKind::Fifo => mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?,
        EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } => return Ok(()),
    }
    dress(entry, at)
}

/// Owner first: giving a file away takes its setuid bit and capabilities.
fn dress(entry: &Entry, at: &Path) -> io::Result<()> {
    let id = |number: u64| u32::try_from(number).map_err(|_| io::Error::other("an owner beyond 32 bits"));
    lchown(at, Some(id(entry.uid)?), Some(id(entry.gid)?))?;
    if !matches!(entry.kind, EntryKind::Symlink(_)) {
        fs::set_permissions(at, Permissions::from_mode(entry.mode))?;
    }
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| !name.starts_with("trusted.")) {
        xattrs::set(at, name, value)?;
    }
    if entry.kind == EntryKind::Directory { Ok(()) } else { stamp(entry, at) }
}

fn stamp(entry: &Entry, at: &Path) -> io::Result<()> {
    let time = Timespec { tv_sec: i64::try_from(entry.mtime).unwrap_or(i64::MAX), tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, at, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn hide(name: &[u8], hidden: &[u8], at: &Path) -> io::Result<()> {
    let Some(parent) = at.parent() else { return Ok(()) };
    if name == OPAQUE {
        return xattrs::set(parent, OPAQUE_ATTRIBUTE, b"y");
    }
    if hidden.starts_with(WHITEOUT) {
        return Ok(()); // what aufs kept beside its files
    }
    let at = parent.join(std::ffi::OsStr::from_bytes(hidden));
    Ok(mknodat(CWD, &at, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))?)
}

fn write(content: &Content, at: &Path, buffer: &mut [u8]) -> io::Result<()> {
    let mut file = File::create_new(at)?;
    let (path, mut offset, mut left) = match content {
        Content::Bytes(bytes) => return io::Write::write_all(&mut file, bytes),
        Content::File { path, size, .. } => (path, 0, *size),
        Content::Range { path, offset, size } => (path, *offset, *size),
    };
    if left == 0 {
        return Ok(());
    }
    let source = File::open(path)?;
    while left > 0 {
        let step = left.min(buffer.len() as u64) as usize;
        source.read_exact_at(&mut buffer[..step], offset)?;
        io::Write::write_all(&mut file, &buffer[..step])?;
        (offset, left) = (offset + step as u64, left - step as u64);
    }
    Ok(())
}
