//! `/etc/ld.so.cache`, as ldconfig(8) writes it (glibc's `dl-cache.h`, the format of 2.32 and later): only where libraries would not
//! be found without it, as it is one more thing that goes stale.
//!
//! What is in it, `loader_search` says; here are its order and its bytes, little-endian.

use std::cmp::Ordering;

use super::libraries::{CACHE, unseen};
use super::loader_order::order;
use super::loader_search::{Library, libraries};
use super::new;
use super::root::Merged;
use crate::oci::tree::Tree;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Its header and one entry, in bytes.
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// The flag of the header that says little-endian.
const LITTLE_ENDIAN: u32 = 2;

/// Adds it where it matters, with the links by which it names libraries. Nothing where the libraries' machine, or a choice by
/// what the processor can, is beyond what is written here: `libraries` tells then.
pub fn add(tree: &mut Tree, merged: &Merged, architecture: &str, mtime: u64) {
    if !new::has(tree, "etc/ld.so.conf") || unseen(tree).is_empty() {
        return;
    }
    let Some(mut found) = libraries(tree, merged, architecture) else { return };
    for library in &found {
        let path = library.home.join(&library.name).map(|path| path.to_string());
        if let Some(path) = path.ok().filter(|_| !library.name.contains('/')) {
            new::link(tree, &path, &library.file, mtime);
        }
    }
    found.sort_by(before);
    new::file(tree, CACHE, 0o644, bytes(&found), mtime);
}

/// The loader searches by halves, the greatest name first. Of one name the first that fits is taken: the sort is stable, so
/// that the directories' order counts.
fn before(a: &Library, b: &Library) -> Ordering {
    order(&b.name, &a.name).then(b.flags.cmp(&a.flags))
}

/// A header, entries, and behind them their texts; places in those are counted from the file's start. A name is the end of its
/// path.
fn bytes(libraries: &[Library]) -> Vec<u8> {
    let start = HEADER + ENTRY * libraries.len();
    let (mut entries, mut strings) = (Vec::new(), Vec::new());
    for library in libraries {
        let value = start + strings.len();
        let key = value + library.directory.len() + 1;
        // Behind the two: a version of the kernel, and what the processor must be able to do.
        for number in [library.flags, key as u32, value as u32, 0, 0, 0] {
            entries.extend(number.to_le_bytes());
        }
        strings.extend_from_slice(format!("{}/{}\0", library.directory, library.name).as_bytes());
    }
    let mut cache = MAGIC.to_vec();
    // Behind the flag: where extensions begin, here none, and three that mean nothing.
    for number in [libraries.len() as u32, strings.len() as u32, LITTLE_ENDIAN, 0, 0, 0, 0] {
        cache.extend(number.to_le_bytes());
    }
    [cache, entries, strings].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_path::LayerPath;

    fn library(name: &str, directory: &str, flags: u32) -> Library {
        let home = LayerPath::new(directory).unwrap();
        Library { name: name.into(), directory: directory.into(), home, file: name.into(), link: false, flags }
    }

    #[test]
    fn of_one_name_the_first_directory_of_the_greatest_flags_comes_first() {
        let mut found =
            [library("a", "/1", 3), library("a", "/2", 0x303), library("b", "/3", 3), library("a", "/0", 0x303)];
        found.sort_by(before);
        assert_eq!(found.map(|library| library.directory), ["/3", "/2", "/0", "/1"]);
    }

    #[test]
    fn entries_point_to_their_texts() {
        let cache = bytes(&[library("libb.so", "/opt", 0x303), library("liba.so", "/usr/lib", 3)]);
        let number = |at: usize| u32::from_le_bytes(cache[at..at + 4].try_into().unwrap()) as usize;
        let text = |at: usize| cache[at..].split(|byte| *byte == 0).next().unwrap();
        assert_eq!((&cache[..20], number(20), number(24), number(28), number(32)), (MAGIC, 2, 30, 2, 0));
        assert_eq!((number(48), text(number(52)), text(number(56))), (0x303, &b"libb.so"[..], &b"/opt/libb.so"[..]));
        assert_eq!((number(72), text(number(76)), text(number(80))), (3, &b"liba.so"[..], &b"/usr/lib/liba.so"[..]));
        assert_eq!(cache.len(), 48 + 2 * 24 + 30);
    }
}
