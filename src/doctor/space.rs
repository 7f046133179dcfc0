//! The store's folder: whether it can be written, and how much room there is.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Access, access, statvfs};

use super::Finding;

const GIB: u64 = 1 << 30;
/// What a base with a compiler and its layers may come to.
const ENOUGH: u64 = 2 * GIB;

/// The nearest folder above the store, or the store itself, that is there.
pub fn nearest(store: &Utf8Path) -> Option<Utf8PathBuf> {
    store.ancestors().find(|folder| folder.is_dir()).map(Utf8Path::to_owned)
}

/// `store`: its folder, which need not be there yet.
pub fn check(store: &Utf8Path) -> Finding {
    let fix = "name another folder as --cache-dir or LAYERBUILD_CACHE_DIR";
    let Some(near) = nearest(store) else { return Finding::missing("store", format!("{store} can't be made"), fix) };
    if access(near.as_std_path(), Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Finding::missing("store", format!("{near} can't be written"), fix);
    }
    match statvfs(near.as_std_path()) {
        Ok(found) => judge(store, found.f_bavail.saturating_mul(found.f_frsize)),
        Err(error) => Finding::unknown("store", format!("{store}: {error}")),
    }
}

/// `free`: bytes.
fn judge(store: &Utf8Path, free: u64) -> Finding {
    let tenths = free / (GIB / 10);
    let found = format!("{store}, {}.{} GiB free", tenths / 10, tenths % 10);
    match free {
        free if free < ENOUGH => Finding::missing("store", found, "free some space, or name another --cache-dir"),
        _ => Finding::fine("store", found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn too_little_room_is_told_in_gib() {
        let little = judge(Utf8Path::new("/c"), GIB / 2);
        assert_eq!((little.state, &*little.found), (State::Missing, "/c, 0.5 GiB free"));
        assert_eq!(judge(Utf8Path::new("/c"), 3 * GIB).state, State::Fine);
        assert_eq!(nearest(Utf8Path::new("/no/such/folder")).as_deref(), Some(Utf8Path::new("/")));
    }
}
