//! Leaves the host's namespaces. The crate's one `unsafe` beside `store/map.rs`.
//!
//! `unshare` is unsafe because a thread that gets file descriptors of its own (`CLONE_FILES`) would close what others of
//! its process still hold. This flag is never asked for here.

use rustix::thread::UnshareFlags;

/// New user, mount, pid, ipc and uts namespaces, and one for the network unless the host's is to be used.
pub(super) fn leave(network: bool) -> rustix::io::Result<()> {
    let own = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    let flags = if network { own } else { own | UnshareFlags::NEWNET };
    // SAFETY: CLONE_FILES is not among the flags, so file descriptors stay as they are.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}
