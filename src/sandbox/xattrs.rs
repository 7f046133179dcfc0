//! Extended attributes of a file, links not followed.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// Those that say nothing of the file itself: the overlay's own, and labels that the host's policy gives.
const OF_THE_HOST: [&str; 3] = ["user.overlay.", "trusted.overlay.", "security.selinux"];

/// All that belong to the file; none where the file system has no such thing.
pub(super) fn read(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let names = list(path)?;
    let own = |name: &String| !OF_THE_HOST.iter().any(|start| name.starts_with(start));
    names.into_iter().filter(own).map(|name| Ok((name.clone(), get(path, &name)?.unwrap_or_default()))).collect()
}

/// One attribute's value; `None` where it is not there.
pub(super) fn get(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut value = Vec::with_capacity(256);
    loop {
        match rustix::fs::lgetxattr(path, name, rustix::buffer::spare_capacity(&mut value)) {
            Ok(_) => return Ok(Some(value)),
            Err(Errno::NODATA | Errno::NOTSUP) => return Ok(None),
            Err(Errno::RANGE) => value = Vec::with_capacity(value.capacity() * 4),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sets one attribute.
pub(super) fn set(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::lsetxattr(path, name, value, XattrFlags::empty())?)
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::with_capacity(1024);
    loop {
        match rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names)) {
            Ok(_) => break,
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(Errno::RANGE) => names = Vec::with_capacity(names.capacity() * 4),
            Err(error) => return Err(error.into()),
        }
    }
    let texts = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(texts.filter_map(|name| CString::new(name).ok()?.into_string().ok()).collect())
}
