//! What strictness needs to know of a base: its links to directories, and its directories that are not plain `0755 0:0`.
//!
//! Small enough for `layers.lock`, so that layers on top of a base are judged alike on every machine. Written one line
//! each, as `ls` shows them: `/bin -> usr/bin`, `/tmp 1777 0:0`.

use std::collections::VecDeque;

use crate::layer_path::LayerPath;
use crate::oci::listing::{Listed, Listing, escaped, unescape};
use crate::oci::tree::Kind;

/// The outline of a base that holds this.
///
/// Of directories below one that is not plain, only those that differ from it are kept: whatever is put below them meets
/// the upper one first.
pub fn outline(base: &Listing) -> Listing {
    let mut kept: Vec<Listed> = Vec::new();
    for entry in base.entries() {
        let keep = match entry.kind {
            Kind::Symlink => leads_to_directory(base, entry),
            Kind::Directory => owner(entry) != nearest(&kept, &entry.path),
            _ => false,
        };
        if keep {
            kept.push(Listed { implied: false, size: 0, ..entry.clone() });
        }
    }
    Listing::of_entries(kept)
}

fn owner(entry: &Listed) -> (u32, u64, u64) {
    (entry.mode, entry.uid, entry.gid)
}

/// What the nearest kept directory above a path says, else what is plain.
fn nearest(kept: &[Listed], path: &LayerPath) -> (u32, u64, u64) {
    let above = |entry: &&Listed| entry.kind == Kind::Directory && path.starts_with(&entry.path);
    kept.iter().filter(above).max_by_key(|entry| entry.path.as_bytes().len()).map_or((0o755, 0, 0), owner)
}

/// As many links as Linux follows.
const LINKS: usize = 40;

fn leads_to_directory(base: &Listing, link: &Listed) -> bool {
    let mut links = 0;
    let mut at: Vec<Vec<u8>> = Vec::new();
    let mut ahead: VecDeque<Vec<u8>> = parts(link.path.as_bytes());
    while let Some(part) = ahead.pop_front() {
        match &part[..] {
            b".." => {
                at.pop();
                continue;
            }
            _ => at.push(part),
        }
        let Ok(path) = LayerPath::new(at.join(&b'/')) else { return false };
        match base.get(&path) {
            Some(entry) if entry.kind == Kind::Symlink => {
                links += 1;
                if links > LINKS {
                    return false;
                }
                at.pop();
                if entry.target.starts_with(b"/") {
                    at.clear();
                }
                let mut target = parts(&entry.target);
                target.append(&mut ahead);
                ahead = target;
            }
            Some(entry) if entry.kind == Kind::Directory => {}
            _ => return false,
        }
    }
    true
}

fn parts(path: &[u8]) -> VecDeque<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.map(<[u8]>::to_vec).collect()
}

/// The outline as lines, sorted by path.
pub fn to_lines(outline: &Listing) -> Vec<String> {
    let line = |entry: &Listed| {
        let path = escaped(entry.path.as_bytes());
        match entry.kind {
            Kind::Symlink => format!("/{path} -> {}", escaped(&entry.target)),
            _ => format!("/{path} {:04o} {}:{}", entry.mode, entry.uid, entry.gid),
        }
    };
    outline.entries().iter().map(line).collect()
}

/// Reads back what [`to_lines`] wrote; the error is the position of a line that it never writes.
pub fn from_lines<T: AsRef<str>>(lines: &[T]) -> Result<Listing, usize> {
    let entries: Result<Vec<Listed>, usize> =
        lines.iter().enumerate().map(|(index, line)| parse(line.as_ref()).ok_or(index)).collect();
    entries.map(Listing::of_entries)
}

fn parse(line: &str) -> Option<Listed> {
    let fields: Vec<&str> = line.split(' ').collect();
    let path = LayerPath::new(unescape(fields.first()?)?).ok().filter(|path| !path.is_root())?;
    let entry = |kind, mode, uid, gid, target| Listed { path, kind, mode, uid, gid, size: 0, target, implied: false };
    match fields[1..] {
        ["->", target] => Some(entry(Kind::Symlink, 0o777, 0, 0, unescape(target)?.into_owned())),
        [mode, owner] => {
            let (uid, gid) = owner.split_once(':')?;
            let mode = u32::from_str_radix(mode, 8).ok()?;
            Some(entry(Kind::Directory, mode, uid.parse().ok()?, gid.parse().ok()?, Vec::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(entries: &str) -> Vec<String> {
        to_lines(&outline(&Listing::parse(&format!("listing 1\n{entries}")).unwrap()))
    }

    #[test]
    fn links_to_directories_are_kept_and_others_are_not() {
        let kept = lines(
            "l 777 0 0 0 bin usr/bin\nl 777 0 0 0 circle circle\nl 777 0 0 0 dangling nowhere\nl 777 0 0 0 run /var/run\n\
             l 777 0 0 0 up ../../usr/bin/..\nd 755 0 0 0 usr\nd 755 0 0 0 usr/bin\nl 777 0 0 0 usr/bin/sh dash\n\
             f 755 0 0 1 usr/bin/dash\nd 755 0 0 0 var\nl 777 0 0 0 var/run ../bin\n"
                .replace("usr/bin/sh dash\nf 755 0 0 1 usr/bin/dash\n", "usr/bin/zsh sh\n")
                .as_str(),
        );
        assert_eq!(kept, ["/bin -> usr/bin", "/run -> /var/run", "/up -> ../../usr/bin/..", "/var/run -> ../bin"]);
    }

    #[test]
    fn directories_that_are_not_plain_are_kept_where_they_begin() {
        let kept = lines(
            "d 755 7 7 0 app\nd 755 7 7 0 app/lib\nd 755 7 7 0 app/lib/deep\nd 755 0 0 0 app/own\nd 755 0 0 0 etc\n\
             d 1777 0 0 0 tmp\nf 600 9 9 1 tmp/x\n",
        );
        assert_eq!(kept, ["/app 0755 7:7", "/app/own 0755 0:0", "/tmp 1777 0:0"]);
    }

    #[test]
    fn lines_are_read_back_and_others_are_named() {
        let written = ["/a\\x20b -> c\\x20d", "/tmp 1777 0:0"];
        let read = from_lines(&written).unwrap();
        assert_eq!(to_lines(&read), written);
        assert_eq!(read.entries()[0].target, b"c d");
        for wrong in ["", "/", "/a", "/a -> b c", "/a 9 0:0", "/a 755 0", "/../a -> b"] {
            assert_eq!(from_lines(&["/tmp 1777 0:0", wrong]), Err(1), "{wrong}");
        }
    }
}
